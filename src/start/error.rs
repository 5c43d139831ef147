//! Why there is no start.

use std::io;
use std::path::PathBuf;

use crate::password;
use crate::store::OpenError;

/// Why the server does not start. Everything that is wrong with the configuration is told at once.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Mistakes in the configuration and in the contracts that it names, ready to be shown.
    #[error("{0}")]
    Refused(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The hash pool.
    #[error(transparent)]
    Pool(#[from] password::StartError),
    /// The generated token secret.
    #[error("{}: the token secret cannot be kept: {source}; set VESTIBULE_TOKEN_SECRET_FILE", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder of the certificates.
    #[error("{}: no certificates can be kept here: {source}; set `acme.folder`", path.display())]
    Acme {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
