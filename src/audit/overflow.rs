//! How much may wait to be written, and what is said of what finds no room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;

/// How many attempts may wait to be written; about a megabyte.
pub(super) const QUEUE: usize = 4096;

/// What is counted of the record.
#[derive(Clone, Debug, Default)]
pub struct AuditMetrics {
    /// Requests whose attempts were written, alone or counted together.
    pub written: Counter,
    /// Requests whose attempts were lost: the queue was full, or the store refused them.
    pub dropped: Counter,
}

/// How many attempts have found no room since there was room for the last time.
#[derive(Clone, Default)]
pub(super) struct Overflow(Arc<AtomicU64>);

impl Overflow {
    /// Counts one; the first is said in the log, and the others are not.
    pub(super) fn count(&self) {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("attempts are lost: more of them wait to be recorded than there is room for");
        }
    }

    /// Says how many there were, now that there is room again.
    pub(super) fn end(&self) {
        match self.0.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => tracing::warn!(lost, "there is room again for attempts that wait to be recorded"),
        }
    }
}
