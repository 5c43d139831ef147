//! Why there is no new account.

use crate::app::App;
use crate::contract::EncodeError;
use crate::idempotency::ReplayError;
use crate::password::HashError;
use crate::store::StoreError;
use crate::throttle::Throttled;
use std::time::Duration;

/// How often a generated id that is in use is replaced by another.
pub(super) const ID_ATTEMPTS: usize = 8;

/// Why there is no new account.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// These kinds of values are in use.
    #[error("in use: {}", .0.join(", "))]
    Taken(Vec<String>),
    /// One of its names was tried too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Its proof of work was used before.
    #[error("the proof of work was used before")]
    Spent,
    /// The hash would come too late.
    #[error("the hash queue is full for {retry_after:?}")]
    Busy {
        /// When a try makes sense.
        retry_after: Duration,
    },
    /// The client left before its turn; nothing was hashed and no account made.
    #[error("the client left before its turn")]
    Left,
    /// Nothing was written; a later try may succeed.
    #[error("the store is not available: {0}")]
    Unavailable(#[source] StoreError),
    /// The connection was lost while committing: the account may or may not exist.
    #[error("the outcome is unknown: {0}")]
    Unknown(#[source] StoreError),
    /// The reply could not be written, and so nothing was.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The reply could not be kept, and so nothing was written.
    #[error("the reply cannot be encrypted")]
    Keep,
    /// There is an answer under its idempotency key, and it cannot be given.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Hashing failed.
    #[error("hashing failed: {0}")]
    Hash(HashError),
    /// Every id that was tried is in use.
    #[error("no free id was found in {ID_ATTEMPTS} tries; the contract's `id` has too few possibilities")]
    NoFreeId,
}

impl From<HashError> for RegisterError {
    fn from(error: HashError) -> RegisterError {
        match error {
            HashError::Busy { retry_after } => RegisterError::Busy { retry_after },
            HashError::Left => RegisterError::Left,
            other => RegisterError::Hash(other),
        }
    }
}

/// The store did not answer, which is counted.
pub(super) fn unavailable(app: &App, error: StoreError) -> RegisterError {
    app.metrics.store.unavailable.inc();
    RegisterError::Unavailable(error)
}
