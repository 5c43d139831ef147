//! From the published lists to a filter, shard by shard: memory for one of 256 is all that it takes.

use super::{MAGIC, SHARDS, VERSION, key};
use aws_lc_rs::digest::{Context, SHA256};
use std::io::{self, BufRead, Write};
use xorf::BinaryFuse16;

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// As many passwords as it holds.
    pub passwords: u64,
    /// Its size.
    pub bytes: u64,
}

/// Why no filter was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Reading or writing.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line that is no hash with a count.
    #[error("line {line} is not a SHA-1 and a count, such as \"{example}\"", example = EXAMPLE)]
    Line {
        /// Counted from 1, over all lists.
        line: u64,
    },
    /// The list is in another order.
    #[error("line {line} is smaller than the one before; use the list that is ordered by hash")]
    Order {
        /// Counted from 1, over all lists.
        line: u64,
    },
    /// The filter's algorithm gave up; another try will not help.
    #[error("the filter cannot be made: {0}")]
    Filter(&'static str),
}

const EXAMPLE: &str = "000000005AD76BD555C1D6D771DE417A4B87E4B4:10";

/// Reads lists that are sorted by hash, each with what its hashes begin with (nothing, or the five digits of a range file),
/// and writes a filter of all passwords that were seen at least `least` times. `progress` is told the shards that are done,
/// of 256.
///
/// # Errors
/// See [`BuildError`]; what was written so far is of no use then.
pub fn build<R: BufRead>(
    lists: impl Iterator<Item = (String, R)>,
    out: impl Write,
    least: u64,
    mut progress: impl FnMut(usize),
) -> Result<Built, BuildError> {
    let mut out = Summed { out, sum: Context::new(&SHA256), bytes: 0 };
    out.write(MAGIC)?;
    out.write(&VERSION.to_le_bytes())?;
    let (mut keys, mut shard, mut last, mut passwords, mut line) = (Vec::new(), 0, 0, 0, 0);
    for (prefix, mut list) in lists {
        let mut text = Vec::new();
        while list.read_until(b'\n', &mut text)? > 0 {
            line += 1;
            let (key, count) = parse(&prefix, text.trim_ascii_end()).ok_or(BuildError::Line { line })?;
            text.clear();
            if key < last {
                return Err(BuildError::Order { line });
            }
            while shard < (key >> 56) as usize {
                passwords += out.shard(&mut keys)?;
                shard += 1;
                progress(shard);
            }
            // Two hashes that share their first half are one key.
            if count >= least && keys.last() != Some(&key) {
                keys.push(key);
            }
            last = key;
        }
    }
    while shard < SHARDS {
        passwords += out.shard(&mut keys)?;
        shard += 1;
        progress(shard);
    }
    out.write(&passwords.to_le_bytes())?;
    let sum = out.sum.clone().finish();
    out.write(sum.as_ref())?;
    out.out.flush()?;
    Ok(Built { passwords, bytes: out.bytes })
}

fn parse(prefix: &str, line: &[u8]) -> Option<(u64, u64)> {
    let (hash, count) = std::str::from_utf8(line).ok()?.split_once(':')?;
    let mut sha1 = [0; 20];
    if prefix.len() + hash.len() != 2 * sha1.len() {
        return None;
    }
    let mut digits = prefix.chars().chain(hash.chars()).map(|digit| digit.to_digit(16));
    for byte in &mut sha1 {
        *byte = (digits.next()?? * 16 + digits.next()??) as u8;
    }
    Some((key(&sha1)?, count.parse().ok()?))
}

/// A writer that keeps the checksum of what goes through it.
struct Summed<W> {
    out: W,
    sum: Context,
    bytes: u64,
}

impl<W: Write> Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Writes the filter of these keys, and forgets them.
    fn shard(&mut self, keys: &mut Vec<u64>) -> Result<u64, BuildError> {
        let count = keys.len() as u64;
        if keys.is_empty() {
            self.write(&[0; 20])?;
            return Ok(0);
        }
        let filter = BinaryFuse16::try_from(&*keys).map_err(BuildError::Filter)?;
        keys.clear();
        self.write(&filter.descriptor.seed.to_le_bytes())?;
        self.write(&filter.descriptor.segment_length.to_le_bytes())?;
        self.write(&filter.descriptor.segment_count_length.to_le_bytes())?;
        self.write(&(filter.fingerprints.len() as u32).to_le_bytes())?;
        let prints: Vec<u8> = filter.fingerprints.iter().flat_map(|print| print.to_le_bytes()).collect();
        self.write(&prints)?;
        Ok(count)
    }
}
