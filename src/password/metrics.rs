//! What the pool counts about itself. Whoever serves metrics registers them under names.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Live numbers of one pool; clones share them. Times are in seconds.
#[derive(Clone, Debug)]
pub struct PoolMetrics {
    /// How many hashes wait now.
    pub waiting: Gauge,
    /// How many workers have a hash in hand now.
    pub working: Gauge,
    /// How long each hash that was begun had waited.
    pub wait: Histogram,
    /// How long each hash took.
    pub hash: Histogram,
    /// All that were told "busy", by `reason`: the four counters below.
    pub busy: Family<[(&'static str, &'static str); 1], Counter>,
    /// Told at once: there was no room.
    pub refused: Counter,
    /// Told while they waited: they gave way to a shorter line.
    pub pushed_out: Counter,
    /// Told at their turn: it came too late.
    pub late: Counter,
    /// Told because the system had no memory.
    pub no_memory: Counter,
    /// Left before their turn, and were not hashed for.
    pub left: Counter,
}

impl Default for PoolMetrics {
    fn default() -> PoolMetrics {
        // From 1 ms, by the square root of 2: fine enough for a deadline of two seconds and for hashes of 5 ms.
        let times = || Histogram::new(exponential_buckets(0.001, std::f64::consts::SQRT_2, 25));
        let busy = Family::default();
        let told = |reason| busy.get_or_create_owned(&[("reason", reason)]);
        PoolMetrics {
            refused: told("full"),
            pushed_out: told("pushed_out"),
            late: told("late"),
            no_memory: told("no_memory"),
            waiting: Gauge::default(),
            working: Gauge::default(),
            wait: times(),
            hash: times(),
            left: Counter::default(),
            busy,
        }
    }
}
