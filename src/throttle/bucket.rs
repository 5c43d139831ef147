//! The arithmetic of one bucket: the generic cell rate algorithm (ITU-T I.371), which keeps one number for each.

use crate::config::Rate;

/// A moment or a length of time, in microseconds.
pub type Micros = u64;

/// What a try is held against.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// From one try to the next at the steady rate; never zero.
    pub(super) interval: Micros,
    /// How far ahead of the steady rate the tries may be.
    pub(super) tolerance: Micros,
}

impl Bucket {
    /// The bucket of a rate.
    pub fn new(rate: Rate) -> Bucket {
        // A rate has at most a million tries in a second, so no interval is zero.
        let interval = (rate.per.as_micros() as Micros / Micros::from(rate.count)).max(1);
        Bucket { interval, tolerance: interval * Micros::from(rate.burst - 1) }
    }

    /// One try at `now`, when the tries so far fill the time up to `end`: up to when they fill it with this one.
    ///
    /// # Errors
    /// After how long a try would be let in.
    pub fn take(&self, end: Micros, now: Micros) -> Result<Micros, Micros> {
        let end = end.max(now);
        match (end - now).checked_sub(self.tolerance) {
            None | Some(0) => Ok(end + self.interval),
            Some(wait) => Err(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn bucket(count: u32, seconds: u64, burst: u32) -> Bucket {
        Bucket::new(Rate { count, per: Duration::from_secs(seconds), burst })
    }

    #[test]
    fn the_burst_is_let_in_and_then_the_rate() {
        let bucket = bucket(120, 3600, 30);
        let (mut end, mut now) = (0, 1);
        for _ in 0..30 {
            end = bucket.take(end, now).expect("a burst of thirty");
        }
        assert_eq!(bucket.take(end, now), Err(30_000_000));
        now += 30_000_000 - 1;
        assert_eq!(bucket.take(end, now), Err(1));
        end = bucket.take(end, now + 1).expect("the time has come");
        assert!(bucket.take(end, now + 1).is_err());
    }

    proptest! {
        /// In no stretch of time more than burst + rate x time.
        #[test]
        fn never_more_than_is_allowed(pauses in prop::collection::vec(0..200_000u64, 1..200), burst in 1..20u32) {
            let bucket = bucket(10, 1, burst);
            let (mut now, mut end, mut let_in) = (0, 0, Vec::new());
            for pause in pauses {
                now += pause;
                if let Ok(next) = bucket.take(end, now) {
                    (end, _) = (next, let_in.push(now));
                }
            }
            for (i, from) in let_in.iter().enumerate() {
                for (n, to) in let_in[i..].iter().enumerate() {
                    prop_assert!(n as u64 <= u64::from(burst - 1) + (to - from) / 100_000);
                }
            }
        }
    }
}
