//! The frames of one HTTP/2 connection (RFC 9113, section 4.1), counted as they come in.
//!
//! h2 bounds what frames make it remember, but it would go on answering pings and settings for ever. This counts the
//! frames that cost work and carry no request: each uses up an allowance, which time and answered requests fill up
//! again. A client that only makes work has soon used it up; one that is served never does.

use std::time::Instant;

/// The allowance of a connection: how much it is at first and at the most.
const FULL: f64 = 1000.0;
/// How much of it comes back in a second.
const PER_SECOND: f64 = 20.0;
/// How much comes back with an answered request, whose client may have widened windows and reordered priorities.
const PER_ANSWER: f64 = 5.0;

/// The client's first bytes (RFC 9113, section 3.4), before its first frame.
const PREFACE: usize = 24;
const HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// The client has sent more frames to no purpose than anybody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many frames that carry no request")]
pub(super) struct Flood;

/// The place in the stream, and what is left of the allowance.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes to go until the next header: of the preface, or of a payload.
    skip: usize,
    header: [u8; HEADER],
    filled: usize,
    allowance: f64,
    since: Instant,
    answered: u64,
}

impl Frames {
    pub(super) fn new(now: Instant) -> Frames {
        Frames { skip: PREFACE, header: [0; HEADER], filled: 0, allowance: FULL, since: now, answered: 0 }
    }

    /// Follows `bytes`, the next ones of the stream. `answered` is how many requests were answered so far.
    ///
    /// # Errors
    /// [`Flood`] when the allowance is used up; the connection should end.
    pub(super) fn feed(&mut self, mut bytes: &[u8], answered: u64, now: Instant) -> Result<(), Flood> {
        let earned = now.saturating_duration_since(self.since).as_secs_f64() * PER_SECOND
            + (answered - self.answered) as f64 * PER_ANSWER;
        self.allowance = (self.allowance + earned).min(FULL);
        (self.since, self.answered) = (now, answered);
        while !bytes.is_empty() {
            let step = self.skip.min(bytes.len());
            self.skip -= step;
            bytes = &bytes[step..];
            let step = (HEADER - self.filled).min(bytes.len());
            if self.skip > 0 || step == 0 {
                continue;
            }
            self.header[self.filled..self.filled + step].copy_from_slice(&bytes[..step]);
            self.filled += step;
            bytes = &bytes[step..];
            if self.filled == HEADER {
                self.frame()?;
            }
        }
        Ok(())
    }

    fn frame(&mut self) -> Result<(), Flood> {
        let [high, middle, low, kind, flags, ..] = self.header;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        (self.skip, self.filled) = (length, 0);
        let useful = match kind {
            HEADERS => true,
            DATA => length > 0 || flags & END_STREAM != 0,
            _ => false,
        };
        if !useful {
            self.allowance -= 1.0;
        }
        if self.allowance < 0.0 { Err(Flood) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        [&[0, 0, length, kind, flags, 0, 0, 0, 1][..], &vec![0xff; usize::from(length)]].concat()
    }

    /// How many frames are taken, fed in pieces of this size.
    fn taken(frame: &[u8], piece: usize, answered_each: u64, pause: Duration) -> u64 {
        let mut now = Instant::now();
        let mut frames = Frames::new(now);
        frames.feed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, now).expect("the preface");
        for number in 0..3000 {
            now += pause;
            for piece in frame.chunks(piece) {
                if frames.feed(piece, number * answered_each, now).is_err() {
                    return number;
                }
            }
        }
        3000
    }

    #[test]
    fn frames_without_purpose_use_up_the_allowance() {
        const PING: u8 = 6;
        for piece in [1, 4, 9, 100] {
            for kind in [2, 3, 4, PING, 8, 9, 200] {
                assert_eq!(taken(&frame(kind, 0, 8), piece, 0, Duration::ZERO), 1000, "{kind}");
            }
            assert_eq!(taken(&frame(DATA, 0, 0), piece, 0, Duration::ZERO), 1000, "empty data");
            assert_eq!(taken(&frame(DATA, 0, 9), piece, 0, Duration::ZERO), 3000);
            assert_eq!(taken(&frame(DATA, END_STREAM, 0), piece, 0, Duration::ZERO), 3000);
            assert_eq!(taken(&frame(HEADERS, 0, 9), piece, 0, Duration::ZERO), 3000);
            assert_eq!(taken(&frame(PING, 0, 8), piece, 1, Duration::ZERO), 3000, "answered");
            assert_eq!(taken(&frame(PING, 0, 8), piece, 0, Duration::from_millis(50)), 3000, "at leisure");
        }
    }
}
