//! What keeps a store in order: what is removed in time, copies, and whether it answers as it should.

use super::backup::{BackupError, Copied};
use super::engines::Store;
use super::error::StoreError;
use super::sqlite;
use super::url::{DatabaseUrl, Target};
use jiff::Timestamp;
use std::path::Path;
use uuid::Uuid;

impl Store {
    /// What about the database's settings makes a commit less than durable: a sentence for each, with what to do. SQLite
    /// is set when it is opened.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn durability(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Store::Sqlite(_) => Ok(Vec::new()),
            Store::Postgres(store) => store.durability().await,
        }
    }

    /// Removes kept answers and spent proofs that have expired by `now`, at most a thousand of each, and counts them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        match self {
            Store::Sqlite(store) => store.purge(now).await,
            Store::Postgres(store) => store.purge(now).await,
        }
    }

    /// Removes attempts with an id below `before`, at most a thousand, and counts them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge_attempts(&self, before: Uuid) -> Result<usize, StoreError> {
        match self {
            Store::Sqlite(store) => store.purge_attempts(before).await,
            Store::Postgres(store) => store.purge_attempts(before).await,
        }
    }

    /// Removes expired buckets of shared limits, at most a thousand: how many there were, and how many were removed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge_limits(&self) -> Result<(usize, usize), StoreError> {
        match self {
            Store::Sqlite(store) => store.purge_limits().await,
            Store::Postgres(store) => store.purge_limits().await,
        }
    }

    /// How many passwords are hashed with which pepper, by its `keyid` as the PHC strings have it; `None` is without one.
    /// Reads every account.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn key_ids(&self) -> Result<Vec<(Option<String>, i64)>, StoreError> {
        match self {
            Store::Sqlite(store) => store.key_ids().await,
            Store::Postgres(store) => store.key_ids().await,
        }
    }

    /// Copies an SQLite database to a file that is not there yet, as of one moment and while it is served. The copy has
    /// been read whole and is on the disk when this returns.
    ///
    /// # Errors
    /// See [`BackupError`]; then there is no such file.
    pub async fn backup(&self, to: &Path) -> Result<Copied, BackupError> {
        match self {
            Store::Sqlite(store) => store.backup(to).await,
            Store::Postgres(_) => Err(BackupError::NotAFile),
        }
    }

    /// Copies a backup to where the URL's database is to be, and opens it there. Takes as long as reading the file.
    ///
    /// # Errors
    /// See [`BackupError`]; a database that is there is never replaced.
    pub fn restore(url: &DatabaseUrl, from: &Path) -> Result<Copied, BackupError> {
        match &url.0 {
            Target::Sqlite(file) => sqlite::restore(from, &file.path),
            Target::Postgres(_) => Err(BackupError::NotAFile),
        }
    }

    /// Whether the database answers and has its tables.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self {
            Store::Sqlite(store) => store.ping().await,
            Store::Postgres(store) => store.ping().await,
        }
    }

    /// Prepares every statement that this store can ever run, without running one, and counts them: what a compiler
    /// cannot check about SQL, a test or a doubtful operator can.
    ///
    /// # Errors
    /// When the database does not answer, or for the first statement that it does not understand.
    pub async fn prepare_all(&self) -> Result<usize, StoreError> {
        match self {
            Store::Sqlite(store) => store.prepare_all().await,
            Store::Postgres(store) => store.prepare_all().await,
        }
    }
}
