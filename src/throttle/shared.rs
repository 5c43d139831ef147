//! Limits that count for all processes on a database together.
//!
//! This process's own table stands in front: what it refuses never reaches the database, and what the database refuses it
//! learns. It never refuses what the database would let in, since all that it has counted is counted there, too.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::hmac;

use super::bucket::Bucket;
use super::counted::Counted;
use super::limit::Limit;
use crate::store::{Store, StoreError, Take, Taken};
use crate::token;

/// Where the processes meet.
#[derive(Debug)]
pub(super) struct Shared {
    store: Store,
    digests: hmac::Key,
    /// As many buckets there may be.
    most: usize,
    /// Whether there were fewer when they were last counted.
    room: AtomicBool,
}

/// Tries that this process has let in, and of which the others have yet to hear.
#[derive(Debug, Default)]
#[must_use = "they are not counted for the other processes before they are settled"]
pub struct Tries(pub(super) Vec<Try>);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    pub(super) limit: Limit,
    /// Its key in this process's table.
    pub(super) own: u64,
    pub(super) take: Take,
}

impl Tries {
    /// These and then those.
    pub fn and(mut self, others: Tries) -> Tries {
        self.0.extend(others.0);
        self
    }
}

impl Shared {
    pub(super) fn new(store: Store, secret: &[u8], most: usize) -> Shared {
        let digests = token::key_for(secret, "vestibule/rates/digest");
        Shared { store, digests, most, room: AtomicBool::new(true) }
    }

    /// The try as the database may see it. Its bucket is another one when the rate is, so that processes that were
    /// configured differently do not misread each other.
    pub(super) fn take(&self, counted: &Counted<'_>, bucket: &Bucket) -> Take {
        let [interval, tolerance] = [bucket.interval, bucket.tolerance].map(|micros| micros as i64);
        let rate = format!("{interval}/{tolerance}");
        let (kind, value) = counted.subject.texts();
        let parts = [counted.limit.name(), &rate, counted.contract, &kind, &value];
        Take { digest: token::short_digest(&self.digests, &parts), interval, tolerance }
    }

    pub(super) async fn settle(&self, tries: &Tries) -> Result<Taken, StoreError> {
        let takes = tries.0.iter().map(|one| one.take).collect();
        self.store.take(takes, self.room.load(Ordering::Relaxed)).await
    }

    /// Removes what has expired, in small steps, and looks whether there is room.
    pub(super) async fn tidy(&self) -> Result<(), StoreError> {
        loop {
            let (buckets, purged) = self.store.purge_limits().await?;
            self.room.store(buckets < self.most + purged, Ordering::Relaxed);
            if purged == 0 {
                return Ok(());
            }
        }
    }
}
