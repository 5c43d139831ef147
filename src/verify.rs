//! Whether a password is somebody's. What was hashed with less than new passwords are is hashed again on this occasion,
//! the only one on which the password is known.

use std::sync::Arc;

use crate::clock::Clock;
use crate::password::{self, Pool};
use crate::store::{Store, StoreError};
use crate::user::Password;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is another password, or the user has none, or there is no such user.
    Wrong,
    /// It is the password.
    Right {
        /// Whether its hash was replaced by a dearer one, or by one with the newest pepper.
        renewed: bool,
    },
}

/// Why it could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored, or the hash pool.
    #[error(transparent)]
    Password(#[from] password::VerifyError),
}

/// Holds `password` against what is stored for the user with this serial number. A hash that could not be renewed is
/// renewed the next time: the password is right all the same, and the log says why.
///
/// # Errors
/// [`VerifyError`]; then nothing was changed.
pub async fn verify(
    passwords: &Pool,
    store: &Store,
    clock: &Clock,
    id: i64,
    password: Password,
) -> Result<Verified, VerifyError> {
    let stored = store.password_of(id).await?.unwrap_or_default();
    if stored.is_empty() {
        return Ok(Verified::Wrong);
    }
    let password = Arc::new(password);
    if !passwords.verify(password.clone(), &stored).await? {
        return Ok(Verified::Wrong);
    }
    let renewed = match passwords.renew(password, &stored, clock.random()).await {
        Ok(None) => false,
        Ok(Some(new)) => store.renew(id, stored, new).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the password's hash could not be replaced by a newer one");
            false
        }),
        Err(error) => {
            tracing::warn!(%error, "the password could not be hashed anew");
            false
        }
    };
    Ok(Verified::Right { renewed })
}
