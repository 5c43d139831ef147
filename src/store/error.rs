//! What can go wrong in the store, one enum per operation. No message repeats a stored value: what a database says
//! in its DETAIL (whole rows, password hashes included) is dropped where the error is taken over.

use std::fmt;
use std::path::PathBuf;

use crate::user::Key;

/// Why a database was not opened: one line that says what is wrong and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Inspecting never creates a file.
    #[error("{}: there is no such database; `vestibule serve` creates it, or correct the path", .0.display())]
    Missing(PathBuf),
    /// The file is missing and the URL forbids creating it.
    #[error("{}: there is no such database and `mode=rw` forbids creating it; restore it or correct the path", .0.display())]
    NotCreatable(PathBuf),
    /// The file could not be created.
    #[error("{}: cannot create the database: {reason}; check that its folder exists and is writable", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system or the database says.
        reason: String,
    },
    /// The path leads to something that cannot be opened or read.
    #[error("{}: cannot read the database: {reason}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A file of no bytes: somebody's accident, perhaps where a database should be.
    #[error("{}: the file is empty; restore the database, or remove the file to start with a new one", .0.display())]
    Empty(PathBuf),
    /// Not an SQLite file at all.
    #[error("{}: the file is not an SQLite database; correct the path or restore the file", .0.display())]
    NotADatabase(PathBuf),
    /// Somebody else's database.
    #[error("{database}: the database belongs to another program ({sign}); give Vestibule one of its own")]
    Foreign {
        /// The file or server, without a password.
        database: String,
        /// By what it was recognised.
        sign: &'static str,
    },
    /// A database that is damaged.
    #[error("{database}: the database is damaged: {detail}; restore it from a backup")]
    Corrupt {
        /// The file or server, without a password.
        database: String,
        /// The first finding.
        detail: String,
    },
    /// It is not the database's fault.
    #[error("{database}: opening it was broken off: {reason}; try again, and report it if it happens again")]
    BrokenOff {
        /// The file or server, without a password.
        database: String,
        /// What happened.
        reason: String,
    },
    /// A later Vestibule has migrated it.
    #[error(
        "{database}: its schema is number {found}, this program knows up to {known}; start the newer Vestibule"
    )]
    Newer {
        /// The file or server, without a password.
        database: String,
        /// The schema's number.
        found: i32,
        /// The highest number that this program knows.
        known: i32,
    },
    /// Inspecting never migrates.
    #[error(
        "{database}: its schema is number {found}, this program needs {known}; start `vestibule serve` to migrate it"
    )]
    Older {
        /// The file or server, without a password.
        database: String,
        /// The schema's number, 0 when there is none.
        found: i32,
        /// The number that this program needs.
        known: i32,
    },
    /// The database can be read but not written.
    #[error("{database}: the database cannot be written; check the permissions of the file and its folder")]
    NotWritable {
        /// The file or server, without a password.
        database: String,
    },
    /// A migration failed, or one that was applied differs from this program's.
    #[error("{database}: cannot migrate the schema: {reason}; nothing of that migration was kept")]
    Migrate {
        /// The file or server, without a password.
        database: String,
        /// What failed.
        reason: String,
    },
    /// The server cannot be reached or refuses us.
    #[error("{database}: cannot connect: {reason}")]
    Connect {
        /// The server, without a password.
        database: String,
        /// What the network, TLS or the server says.
        reason: String,
    },
    /// Any other refusal while opening.
    #[error("{database}: cannot open the database: {source}")]
    Store {
        /// The file or server, without a password.
        database: String,
        /// The refusal.
        source: StoreError,
    },
}

/// Why the store did not answer. Nothing of it is the user's fault.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It has been closed; the process is ending.
    #[error("the store is closed")]
    Closed,
    /// No connection, no place in the queue or no answer within the deadline.
    #[error("the database is too busy: {0}")]
    Busy(&'static str),
    /// The connection cannot be made or broke.
    #[error("the database cannot be reached: {0}")]
    Unreachable(Fault),
    /// The database answered with an error: disk full, read-only, a broken constraint.
    #[error("the database refused: {0}")]
    Refused(Fault),
    /// A stored value is not what this program writes.
    #[error("a stored value cannot be read: {0}")]
    Unreadable(String),
    /// The key is refused as taken again and again, yet nobody has it.
    #[error("a key is refused as taken, but no user has it")]
    Undecided,
    /// Rendering the reply panicked; the account was rolled back.
    #[error("the reply's rendering panicked")]
    Panicked,
}

impl StoreError {
    /// Whether the same may succeed later, when the database has recovered.
    pub fn may_pass(&self) -> bool {
        match self {
            StoreError::Busy(_) | StoreError::Unreachable(_) | StoreError::Undecided => true,
            StoreError::Refused(fault) => !fault.is_about_the_values(),
            StoreError::Closed | StoreError::Unreadable(_) | StoreError::Panicked => false,
        }
    }
}

/// What a database says about its own failure, without any value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// SQLSTATE (PostgreSQL) or the extended result code (SQLite), when there is one.
    pub code: Option<String>,
    /// The database's own words.
    pub message: String,
}

impl Fault {
    /// Whether the values are at fault, so that the same statement would fail for ever: a broken constraint, or a value that
    /// does not fit (SQLSTATE classes 22 and 23; SQLITE_TOOBIG, SQLITE_CONSTRAINT and SQLITE_MISMATCH).
    pub(super) fn is_about_the_values(&self) -> bool {
        match self.code.as_deref() {
            Some(state) if state.len() == 5 => state.starts_with("22") || state.starts_with("23"),
            Some(code) => code.parse().is_ok_and(|code: i32| (18..=20).contains(&(code & 0xff))),
            None => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} ({code})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Why a registration did not happen, or is not known to have happened.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError<E> {
    /// These claims belong to another user; nothing was written. A colliding public id has the kind
    /// [`PUBLIC_ID`](super::PUBLIC_ID); ids that the caller made are for it to make anew.
    #[error("already taken: {}", kinds(.0))]
    Taken(Vec<Key>),
    /// The caller's `seal` failed; nothing was written.
    #[error("the reply could not be made")]
    Seal(E),
    /// Nothing was written.
    #[error("nothing was written: {0}")]
    Unavailable(#[source] StoreError),
    /// The connection or the disk failed while committing: the account may exist or not.
    #[error("the outcome is unknown: {0}")]
    Unknown(#[source] StoreError),
}

/// The kinds only: values are personal data and stay out of messages.
fn kinds(keys: &[Key]) -> String {
    keys.iter().map(|key| key.kind.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_at_fault_for_ever_and_disks_are_not() {
        let may_pass = |code: &str| {
            StoreError::Refused(Fault { code: Some(code.to_owned()), message: String::new() }).may_pass()
        };
        // Disk full, no such table, a lock that was not got; the numbers are SQLite's, 1034 an extended one.
        for passing in ["53100", "42P01", "55P03", "57014", "13", "1", "10", "8", "1034"] {
            assert!(may_pass(passing), "{passing}");
        }
        // Null and check constraints, a text that is too long; extended codes of SQLITE_CONSTRAINT.
        for lasting in ["23502", "23514", "22001", "19", "275", "1299", "18", "20"] {
            assert!(!may_pass(lasting), "{lasting}");
        }
    }
}
