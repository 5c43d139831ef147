//! What is measured, and what follows from it. Measuring itself is passed in.

use std::time::Duration;

use crate::password::{Engine, HasherError, Params, Rate};

/// What the operator wants, and what there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// The longest that a hash may take while all workers are busy.
    pub(super) latency: Duration,
    /// For the memory of all workers, in bytes.
    pub(super) memory: u64,
    /// Processor cores.
    pub(super) cores: usize,
    /// How long everything may take, about.
    pub(super) time: Duration,
}

/// One combination to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) engine: Engine,
    pub(super) params: Params,
    pub(super) workers: usize,
}

/// A measured one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) point: Point,
    pub(super) rate: Rate,
}

/// Everything that was found out.
#[derive(Clone, Debug)]
pub(super) struct Study {
    /// Both engines with one worker, and with more and more.
    pub(super) engines: Vec<Measured>,
    /// More and more memory with all workers.
    pub(super) costs: Vec<Measured>,
    /// What to configure.
    pub(super) proposal: Measured,
}

/// Measures a point for about so long.
pub(super) type Measure<'m> = dyn FnMut(Point, Duration) -> Result<Rate, HasherError> + 'm;

const MEBIBYTE_KIB: u32 = 1024;
/// More memory than that per hash serves no server.
const MOST_KIB: u32 = 1024 * MEBIBYTE_KIB;
/// Two passes at least: one is enough for Argon2id only with more memory, and then says less for the same time.
const PASSES: u32 = 2;

impl Point {
    /// The memory that it takes, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.workers as u64 * u64::from(self.params.memory_kib) * 1024
    }
}

impl Wish {
    /// Measures, and proposes the most memory and then the most passes that the wish allows (RFC 9106, section 4),
    /// never less than the default.
    pub(super) fn study(&self, measure: &mut Measure<'_>) -> Result<Study, HasherError> {
        let slot = self.time / self.slots();
        let mut measured = |point: Point| measure(point, slot).map(|rate| Measured { point, rate });
        let floor = Params::default();
        let mut engines = Vec::new();
        for workers in self.worker_counts() {
            engines.push(measured(Point { engine: Engine::Fast, params: floor, workers })?);
        }
        for workers in [1, self.cores] {
            let point = Point { engine: Engine::Portable, params: floor, workers };
            if engines.iter().all(|known| known.point != point) {
                engines.push(measured(point)?);
            }
        }
        let workers = self.workers(&engines);
        let mut costs: Vec<Measured> = Vec::new();
        for memory_kib in self.memories(workers) {
            let params = Params { memory_kib, iterations: PASSES, parallelism: 1 };
            // A hash takes at least in proportion, so nothing larger can be quick enough either.
            if costs.last().is_some_and(|last| scaled(last, params) > self.latency) {
                break;
            }
            costs.push(measured(Point { engine: Engine::Fast, params, workers })?);
        }
        let proposal = self.propose(&costs, &mut measured)?;
        Ok(Study { engines, costs, proposal })
    }

    fn propose(
        &self,
        costs: &[Measured],
        measured: &mut dyn FnMut(Point) -> Result<Measured, HasherError>,
    ) -> Result<Measured, HasherError> {
        let quick = costs.iter().rev().find(|cost| cost.rate.each <= self.latency);
        // The default is the floor, however slow this machine is.
        let Some(best) = quick else { return Ok(costs[0]) };
        let pass = best.rate.each.as_secs_f64() / f64::from(PASSES);
        let mut params = best.point.params;
        params.iterations = ((self.latency.as_secs_f64() / pass) as u32).max(PASSES);
        while params.check().is_err() && params.iterations > PASSES {
            params.iterations -= 1;
        }
        loop {
            if params.iterations == PASSES {
                return Ok(*best);
            }
            let tried = measured(Point { params, ..best.point })?;
            if tried.rate.each <= self.latency {
                return Ok(tried);
            }
            // A tenth at a time, so that a noisy machine does not take all day.
            params.iterations -= (params.iterations / 10).max(1);
        }
    }

    /// 1, 2, 4 ... and all cores.
    fn worker_counts(&self) -> Vec<usize> {
        let doubling = std::iter::successors(Some(1), |n| Some(n * 2)).take_while(|n| *n < self.cores);
        doubling.chain([self.cores]).collect()
    }

    /// The fewest workers within 2 % of the best rate, as far as the memory goes.
    fn workers(&self, engines: &[Measured]) -> usize {
        let fast = || engines.iter().filter(|m| m.point.engine == Engine::Fast);
        let best = fast().map(|m| m.rate.per_second).fold(0.0, f64::max);
        let enough = fast().filter(|m| m.rate.per_second >= best * 0.98).map(|m| m.point.workers).min();
        let each = u64::from(Params::default().memory_kib) * 1024;
        let room = usize::try_from(self.memory / each).unwrap_or(usize::MAX);
        enough.unwrap_or(self.cores).min(room).max(1)
    }

    /// The default's memory, then 32 MiB, 64 MiB ... as far as the memory goes.
    fn memories(&self, workers: usize) -> Vec<u32> {
        let each = u32::try_from(self.memory / 1024 / workers as u64).unwrap_or(u32::MAX).min(MOST_KIB);
        let doubling = std::iter::successors(Some(32 * MEBIBYTE_KIB), |kib| kib.checked_mul(2));
        [Params::default().memory_kib].into_iter().chain(doubling.take_while(|kib| *kib <= each)).collect()
    }

    /// How many measurements share the time. Each takes a little longer than its slot, for the warming up.
    fn slots(&self) -> u32 {
        let proposal = 2;
        let count = self.worker_counts().len() + 2 + self.memories(self.cores).len() + proposal;
        (count as f64 * 1.3).ceil() as u32
    }
}

/// What a hash with other parameters takes at least.
fn scaled(known: &Measured, params: Params) -> Duration {
    known.rate.each.mul_f64(params.work() as f64 / known.point.params.work() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose cores take `nanoseconds` for each KiB and pass, and 2.5 times that with the portable engine.
    fn machine(nanoseconds: f64) -> impl FnMut(Point, Duration) -> Result<Rate, HasherError> {
        move |point, _| {
            let slower = if point.engine == Engine::Portable { 2.5 } else { 1.0 };
            let each = Duration::from_secs_f64(point.params.work() as f64 * nanoseconds * slower / 1e9);
            Ok(Rate { per_second: point.workers as f64 / each.as_secs_f64(), each })
        }
    }

    fn wish(milliseconds: u64, mebibytes: u64) -> Wish {
        let latency = Duration::from_millis(milliseconds);
        Wish { latency, memory: mebibytes << 20, cores: 4, time: Duration::from_secs(10) }
    }

    fn proposed(wish: Wish, nanoseconds: f64) -> (u32, u32, usize) {
        let Point { params, workers, .. } = wish.study(&mut machine(nanoseconds)).unwrap().proposal.point;
        assert_eq!(params.check(), Ok(()), "{params:?}");
        (params.memory_kib, params.iterations, workers)
    }

    #[test]
    fn memory_comes_first_and_passes_fill_the_time() {
        // 128 MiB for each worker; a pass over them takes 26.2 ms.
        assert_eq!(proposed(wish(250, 512), 200.0), (131_072, 9, 4));
        // Not enough time for 64 MiB.
        assert_eq!(proposed(wish(20, 512), 200.0), (32_768, 3, 4));
    }

    #[test]
    fn nothing_is_ever_proposed_below_the_default() {
        assert_eq!(proposed(wish(1, 512), 200.0), (19_456, 2, 4));
        assert_eq!(proposed(wish(1, 1), 200.0), (19_456, 2, 1));
        assert_eq!(proposed(wish(250, 40), 200.0), (19_456, 64, 2), "and never above the ceilings");
    }

    #[test]
    fn a_target_that_noise_missed_is_reached_with_fewer_passes() {
        let mut calm = machine(200.0);
        let mut noisy = |point: Point, time| {
            let rate = calm(point, time)?;
            let slower = if point.params.iterations > PASSES { 1.2 } else { 1.0 };
            Ok(Rate { per_second: rate.per_second / slower, each: rate.each.mul_f64(slower) })
        };
        let study = wish(250, 512).study(&mut noisy).unwrap();
        assert!(study.proposal.rate.each <= Duration::from_millis(250));
        assert_eq!(study.proposal.point.params.iterations, 7);
    }

    #[test]
    fn engines_and_workers_are_compared() {
        let study = wish(250, 512).study(&mut machine(200.0)).unwrap();
        let engines: Vec<(Engine, usize)> =
            study.engines.iter().map(|m| (m.point.engine, m.point.workers)).collect();
        let (fast, portable) = (Engine::Fast, Engine::Portable);
        assert_eq!(engines, [(fast, 1), (fast, 2), (fast, 4), (portable, 1), (portable, 4)]);
        let costs: Vec<u32> = study.costs.iter().map(|m| m.point.params.memory_kib).collect();
        assert_eq!(costs, [19_456, 32_768, 65_536, 131_072]);
    }
}
