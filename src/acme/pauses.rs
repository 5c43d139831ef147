//! How long to wait after a failure.

use std::time::Duration;

use super::failure::AcmeFailure;

/// An authority that cannot be reached may be back in a moment.
const UNREACHABLE: Duration = Duration::from_secs(2);
/// One that refuses counts the tries: Let's Encrypt allows five failures an hour for a name.
const REFUSED: Duration = Duration::from_secs(900);
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// The pauses after failures in a row.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    failures: u32,
}

impl Pauses {
    /// The pause after one more: twice as long as the last one, up to six hours, and up to a quarter longer by `spread`,
    /// which is from 0 to 1.
    pub(super) fn after(&mut self, failure: &AcmeFailure, spread: f64) -> Duration {
        let first = match failure {
            AcmeFailure::Unreachable(_) | AcmeFailure::Slow => UNREACHABLE,
            _ => REFUSED,
        };
        let doubled = first.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        doubled + doubled.mul_f64(spread.clamp(0.0, 1.0) / 4.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_refusals_keep_within_what_is_allowed() {
        let seconds = |failure: fn() -> AcmeFailure, spread: f64| {
            let mut pauses = Pauses::default();
            (0..40).map(|_| pauses.after(&failure(), spread).as_secs()).collect::<Vec<_>>()
        };
        let slow = seconds(|| AcmeFailure::Slow, 0.0);
        assert_eq!(slow[..4], [2, 4, 8, 16]);
        let refused = seconds(|| AcmeFailure::Refused(String::new()), 0.0);
        assert_eq!(refused[..4], [900, 1800, 3600, 7200]);
        assert_eq!((slow[39], refused[39]), (21_600, 21_600));
        assert_eq!(seconds(|| AcmeFailure::Slow, 1.0)[2], 10);
    }
}
