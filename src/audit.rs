//! The record of attempts: who wanted what, when, and what came of it; never a secret, and nothing that a client wrote.
//!
//! It is written behind the answer: a request leaves its [`Attempt`] in a bounded queue and goes on, and a task of its own
//! writes what has gathered. So neither a slow database nor a flood of refusals holds a sign-up back; what finds no room
//! in the queue is counted and lost. (An account's own event is part of its transaction, and is not lost.)

mod ledger;
mod overflow;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config;
use crate::store::{Attempt, Claimed, NameDigest, Store};
use crate::token;
use crate::user::{Email, Username};
use ledger::Ledger;
pub use overflow::AuditMetrics;
use overflow::{Overflow, QUEUE};
use writer::Writer;

/// Where attempts go.
#[derive(Clone)]
pub struct Audit {
    digests: Arc<hmac::Key>,
    metrics: AuditMetrics,
    /// `None` where they are not stored.
    recorder: Option<Recorder>,
}

#[derive(Clone)]
struct Recorder {
    queue: mpsc::Sender<Attempt>,
    stop: CancellationToken,
    task: TaskTracker,
    overflow: Overflow,
}

impl Audit {
    /// One that stores nothing, and can tell only what stands for a name.
    pub fn unstored(secret: &[u8]) -> Audit {
        let digests = Arc::new(token::key_for(secret, "vestibule/audit/name"));
        Audit { digests, metrics: AuditMetrics::default(), recorder: None }
    }

    /// Starts the task that writes to `store`, if the settings say so.
    pub fn start(
        secret: &[u8],
        settings: &config::Audit,
        store: Store,
        clock: Clock,
        metrics: AuditMetrics,
    ) -> Audit {
        let audit = Audit { metrics, ..Audit::unstored(secret) };
        if !settings.store {
            return audit;
        }
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (stop, task) = (CancellationToken::new(), TaskTracker::new());
        let ledger = Ledger::new(settings.refusals, clock);
        let overflow = Overflow::default();
        let writer = Writer::new(store, ledger, audit.metrics.clone(), overflow.clone());
        task.spawn(writer.run(waiting, stop.clone()));
        task.close();
        Audit { recorder: Some(Recorder { queue, stop, task, overflow }), ..audit }
    }

    /// What stands for an address and a user name.
    pub fn claimed(&self, email: Option<&Email>, username: Option<&Username>) -> Claimed {
        Claimed {
            email: email.map(|email| self.digest("email", email.key())),
            username: username.map(|name| self.digest("username", name.key())),
        }
    }

    /// The same for texts, as far as they are such names.
    pub fn written(&self, email: Option<&str>, username: Option<&str>) -> Claimed {
        let email = email.and_then(|text| Email::parse(text).ok());
        let username = username.and_then(|text| Username::parse(text).ok());
        self.claimed(email.as_ref(), username.as_ref())
    }

    fn digest(&self, kind: &str, key: &str) -> NameDigest {
        token::short_digest(&self.digests, &[kind, key])
    }

    /// Whether attempts are stored.
    pub fn is_stored(&self) -> bool {
        self.recorder.is_some()
    }

    /// Leaves an attempt to be written. It never waits.
    pub fn record(&self, attempt: Attempt) {
        let Some(recorder) = &self.recorder else { return };
        let Err(lost) = recorder.queue.try_send(attempt) else { return };
        self.metrics.dropped.inc();
        // After the end there is no queue that could be full.
        if matches!(lost, TrySendError::Full(_)) {
            recorder.overflow.count();
        }
    }

    /// Writes what is left, for at most this long; `false` when it was not all written. Nothing is taken afterwards.
    pub async fn close(&self, within: Duration) -> bool {
        let Some(recorder) = &self.recorder else { return true };
        recorder.stop.cancel();
        tokio::time::timeout(within, recorder.task.wait()).await.is_ok()
    }
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("stored", &self.is_stored()).finish_non_exhaustive()
    }
}
