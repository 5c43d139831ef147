//! Copies of an SQLite database that can be trusted.

use std::io;
use std::path::PathBuf;

use super::error::{OpenError, StoreError};

/// What a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Accounts.
    pub users: i64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Why there is no copy: one line that says what to do next. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A server has its own means.
    #[error(
        "a PostgreSQL database is backed up by its own means: pg_basebackup with WAL archiving; see docs/backup.md"
    )]
    NotAFile,
    /// A copy never replaces anything.
    #[error("{}: the file is there already; name another one, or move it away", .0.display())]
    Exists(PathBuf),
    /// The log of another database would be applied to the copy.
    #[error(
        "{}: this file belongs to the database that was here before; move it away together with that",
        .0.display()
    )]
    Remains(PathBuf),
    /// What should be copied is a database in use, or one that was not closed.
    #[error(
        "{}: its log {} holds accounts that the file alone lacks; copy both together with \
         `vestibule backup NEW --database sqlite://FILE`, and restore that",
        from.display(), log.display()
    )]
    HasLog {
        /// The database.
        from: PathBuf,
        /// The file beside it.
        log: PathBuf,
    },
    /// The file cannot be written.
    #[error("{}: cannot be written: {source}; check its folder, its permissions and the space on the disk", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database did not do its part.
    #[error("the copy failed: {0}; nothing was kept of it")]
    Store(#[from] StoreError),
    /// What should be copied, or what was, is not a whole Vestibule database.
    #[error(transparent)]
    Unsound(#[from] OpenError),
}
