//! Why there is no pool, no hash, no comparison.

use std::io;
use std::time::Duration;

use super::params::ParamsError;
use super::pepper::KeyId;
use super::phc::PhcError;
use super::self_test::SelfTestError;

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No hash can have these parameters.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The engine computes wrongly.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// Nobody would work.
    #[error("the password pool needs at least one worker")]
    NoWorkers,
    /// The system refused a thread.
    #[error("cannot start a thread for hashing passwords")]
    Thread(#[source] io::Error),
}

/// Why nothing was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// There is more to do than can be done before the deadline, or no memory to do it in.
    #[error("too many passwords wait to be hashed; try again in {} s", retry_after.as_secs())]
    Busy {
        /// When a new try will be let in if those before it come back too, in whole seconds, at least one.
        retry_after: Duration,
    },
    /// Whoever asked left before a worker began; nothing was computed.
    #[error("whoever asked has left")]
    Left,
    /// The pool is closed.
    #[error("the server is stopping")]
    Stopped,
    /// The engine panicked, or refused inputs that had been checked. The worker lives on with a new hasher.
    #[error("hashing the password failed unexpectedly")]
    Panicked,
}

/// Why a password was not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The stored text is none that may be computed.
    #[error(transparent)]
    Stored(#[from] PhcError),
    /// It needs a secret that is not here.
    #[error("the stored password was hashed with the pepper `{0}`, which is not in passwords.pepper_file")]
    NoPepper(KeyId),
    /// The pool did not compute it.
    #[error(transparent)]
    Hash(#[from] HashError),
}
