//! How fast this machine hashes, for those who choose the cost.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::{Engine, Hasher, HasherError, Input, Params};

/// What some workers achieved together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Hashes in a second, by all workers.
    pub per_second: f64,
    /// What one of them took, on average and while the others worked.
    pub each: Duration,
}

/// Hashes with `workers` threads for about `time`, and for at least one hash each. Every thread works once in its
/// memory before the clock runs, as those of a server have.
///
/// # Errors
/// [`HasherError`], such as too little memory.
///
/// # Panics
/// When the system refuses a thread.
pub fn measure(engine: Engine, params: Params, workers: usize, time: Duration) -> Result<Rate, HasherError> {
    let workers = workers.max(1);
    let start = Barrier::new(workers);
    let work = || -> Result<(u32, Duration), HasherError> {
        let warm = ready(engine, params);
        start.wait();
        let mut hasher = warm?;
        let (begun, mut done) = (Instant::now(), 0);
        loop {
            derive(&mut hasher, params)?;
            done += 1;
            let passed = begun.elapsed();
            if passed >= time {
                return Ok((done, passed));
            }
        }
    };
    let results: Result<Vec<(u32, Duration)>, HasherError> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("hashing does not panic")).collect()
    });
    let results = results?;
    let per_second = results.iter().map(|(done, passed)| f64::from(*done) / passed.as_secs_f64()).sum();
    let passed: Duration = results.iter().map(|(_, passed)| passed).sum();
    let done: u32 = results.iter().map(|(done, _)| done).sum();
    Ok(Rate { per_second, each: passed / done })
}

fn ready(engine: Engine, params: Params) -> Result<Hasher, HasherError> {
    let mut hasher = Hasher::new(engine, params)?;
    hasher.reserve()?;
    derive(&mut hasher, Params { iterations: 1, ..params })?;
    Ok(hasher)
}

fn derive(hasher: &mut Hasher, params: Params) -> Result<(), HasherError> {
    let input =
        Input { password: b"correct horse battery", salt: b"0123456789abcdef", secret: b"", data: b"" };
    hasher.derive(params, input, &mut [0; 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_all_workers() {
        let rate =
            measure(Engine::Fast, Params::weak_for_tests(), 2, Duration::ZERO).expect("it needs 128 KiB");
        assert!(rate.per_second > 0.0 && rate.each > Duration::ZERO);
        let impossible = Params { memory_kib: 1, iterations: 1, parallelism: 1 };
        assert_eq!(measure(Engine::Fast, impossible, 2, Duration::ZERO), Err(HasherError::Input));
    }
}
