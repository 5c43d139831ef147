//! What a hash costs.

/// The cost of one Argon2id hash (RFC 9106, section 3.1). The default is the OWASP minimum: 19 MiB, two passes, one
/// lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// Memory `m`, in KiB.
    pub memory_kib: u32,
    /// Passes `t` over that memory.
    pub iterations: u32,
    /// Lanes `p`. They are computed one after another, in the worker's own thread: the pool keeps every core busy as
    /// it is.
    pub parallelism: u32,
}

/// Why parameters are refused. The words fit a configuration error and one about a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// Less memory than 8 KiB for each lane, no pass, or no lane.
    #[error("Argon2 needs at least one iteration, one lane and 8 KiB of memory for each lane")]
    Impossible,
    /// Above a ceiling.
    #[error(
        "Argon2 would cost too much: at most 1 GiB of memory, 64 iterations, 16 lanes, and 4 GiB memory x iterations"
    )]
    TooCostly,
    /// Below what is safe for new hashes.
    #[error("Argon2 would be too cheap: at least 19456 KiB of memory, and 38912 KiB memory x iterations")]
    TooCheap,
}

impl Params {
    const MAX_MEMORY_KIB: u32 = 1024 * 1024;
    const MAX_ITERATIONS: u32 = 64;
    const MAX_PARALLELISM: u32 = 16;
    /// Memory x iterations is what the time of a hash follows: 4 GiB take about a second.
    const MAX_WORK: u64 = 4 * 1024 * 1024;
    const MIN_MEMORY_KIB: u32 = 19_456;
    const MIN_WORK: u64 = 2 * 19_456;

    /// Whether new hashes may be made with these: within the ceilings, and at least as dear as 19 MiB and two passes
    /// (OWASP password storage cheat sheet), in memory and in memory x iterations.
    ///
    /// # Errors
    /// [`ParamsError`], the first that applies.
    pub fn check(&self) -> Result<(), ParamsError> {
        self.check_bounds()?;
        if self.memory_kib < Params::MIN_MEMORY_KIB || self.work() < Params::MIN_WORK {
            return Err(ParamsError::TooCheap);
        }
        Ok(())
    }

    /// Whether new hashes with these should take the place of those with `others`: these cost more, or the others have less than
    /// the least memory or work, and these have not.
    pub(super) fn replace(&self, others: &Params) -> bool {
        let too_cheap = |params: &Params| params.check() == Err(ParamsError::TooCheap);
        others.work() < self.work() || too_cheap(others) && !too_cheap(self)
    }

    /// Whether a hash with these can be computed at all, and without ruin: what a stored hash is held against before
    /// a byte is reserved for it.
    ///
    /// # Errors
    /// [`ParamsError::Impossible`] or [`ParamsError::TooCostly`].
    pub fn check_bounds(&self) -> Result<(), ParamsError> {
        if self.memory_kib > Params::MAX_MEMORY_KIB
            || self.iterations > Params::MAX_ITERATIONS
            || self.parallelism > Params::MAX_PARALLELISM
            || self.work() > Params::MAX_WORK
        {
            return Err(ParamsError::TooCostly);
        }
        if self.iterations == 0 || self.parallelism == 0 || self.memory_kib < 8 * self.parallelism {
            return Err(ParamsError::Impossible);
        }
        Ok(())
    }

    /// Memory x iterations: how many blocks of 1 KiB are computed.
    pub fn work(&self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.iterations)
    }

    /// 64 KiB and one pass, for tests that are about something else. [`Params::check`] refuses it, so no
    /// configuration can ask for it.
    #[doc(hidden)]
    pub fn weak_for_tests() -> Params {
        Params { memory_kib: 64, iterations: 1, parallelism: 1 }
    }
}

impl Default for Params {
    fn default() -> Params {
        Params { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dearer_or_is_enough_takes_the_place_of_the_rest() {
        let params = |(memory_kib, iterations)| Params { memory_kib, iterations, parallelism: 1 };
        let replaced = |new, old| params(new).replace(&params(old));
        assert!(replaced((19_456, 3), (19_456, 2)));
        assert!(!replaced((19_456, 2), (19_456, 2)) && !replaced((19_456, 2), (19_456, 3)));
        assert!(replaced((19_456, 2), (4_096, 10)), "dearer, but with too little memory");
        assert!(!replaced((8, 1), (4_096, 10)) && !replaced((47_104, 1), (19_456, 3)));
    }

    #[test]
    fn the_floor_and_the_ceilings_hold() {
        let check =
            |memory_kib, iterations, parallelism| Params { memory_kib, iterations, parallelism }.check();
        assert_eq!(Params::default().check(), Ok(()));
        assert_eq!(Params::weak_for_tests().check(), Err(ParamsError::TooCheap));
        for (m, t, p) in [(47_104, 1, 1), (65_536, 3, 4), (1 << 20, 4, 16), (1 << 16, 64, 1)] {
            assert_eq!(check(m, t, p), Ok(()), "{m} {t} {p}");
        }
        for (m, t, p) in [(19_456, 1, 1), (19_455, 3, 1), (8, 64, 1)] {
            assert_eq!(check(m, t, p), Err(ParamsError::TooCheap), "{m} {t} {p}");
        }
        for (m, t, p) in [
            ((1 << 20) + 1, 1, 1),
            (8, 65, 1),
            (1 << 20, 5, 1),
            (19_456, 2, 17),
            (u32::MAX, u32::MAX, u32::MAX),
        ] {
            assert_eq!(check(m, t, p), Err(ParamsError::TooCostly), "{m} {t} {p}");
        }
        for (m, t, p) in [(0, 1, 1), (7, 1, 1), (15, 1, 2), (19_456, 0, 1), (19_456, 2, 0)] {
            assert_eq!(check(m, t, p), Err(ParamsError::Impossible), "{m} {t} {p}");
        }
    }
}
