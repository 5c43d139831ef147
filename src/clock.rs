//! The two things that differ from run to run: what time it is, and what the dice say. They are handed to whoever
//! needs them, so that a test, a golden file or a contract's dry run sees the same ones every time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use jiff::Timestamp;

/// A source of wall-clock time and of random bytes. Cheap to clone; clones of a fixed clock share one stream of
/// bytes, so no two draws of one test are alike.
#[derive(Clone)]
pub struct Clock {
    source: Source,
}

#[derive(Clone)]
enum Source {
    System { started: Instant },
    Fixed { at: Timestamp, stream: Arc<Mutex<Stream>> },
}

impl Clock {
    /// The operating system's wall clock and its random generator.
    pub fn system() -> Clock {
        Clock { source: Source::System { started: Instant::now() } }
    }

    /// A clock that stands still at `at` (cut to whole milliseconds) and whose bytes follow from `seed` alone. For
    /// tests, goldens and dry runs: the bytes are predictable by design and must never guard anything.
    pub fn fixed(at: Timestamp, seed: u64) -> Clock {
        let stream = Stream { seed, block: 0, bytes: Vec::new() };
        Clock { source: Source::Fixed { at: whole_milliseconds(at), stream: Arc::new(Mutex::new(stream)) } }
    }

    /// The present time in whole milliseconds. Finer digits are cut here, once, so that the time in an answer is
    /// the time in the database, whatever precision that database keeps.
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::System { .. } => whole_milliseconds(system_now()),
            Source::Fixed { at, .. } => *at,
        }
    }

    /// How long it has been since this clock was made, by one that nobody sets: what is counted over a time must not
    /// run backwards when the wall clock does.
    pub fn uptime(&self) -> Duration {
        match &self.source {
            Source::System { started } => started.elapsed(),
            Source::Fixed { .. } => Duration::ZERO,
        }
    }

    /// Overwrites `bytes` with random ones.
    ///
    /// # Panics
    /// When the operating system has no randomness to give. Going on with predictable salts and tokens would be
    /// worse than stopping.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.source {
            Source::System { .. } => system_fill(bytes),
            Source::Fixed { stream, .. } => {
                stream.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
            }
        }
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// As [`Clock::fill`].
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Twice `N` random bytes, drawn in one go.
    ///
    /// # Panics
    /// As [`Clock::fill`].
    pub fn random_pair<const N: usize>(&self) -> [[u8; N]; 2] {
        let mut pair = [[0; N]; 2];
        self.fill(pair.as_flattened_mut());
        pair
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::System { .. } => f.write_str("Clock(system)"),
            Source::Fixed { at, .. } => write!(f, "Clock(fixed at {at})"),
        }
    }
}

/// SHA-256 in counter mode over the seed: the same on every platform and in every version, which goldens rely on.
struct Stream {
    seed: u64,
    block: u64,
    bytes: Vec<u8>,
}

impl Stream {
    fn fill(&mut self, out: &mut [u8]) {
        while self.bytes.len() < out.len() {
            let mut input = [0; 16];
            input[..8].copy_from_slice(&self.seed.to_be_bytes());
            input[8..].copy_from_slice(&self.block.to_be_bytes());
            self.bytes.extend_from_slice(digest::digest(&digest::SHA256, &input).as_ref());
            self.block += 1;
        }
        let rest = self.bytes.split_off(out.len());
        out.copy_from_slice(&self.bytes);
        self.bytes = rest;
    }
}

fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond())
        .expect("a timestamp without its fraction is still in range")
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn system_now() -> Timestamp {
    Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
fn system_fill(bytes: &mut [u8]) {
    // Not aws-lc's generator: it gathers jitter for a tenth of a second before it gives its first byte.
    getrandom::fill(bytes).expect("the operating system must provide randomness");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_in_whole_milliseconds() {
        let at: Timestamp = "2026-01-02T03:04:05.678901234Z".parse().unwrap();
        assert_eq!(Clock::fixed(at, 1).now().to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!(Clock::system().now().subsec_nanosecond() % 1_000_000, 0);
    }

    #[test]
    fn a_fixed_clock_repeats_itself_and_its_clones_share_one_stream() {
        let (one, two) = (Clock::fixed(Timestamp::UNIX_EPOCH, 7), Clock::fixed(Timestamp::UNIX_EPOCH, 7));
        let mut whole = [0; 70];
        one.fill(&mut whole);
        let first: [u8; 33] = two.random();
        let second: [u8; 37] = two.clone().random();
        assert_eq!(whole[..], [&first[..], &second[..]].concat());
        assert_ne!(Clock::fixed(Timestamp::UNIX_EPOCH, 8).random::<16>(), whole[..16]);
    }

    #[test]
    fn the_system_does_not_repeat_itself() {
        assert_ne!(Clock::system().random::<32>(), Clock::system().random::<32>());
    }
}
