//! The task that writes attempts: in batches, in their order, and again when the store was not there.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::ledger::{Ledger, MINUTE};
use super::overflow::{AuditMetrics, Overflow, QUEUE};
use crate::store::{Attempt, Store};

/// The most rows of one write.
const BATCH: usize = 256;

/// How long a batch gathers. A sync of the disk for every refusal would take it from the accounts.
const GATHER: Duration = Duration::from_millis(250);

/// How long after a failure the store is asked again.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Writer {
    store: Store,
    ledger: Ledger,
    metrics: AuditMetrics,
    overflow: Overflow,
    /// When what was counted together becomes rows.
    due: Instant,
}

impl Writer {
    pub(super) fn new(store: Store, ledger: Ledger, metrics: AuditMetrics, overflow: Overflow) -> Writer {
        Writer { store, ledger, metrics, overflow, due: Instant::now() + MINUTE }
    }

    /// Writes what comes until it is stopped, and then what has come.
    pub(super) async fn run(mut self, mut waiting: Receiver<Attempt>, stop: CancellationToken) {
        loop {
            let first = tokio::select! {
                first = waiting.recv() => match first {
                    Some(first) => Some(first),
                    None => break,
                },
                () = sleep_until(self.due), if self.ledger.has_counted() => None,
                () = stop.cancelled(), if !waiting.is_closed() => {
                    waiting.close();
                    continue;
                }
            };
            let mut batch = self.gather(first, &mut waiting).await;
            if Instant::now() >= self.due {
                batch.extend(self.ledger.counted());
                self.due = Instant::now() + MINUTE;
            }
            self.write(batch).await;
            // Half of it, so that a queue that is full again and again is not told each time.
            if waiting.len() < QUEUE / 2 {
                self.overflow.end();
            }
        }
        let counted = self.ledger.counted();
        self.write(counted).await;
    }

    /// The rows of what comes within a moment.
    async fn gather(&mut self, first: Option<Attempt>, waiting: &mut Receiver<Attempt>) -> Vec<Attempt> {
        let Some(first) = first else { return Vec::new() };
        let until = Instant::now() + GATHER;
        let mut batch: Vec<Attempt> = self.ledger.enter(first).into_iter().collect();
        while batch.len() < BATCH
            && let Ok(Some(next)) = timeout_at(until, waiting.recv()).await
        {
            batch.extend(self.ledger.enter(next));
        }
        batch
    }

    /// Tries until the store has taken the batch, or will never take it. Who waits for the end has a time limit.
    async fn write(&self, batch: Vec<Attempt>) {
        if batch.is_empty() {
            return;
        }
        let requests: u64 = batch.iter().map(|attempt| u64::from(attempt.attempts)).sum();
        let mut told = false;
        while let Err(error) = self.store.record(batch.clone()).await {
            if !error.may_pass() {
                tracing::error!(%error, requests, "attempts could not be recorded and are lost");
                self.metrics.dropped.inc_by(requests);
                return;
            }
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(%error, "attempts cannot be recorded yet");
            }
            sleep(PAUSE).await;
        }
        self.metrics.written.inc_by(requests);
        if told {
            tracing::info!("attempts are recorded again");
        }
    }
}
