//! From the published lists to a filter, shard by shard: memory for one of 256 is all that it takes.

use super::{MAGIC, SHARDS, VERSION, key};
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use xorf::BinaryFuse16;

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// As many passwords as it holds.
    pub passwords: u64,
    /// Its size.
    pub bytes: u64,
    /// As many shards, of 256, an earlier build had finished.
    pub resumed: usize,
}

/// How far a build has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Passwords that were seen less often are left out.
    pub(super) least: u64,
    /// The shards that are finished, of 256.
    pub(super) shards: usize,
    /// As many bytes were written.
    pub(super) bytes: u64,
    /// Their SHA-256.
    pub(super) output: Vec<u8>,
    /// The SHA-256 of the keys that they were made of.
    pub(super) keys: Vec<u8>,
}

/// What became of a shard.
pub(super) enum Step<'c> {
    /// It was finished earlier, of the same keys; so many are read now.
    Compared(usize),
    /// It was written.
    Written(&'c Checkpoint),
}

/// What an earlier build has finished, and the checksum that goes on from there.
pub(super) struct Finished {
    pub(super) checkpoint: Checkpoint,
    pub(super) sum: Context,
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
    /// What an earlier build has left cannot be continued.
    #[error("{0} {reason}; remove it and {0}.state to begin anew", path.display())]
    Partial {
        /// What it has left.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// Another build of the same filter is under way.
    #[error("another build writes {}", path.display())]
    UnderWay {
        /// What it writes.
        path: PathBuf,
    },
    /// An earlier build was made of other lists.
    #[error(
        "the lists are not those that were begun with; remove the .partial and .partial.state beside the filter to begin anew"
    )]
    OtherLists,
    /// The filter's algorithm gave up; another try will not help.
    #[error("the filter cannot be made: {0}")]
    Filter(&'static str),
}

const EXAMPLE: &str = "000000005AD76BD555C1D6D771DE417A4B87E4B4:10";

/// Reads lists that are sorted by hash, each with what its hashes begin with (nothing, or the five digits of a range file),
/// and writes a filter of all passwords that were seen at least `least` times.
///
/// # Errors
/// See [`BuildError`]; what was written so far is of no use then.
#[cfg(test)]
pub(super) fn build<R: BufRead>(
    lists: impl Iterator<Item = io::Result<(String, R)>>,
    out: impl Write,
    least: u64,
) -> Result<Built, BuildError> {
    build_from(lists, out, least, None, |_, _| Ok(()))
}

/// The same behind what is `finished`, which `out` follows. `keep` is told after each shard how far it has come.
pub(super) fn build_from<R: BufRead, W: Write>(
    lists: impl Iterator<Item = io::Result<(String, R)>>,
    out: W,
    least: u64,
    finished: Option<Finished>,
    keep: impl FnMut(&mut W, Step<'_>) -> io::Result<()>,
) -> Result<Built, BuildError> {
    let mut shards = Shards::new(out, least, finished, keep)?;
    let (mut last, mut line) = (0, 0);
    for list in lists {
        let (prefix, mut list) = list?;
        let mut text = Vec::new();
        while list.read_until(b'\n', &mut text)? > 0 {
            line += 1;
            let (key, count) = parse(&prefix, text.trim_ascii_end()).ok_or(BuildError::Line { line })?;
            text.clear();
            if key < last {
                return Err(BuildError::Order { line });
            }
            while shards.done < (key >> 56) as usize {
                shards.end()?;
            }
            // Two hashes that share their first half are one key.
            if count >= least && shards.keys.last() != Some(&key) {
                shards.keys.push(key);
            }
            last = key;
        }
    }
    while shards.done < SHARDS {
        shards.end()?;
    }
    shards.finish()
}

/// The shards one after the other: those that are finished are compared, the others written.
struct Shards<W, K> {
    out: Summed<W>,
    /// Of the shard that is being read.
    keys: Vec<u64>,
    /// Of all keys of the shards before.
    sum: Context,
    done: usize,
    passwords: u64,
    least: u64,
    earlier: Option<Checkpoint>,
    keep: K,
}

impl<W: Write, K: FnMut(&mut W, Step<'_>) -> io::Result<()>> Shards<W, K> {
    fn new(out: W, least: u64, finished: Option<Finished>, keep: K) -> io::Result<Self> {
        let fresh = finished.is_none();
        let (sum, earlier) = match finished {
            Some(finished) => (finished.sum, Some(finished.checkpoint)),
            None => (Context::new(&SHA256), None),
        };
        let bytes = earlier.as_ref().map_or(0, |checkpoint| checkpoint.bytes);
        let mut out = Summed { out, sum, bytes };
        if fresh {
            out.write(MAGIC)?;
            out.write(&VERSION.to_le_bytes())?;
        }
        let (keys, sum) = (Vec::new(), Context::new(&SHA256));
        Ok(Shards { out, keys, sum, done: 0, passwords: 0, least, earlier, keep })
    }

    fn resumed(&self) -> usize {
        self.earlier.as_ref().map_or(0, |checkpoint| checkpoint.shards)
    }

    /// Ends the shard whose keys were read.
    fn end(&mut self) -> Result<(), BuildError> {
        self.passwords += self.keys.len() as u64;
        let bytes: Vec<u8> = self.keys.iter().flat_map(|key| key.to_le_bytes()).collect();
        self.sum.update(&bytes);
        self.done += 1;
        if self.done <= self.resumed() {
            self.keys.clear();
            let sum = || self.sum.clone().finish();
            let same =
                |checkpoint: &Checkpoint| self.done < checkpoint.shards || sum().as_ref() == checkpoint.keys;
            if !self.earlier.as_ref().is_some_and(same) {
                return Err(BuildError::OtherLists);
            }
            return (self.keep)(&mut self.out.out, Step::Compared(self.done)).map_err(BuildError::Io);
        }
        self.out.shard(&mut self.keys)?;
        let checkpoint = Checkpoint {
            least: self.least,
            shards: self.done,
            bytes: self.out.bytes,
            output: self.out.sum.clone().finish().as_ref().to_vec(),
            keys: self.sum.clone().finish().as_ref().to_vec(),
        };
        (self.keep)(&mut self.out.out, Step::Written(&checkpoint)).map_err(BuildError::Io)
    }

    fn finish(mut self) -> Result<Built, BuildError> {
        self.out.write(&self.passwords.to_le_bytes())?;
        let sum = self.out.sum.clone().finish();
        self.out.write(sum.as_ref())?;
        self.out.out.flush()?;
        Ok(Built { passwords: self.passwords, bytes: self.out.bytes, resumed: self.resumed() })
    }
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
    fn shard(&mut self, keys: &mut Vec<u64>) -> Result<(), BuildError> {
        if keys.is_empty() {
            self.write(&[0; 20])?;
            return Ok(());
        }
        let filter = BinaryFuse16::try_from(&*keys).map_err(BuildError::Filter)?;
        keys.clear();
        self.write(&filter.descriptor.seed.to_le_bytes())?;
        self.write(&filter.descriptor.segment_length.to_le_bytes())?;
        self.write(&filter.descriptor.segment_count_length.to_le_bytes())?;
        self.write(&(filter.fingerprints.len() as u32).to_le_bytes())?;
        let prints: Vec<u8> = filter.fingerprints.iter().flat_map(|print| print.to_le_bytes()).collect();
        self.write(&prints)?;
        Ok(())
    }
}
