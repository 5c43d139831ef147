//! Passwords that were in breaches: a file that answers "seen" or "not seen" and gives no password away.
//!
//! The file is made by [`build_to()`] from the public Pwned Passwords lists. It holds 256 binary fuse filters (Graf and Lemire,
//! 2022), one for each first byte of the passwords' SHA-1, with 16 bits and an eighth for each password. Whoever was in the
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

use aws_lc_rs::digest;
use std::fmt;
use std::io;
use std::path::Path;
use xorf::{BinaryFuse16, Filter as _};

const MAGIC: &[u8; 8] = b"vtbreach";
const VERSION: u32 = 1;
const SHARDS: usize = 256;
const DIGEST: usize = 32;

/// The filter, in memory: 2.25 bytes a password.
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
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not whole, or not one of ours.
    pub fn open(path: &Path) -> Result<Filter, FilterError> {
        Filter::read(&std::fs::read(path)?)
    }

    fn read(bytes: &[u8]) -> Result<Filter, FilterError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(FilterError::Foreign)?;
        let mut rest = Bytes(rest);
        let version = rest.u32().ok_or(FilterError::Damaged)?;
        if version != VERSION {
            return Err(FilterError::Version(version));
        }
        let (told, sum) = bytes.split_at(bytes.len() - DIGEST.min(bytes.len()));
        if digest::digest(&digest::SHA256, told).as_ref() != sum {
            return Err(FilterError::Damaged);
        }
        let mut shards = Vec::with_capacity(SHARDS);
        for _ in 0..SHARDS {
            shards.push(rest.shard().ok_or(FilterError::Damaged)?);
        }
        let passwords = rest.u64().ok_or(FilterError::Damaged)?;
        Ok(Filter { shards, passwords })
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

/// What has not been read yet.
struct Bytes<'b>(&'b [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn shard(&mut self) -> Option<Option<BinaryFuse16>> {
        let (seed, segment, segments, length) = (self.u64()?, self.u32()?, self.u32()?, self.u32()?);
        let (prints, rest) = self.0.split_at_checked(2 * length as usize)?;
        self.0 = rest;
        if length == 0 {
            return Some(None);
        }
        // What is looked up must lie inside, whatever the file says.
        let fits =
            segment.is_power_of_two() && u64::from(segments) + 2 * u64::from(segment) <= u64::from(length);
        let mut shard = BinaryFuse16::try_from_iterator(std::iter::empty()).ok().filter(|_| fits)?;
        shard.descriptor.seed = seed;
        shard.descriptor.segment_length = segment;
        shard.descriptor.segment_length_mask = segment - 1;
        shard.descriptor.segment_count_length = segments;
        shard.fingerprints = prints.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
        Some(Some(shard))
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
        let filter = Filter::read(&built(&list((0..200_000).map(|n| format!("password {n}"))), 1))
            .expect("it is whole");
        assert_eq!(filter.passwords(), 200_000);
        assert!((0..200_000).all(|n| filter.contains(format!("password {n}").as_bytes())));
        let wrong = (0..1_000_000).filter(|n| filter.contains(format!("another {n}").as_bytes())).count();
        // 15 are expected; the odds of 60 are less than one in 10^16.
        assert!(wrong < 60, "{wrong} of a million");
    }

    #[test]
    fn an_empty_and_a_tiny_list_work_and_rare_ones_are_left_out() {
        assert!(!Filter::read(&built("", 1)).expect("empty").contains(b"x"));
        let one = list(["x".to_owned()].into_iter());
        assert!(Filter::read(&built(&one, 3)).expect("one").contains(b"x"));
        assert!(!Filter::read(&built(&one, 4)).expect("none").contains(b"x"));
    }

    #[test]
    fn no_damage_goes_unnoticed() {
        let file = built(&list((0..50).map(|n| n.to_string())), 1);
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert!(Filter::read(&damaged).is_err(), "byte {at}");
            assert!(Filter::read(&file[..at]).is_err(), "cut at {at}");
        }
        assert!(matches!(Filter::read(b"something else"), Err(FilterError::Foreign)));
    }
}
