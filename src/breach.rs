//! Passwords that were in breaches: a file that answers "seen" or "not seen" and gives no password away.
//!
//! The file is made by [`build_to()`] from the public Pwned Passwords lists. It holds 256 binary fuse filters (Graf and Lemire,
//! 2022), one for each first byte of the passwords' SHA-1, with 18 bits and more for each password. Whoever was in the
//! list is always found; of those who were not, one in 65,536 is found too.
//!
//! ```text
//! "vtbreach" | version, u32 | 256 x (seed u64, segment u32, segments u32, length u32, length x u16) | count u64 | SHA-256
//! ```
//! Numbers are little-endian. The file is read into memory: to map it would be `unsafe`, and a file that somebody cuts while
//! it is mapped ends the process.

mod build;
mod partial;

pub use build::{BuildError, Built};
pub use partial::build_to;

use aws_lc_rs::digest::{self, Context, SHA256};
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use xorf::{BinaryFuse16, Filter as _};

const MAGIC: &[u8; 8] = b"vtbreach";
const VERSION: u32 = 1;
/// As many filters make one file, and as many parts a build has.
pub const SHARDS: usize = 256;
const DIGEST: usize = 32;
/// Bytes that are read at once, a whole number of fingerprints.
const BUFFER: usize = 1 << 14;
/// As many fingerprints of a shard (8 MiB) get their memory at once when the file says that they follow; more, only as they
/// come. A filter of 900 million passwords has four million in each.
const BELIEVED: usize = 1 << 22;

/// The filter, in memory: 2.26 bytes a password of 900 million, 2.44 of ten million.
pub struct Filter {
    /// By the first byte of the hash; `None` when no password has it.
    shards: Vec<Option<BinaryFuse16>>,
    passwords: u64,
}

/// Why a file is no filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The system's answer.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It begins with something else.
    #[error("is not a filter that `vestibule breach build` made")]
    Foreign,
    /// It is of another version of this program.
    #[error("is of version {0}, and this program reads version {VERSION}; build it again")]
    Version(u32),
    /// Its checksum does not fit.
    #[error("is damaged: its checksum does not fit; build it again or copy it again")]
    Damaged,
}

impl Filter {
    /// Reads a file, part after part: no more memory is taken than the filter takes, and a small buffer.
    ///
    /// # Errors
    /// When it is not whole, or not one of ours.
    pub fn open(path: &Path) -> Result<Filter, FilterError> {
        Filter::read(BufReader::new(File::open(path)?))
    }

    fn read(from: impl Read) -> Result<Filter, FilterError> {
        let mut from = Summed { from, sum: Context::new(&SHA256) };
        match from.take() {
            Ok(magic) if magic == *MAGIC => {}
            Ok(_) | Err(FilterError::Damaged) => return Err(FilterError::Foreign),
            Err(error) => return Err(error),
        }
        let version = from.u32()?;
        if version != VERSION {
            return Err(FilterError::Version(version));
        }
        let shards = (0..SHARDS).map(|_| from.shard()).collect::<Result<_, _>>()?;
        let filter = Filter { shards, passwords: from.u64()? };
        // Nothing was asked yet, and nothing is when this does not fit.
        from.end()?;
        Ok(filter)
    }

    /// Whether this password (the bytes that are hashed for storing) was seen, or is one of the 65,536 that only look so.
    pub fn contains(&self, password: &[u8]) -> bool {
        let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password);
        key(sha1.as_ref()).is_some_and(|key| self.has(key))
    }

    fn has(&self, key: u64) -> bool {
        let shard = self.shards.get((key >> 56) as usize).and_then(Option::as_ref);
        shard.is_some_and(|shard| shard.contains(&key))
    }

    /// How many passwords it was made of.
    pub fn passwords(&self) -> u64 {
        self.passwords
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({} passwords)", self.passwords)
    }
}

/// The first 64 bits of a SHA-1: among a thousand million passwords, two share them once in forty lists.
fn key(sha1: &[u8]) -> Option<u64> {
    sha1.first_chunk().map(|first| u64::from_be_bytes(*first))
}

/// A reader that keeps the checksum of what was read.
struct Summed<R> {
    from: R,
    sum: Context,
}

impl<R: Read> Summed<R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), FilterError> {
        self.from.read_exact(bytes).map_err(short)?;
        self.sum.update(bytes);
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FilterError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, FilterError> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, FilterError> {
        self.take().map(u64::from_le_bytes)
    }

    fn shard(&mut self) -> Result<Option<BinaryFuse16>, FilterError> {
        let (seed, segment, segments, length) = (self.u64()?, self.u32()?, self.u32()?, self.u32()?);
        if length == 0 {
            return Ok(None);
        }
        // What is looked up must lie inside, whatever the file says.
        let fits = segment.is_power_of_two()
            && segments.is_multiple_of(segment)
            && u64::from(segments) + 2 * u64::from(segment) <= u64::from(length);
        let empty = BinaryFuse16::try_from_iterator(std::iter::empty()).ok().filter(|_| fits);
        let mut shard = empty.ok_or(FilterError::Damaged)?;
        shard.descriptor.seed = seed;
        shard.descriptor.segment_length = segment;
        shard.descriptor.segment_length_mask = segment - 1;
        shard.descriptor.segment_count_length = segments;
        shard.fingerprints = self.prints(length as usize)?;
        Ok(Some(shard))
    }

    fn prints(&mut self, length: usize) -> Result<Box<[u16]>, FilterError> {
        let mut prints = Vec::with_capacity(length.min(BELIEVED));
        let mut buffer = [0; BUFFER];
        while prints.len() < length {
            let bytes = &mut buffer[..BUFFER.min(2 * (length - prints.len()))];
            self.fill(bytes)?;
            prints.extend(bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])));
        }
        Ok(prints.into_boxed_slice())
    }

    /// The checksum of all that was read comes next, and nothing behind it.
    fn end(mut self) -> Result<(), FilterError> {
        let mut told = [0; DIGEST];
        self.from.read_exact(&mut told).map_err(short)?;
        let mut more = Vec::new();
        self.from.take(1).read_to_end(&mut more)?;
        if more.is_empty() && self.sum.finish().as_ref() == told { Ok(()) } else { Err(FilterError::Damaged) }
    }
}

/// A file that ends too early is damaged.
fn short(error: io::Error) -> FilterError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => FilterError::Damaged,
        _ => FilterError::Read(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of so many passwords as it is published: the SHA-1 of each with a count, sorted.
    fn list(passwords: impl Iterator<Item = String>) -> String {
        let hex = |password: String| -> String {
            let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
            sha1.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
        };
        let mut lines: Vec<String> = passwords.map(|p| format!("{}:3\r\n", hex(p))).collect();
        lines.sort();
        lines.concat()
    }

    fn built(list: &str, least: u64) -> Vec<u8> {
        let mut file = Vec::new();
        build::build(std::iter::once(Ok((String::new(), list.as_bytes()))), &mut file, least)
            .expect("it is built");
        file
    }

    #[test]
    fn everybody_of_the_list_is_found_and_hardly_anybody_else() {
        let filter = Filter::read(&*built(&list((0..200_000).map(|n| format!("password {n}"))), 1))
            .expect("it is whole");
        assert_eq!(filter.passwords(), 200_000);
        assert!((0..200_000).all(|n| filter.contains(format!("password {n}").as_bytes())));
        let wrong = (0..1_000_000).filter(|n| filter.contains(format!("another {n}").as_bytes())).count();
        // 15 are expected; the odds of 60 are less than one in 10^16.
        assert!(wrong < 60, "{wrong} of a million");
    }

    #[test]
    fn an_empty_and_a_tiny_list_work_and_rare_ones_are_left_out() {
        assert!(!Filter::read(&*built("", 1)).expect("empty").contains(b"x"));
        let one = list(["x".to_owned()].into_iter());
        assert!(Filter::read(&*built(&one, 3)).expect("one").contains(b"x"));
        assert!(!Filter::read(&*built(&one, 4)).expect("none").contains(b"x"));
    }

    #[test]
    fn no_damage_goes_unnoticed() {
        let file = built(&list((0..50).map(|n| n.to_string())), 1);
        for at in 0..file.len() {
            // The highest bit too: of a length, it promises more than any file has.
            for bit in [1, 0x80] {
                let mut damaged = file.clone();
                damaged[at] ^= bit;
                let found = Filter::read(&*damaged).expect_err("it is damaged");
                assert!(is_of(&found, at), "bit {bit} of byte {at}: {found}");
            }
            let cut = Filter::read(&file[..at]).expect_err("it is cut");
            assert!(is_of(&cut, if at < 8 { at } else { 12 }), "cut at {at}: {cut}");
        }
        let longer = [&file[..], b"\n"].concat();
        assert!(matches!(Filter::read(&*longer), Err(FilterError::Damaged)));
        assert!(matches!(Filter::read(&b"something else"[..]), Err(FilterError::Foreign)));
    }

    /// Whether this is what damage at this byte is told as.
    fn is_of(error: &FilterError, at: usize) -> bool {
        match at {
            0..8 => matches!(error, FilterError::Foreign),
            8..12 => matches!(error, FilterError::Version(_)),
            _ => matches!(error, FilterError::Damaged),
        }
    }

    /// A reader that gives a byte at a time, and then an error.
    struct Failing<'b>(&'b [u8]);

    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let (first, rest) = self.0.split_first().ok_or(io::ErrorKind::StaleNetworkFileHandle)?;
            self.0 = rest;
            buffer[0] = *first;
            Ok(1)
        }
    }

    #[test]
    fn a_disk_that_fails_is_no_damage() {
        let file = built(&list((0..50).map(|n| n.to_string())), 1);
        for read in [0, 4, 8, 12, 40, file.len() - 1, file.len()] {
            let found = Filter::read(Failing(&file[..read])).expect_err("it fails");
            assert!(matches!(found, FilterError::Read(_)), "after {read} bytes: {found}");
        }
    }

    #[test]
    fn progress_goes_from_the_first_part_to_the_last_also_when_a_build_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let to = folder.path().join("filter");
        let list = list((0..2000).map(|n| n.to_string()));
        let build = |lists: Vec<io::Result<(String, &[u8])>>| {
            let mut told = Vec::new();
            let built = build_to(lists.into_iter(), &to, 1, |done| told.push(done));
            (built, told)
        };
        let half = &list.as_bytes()[..list.len() / 2];
        let half = &half[..=half.iter().rposition(|byte| *byte == b'\n').expect("lines")];
        let (stopped, told) =
            build(vec![Ok((String::new(), half)), Err(io::ErrorKind::StaleNetworkFileHandle.into())]);
        assert!(matches!(stopped, Err(BuildError::Io(_))), "{stopped:?}");
        assert!((100..156).contains(&told.len()) && told.iter().copied().eq(1..=told.len()), "{told:?}");
        let before = told.len();
        let (built, told) = build(vec![Ok((String::new(), list.as_bytes()))]);
        assert_eq!(built.expect("it goes on").resumed, before);
        assert!(told.into_iter().eq(1..=SHARDS));
    }
}
