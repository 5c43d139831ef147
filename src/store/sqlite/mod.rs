//! The store in one SQLite file: a single writer thread that commits in groups, and a few readers.

mod attempts;
mod backup;
mod claim;
mod connection;
mod events;
mod file;
mod limits;
mod open;
mod proof;
mod read;
mod register;
mod renew;
mod repeat;
mod writer;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::account::{Kept, NewAccount, Sealed, Spending, Who};
use super::error::{Fault, OpenError, RegisterError, StoreError};
use super::lookups::Lookups;
use super::url::SqliteFile;
use super::{Attempt, Attempts, BackupError, Copied, Event, Events, Opening, Sql, Take, Taken};
use crate::steps::Steps;
use crate::user::{Key, User};
use read::Readers;
use register::Registration;
use writer::{Write, Writer};

/// The constant statements of this engine, for the test that prepares them all.
const STATEMENTS: &[&[Sql]] = &[
    open::STATEMENTS,
    read::STATEMENTS,
    backup::STATEMENTS,
    claim::STATEMENTS,
    events::STATEMENTS,
    register::STATEMENTS,
    renew::STATEMENTS,
    repeat::STATEMENTS,
    attempts::STATEMENTS,
    limits::STATEMENTS,
    proof::STATEMENTS,
];

/// An open SQLite file.
#[derive(Clone, Debug)]
pub struct Sqlite(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    writer: Writer,
    readers: Readers,
    lookups: Lookups,
    created: bool,
}

impl Sqlite {
    pub(super) async fn open(file: &SqliteFile, opening: Opening, steps: Steps) -> Result<Sqlite, OpenError> {
        let database = file.path.display().to_string();
        let file = file.clone();
        // Opening reads the whole of a small file and may migrate: too long for an async thread.
        let opened = tokio::task::spawn_blocking(move || open::open(&file, opening));
        let broken_off = |reason| OpenError::BrokenOff { database: database.clone(), reason };
        let opened = opened.await.map_err(|stopped| broken_off(stopped.to_string()))??;
        let writer =
            Writer::start(opened.connection, steps).map_err(|error| broken_off(error.to_string()))?;
        let readers = Readers::new(opened.path);
        let asked = readers.clone();
        let lookups = Lookups::start(move |keys: Vec<Key>| {
            let readers = asked.clone();
            async move { readers.read(move |connection| Ok(read::collisions_at_once(connection, &keys)?)).await }
        });
        Ok(Sqlite(Arc::new(Inner { writer, readers, lookups, created: opened.created })))
    }

    pub(super) fn created(&self) -> bool {
        self.0.created
    }

    pub(super) async fn register<T: Send + 'static, E: Send + 'static>(
        &self,
        new: NewAccount,
        seal: impl FnOnce(i64) -> Result<Sealed<T>, E> + Send + 'static,
    ) -> Result<T, RegisterError<E>> {
        let (work, answer) = Registration::new(new, seal);
        self.0.writer.send(Box::new(work)).await.map_err(RegisterError::Unavailable)?;
        // The writer answers all it took. That it went silent means that its thread died, perhaps in a commit.
        answer.await.unwrap_or(Err(RegisterError::Unknown(StoreError::Closed)))
    }

    pub(super) async fn collisions(&self, keys: &[Key]) -> Result<Vec<Key>, StoreError> {
        self.0.lookups.taken(keys).await
    }

    pub(super) async fn repeat(&self, digest: [u8; 32], now: Timestamp) -> Result<Option<Kept>, StoreError> {
        let known = self.0.readers.read(move |connection| Ok(repeat::is_known(connection, &digest)?)).await?;
        if !known {
            return Ok(None);
        }
        self.write(move |connection| repeat::repeat(connection, &digest, now)).await
    }

    pub(super) async fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.write(move |connection| Ok(repeat::purge(connection, now)? + proof::purge(connection, now)?))
            .await
    }

    pub(super) async fn spend(&self, proof: Spending) -> Result<bool, StoreError> {
        self.write(move |connection| proof::spend(connection, &proof)).await
    }

    pub(super) async fn record(&self, attempts: Vec<Attempt>) -> Result<(), StoreError> {
        self.write(move |connection| attempts::record(connection, &attempts)).await
    }

    pub(super) async fn attempts(&self, wanted: &Attempts) -> Result<Vec<Attempt>, StoreError> {
        let wanted = wanted.clone();
        self.0.readers.read(move |connection| attempts::attempts(connection, &wanted)).await
    }

    pub(super) async fn purge_attempts(&self, before: Uuid) -> Result<usize, StoreError> {
        self.write(move |connection| attempts::purge(connection, before)).await
    }

    pub(super) async fn take(&self, takes: Vec<Take>, room: bool) -> Result<Taken, StoreError> {
        self.jot(move |connection| limits::take(connection, &takes, room)).await
    }

    pub(super) async fn purge_limits(&self) -> Result<(usize, usize), StoreError> {
        // Counting reads the whole table, which must not hold the writer up.
        let (buckets, expired) = self.0.readers.read(|connection| Ok(limits::count(connection)?)).await?;
        let purged = if expired > 0 { self.jot(limits::purge).await? } else { 0 };
        Ok((buckets, purged))
    }

    /// Writes something that a crash may undo.
    async fn jot<R: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (work, answer) = Write::new(write);
        self.0.writer.send(Box::new(work.not_durable())).await?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) async fn claim(&self, claims: Vec<(i64, Key)>) -> Result<HashMap<Key, i64>, StoreError> {
        self.write(move |connection| claim::claim(connection, &claims)).await
    }

    /// Writes something that is not an account, durably.
    async fn write<R: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (work, answer) = Write::new(write);
        self.0.writer.send(Box::new(work)).await?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) async fn find(&self, who: &Who) -> Result<Option<User>, StoreError> {
        let who = who.clone();
        self.0.readers.read(move |connection| read::find(connection, &who)).await
    }

    pub(super) async fn password_of(&self, id: i64) -> Result<Option<String>, StoreError> {
        self.0.readers.read(move |connection| Ok(read::password_of(connection, id)?)).await
    }

    pub(super) async fn renew(&self, id: i64, old: String, new: String) -> Result<bool, StoreError> {
        self.write(move |connection| renew::renew(connection, id, &old, &new)).await
    }

    pub(super) async fn key_ids(&self) -> Result<Vec<(Option<String>, i64)>, StoreError> {
        self.0.readers.read(|connection| Ok(read::key_ids(connection)?)).await
    }

    pub(super) async fn list(&self, after: i64, limit: u32) -> Result<Vec<User>, StoreError> {
        self.0.readers.read(move |connection| read::list(connection, after, limit)).await
    }

    pub(super) async fn events(&self, wanted: Events) -> Result<Vec<Event>, StoreError> {
        self.0.readers.read(move |connection| events::events(connection, wanted)).await
    }

    pub(super) async fn backup(&self, to: &Path) -> Result<Copied, BackupError> {
        let to = to.to_owned();
        self.0.readers.read(move |connection| Ok(backup::backup(connection, &to))).await?
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.0.readers.read(|connection| Ok(read::ping(connection)?)).await
    }

    pub(super) async fn prepare_all(&self) -> Result<usize, StoreError> {
        self.0
            .readers
            .read(|connection| {
                let statements = STATEMENTS.iter().copied().flatten();
                statements.map(|sql| Ok(connection.prepare(sql).map(|_| ())?)).collect::<Result<Vec<()>, _>>()
            })
            .await
            .map(|prepared| prepared.len())
    }

    pub(super) async fn close(self) {
        self.0.readers.close();
        self.0.writer.close().await;
    }
}

/// Copies a backup to where a database is to be.
pub(super) fn restore(from: &Path, to: &Path) -> Result<Copied, BackupError> {
    let copied = backup::restore(from, to)?;
    backup::reopens(to)?;
    Ok(copied)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let Some(failure) = error.sqlite_error() else { return StoreError::Unreadable(error.to_string()) };
        if failure.code == rusqlite::ErrorCode::DatabaseBusy {
            return StoreError::Busy("another process holds the file's lock");
        }
        let code = Some(failure.extended_code.to_string());
        StoreError::Refused(Fault { code, message: error.to_string() })
    }
}
