//! What goes on beside serving, until the server stops.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::app::App;
use crate::store::StoreError;
use crate::user::least_uuid_v7;

/// The tasks that go on.
#[derive(Default)]
pub(super) struct Upkeep(JoinSet<()>);

impl Upkeep {
    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    /// Ends them, wherever they are.
    pub(super) fn end(mut self) {
        self.0.abort_all();
    }
}

/// Removes what has expired, now and then. Nothing depends on it but the size of the database. Not at once: many a machine starts
/// with a wrong clock, and would find everything expired.
pub(super) async fn purge(app: Arc<App>, keep: Duration) {
    const FIRST: Duration = Duration::from_secs(60);
    const PAUSE: Duration = Duration::from_secs(600);
    tokio::time::sleep(FIRST).await;
    loop {
        let now = app.clock.now();
        let oldest = least_uuid_v7(now.checked_sub(keep).unwrap_or(Timestamp::UNIX_EPOCH));
        let purged = async { Ok(app.store.purge(now).await? + app.store.purge_attempts(oldest).await?) };
        match purged.await {
            // More may be left.
            Ok(1..) => {}
            Ok(0) => tokio::time::sleep(PAUSE).await,
            // The server is stopping.
            Err(StoreError::Closed) => return,
            Err::<_, StoreError>(error) => {
                tracing::warn!(%error, "expired idempotency keys and attempts cannot be removed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Keeps what the processes share of rate limits small.
pub(super) async fn tidy(app: Arc<App>) {
    const PAUSE: Duration = Duration::from_secs(5);
    loop {
        match app.throttle.tidy().await {
            Ok(()) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "expired rate limits cannot be removed"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
