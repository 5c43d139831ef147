//! Where accounts live: one SQLite file or a PostgreSQL server, behind one enum with a `match` per verb.
//!
//! Only this room knows SQL. Every statement is constant text beside the function that runs it, and every engine
//! lists its own so that a test can prepare them all ([`Store::prepare_all`]).
//!
//! What holds on both engines:
//! - A registration is one transaction: user, keys, event, tokens and kept answer, all or nothing. Nobody asks first whether a
//!   key is free; the primary key of `user_keys` decides, and only after its refusal one look-up tells all
//!   collisions.
//! - Success is told only after the commit is durable, and a lost connection or disk while committing is told as
//!   [`RegisterError::Unknown`], never as a success and never as "taken".
//! - Opening refuses what is not this program's: an empty, foreign, damaged or newer database.

mod account;
mod attempt;
mod backup;
mod error;
mod event;
mod limit;
mod lookups;
mod migrations;
mod postgres;
mod readiness;
mod sqlite;
mod url;

pub use account::{
    AccountFields, IDEMPOTENCY_KEY, IssuedToken, Kept, NewAccount, PUBLIC_ID, Repetition, Sealed, Spending,
    Who,
};
pub use attempt::{Attempt, Attempts, Claimed, NameDigest};
pub use backup::{BackupError, Copied};
pub use error::{Fault, OpenError, RegisterError, StoreError};
pub use event::{Event, Events};
pub use limit::{Take, Taken};
pub use readiness::Readiness;
pub use url::{DatabaseUrl, UrlError};

use crate::steps::Steps;
use crate::user::{Key, User};
use jiff::Timestamp;
use std::collections::HashMap;
use std::path::Path;
use uuid::Uuid;

/// A constant SQL statement. The type's name is how a test finds every one of them.
type Sql = &'static str;

/// For what a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// To serve: a missing SQLite file is created (unless the URL says `mode=rw`) and the schema is migrated.
    Serve,
    /// To look at what is there, as the command line does: nothing is created and nothing is migrated.
    Inspect,
}

/// An open store. Clones are cheap and share the same connections.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file on this machine.
    Sqlite(sqlite::Sqlite),
    /// A PostgreSQL server, or what speaks its protocol.
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens the database, makes sure that it is Vestibule's own, and migrates its schema when it is to serve.
    ///
    /// # Errors
    /// One line with a next step for everything that is wrong with the file, the server or the schema.
    pub async fn open(url: &DatabaseUrl, opening: Opening) -> Result<Store, OpenError> {
        Store::open_watched(url, opening, Steps::none()).await
    }

    /// [`Store::open`] for one who watches [`Step::Inserted`](crate::steps::Step::Inserted).
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub async fn open_watched(url: &DatabaseUrl, opening: Opening, steps: Steps) -> Result<Store, OpenError> {
        match &url.0 {
            url::Target::Sqlite(file) => sqlite::Sqlite::open(file, opening, steps).await.map(Store::Sqlite),
            url::Target::Postgres(server) => {
                postgres::Postgres::open(server, opening).await.map(Store::Postgres)
            }
        }
    }

    /// Whether [`Store::open`] made the schema: a new SQLite file, or the first start on a PostgreSQL database.
    pub fn created(&self) -> bool {
        match self {
            Store::Sqlite(store) => store.created(),
            Store::Postgres(store) => store.created(),
        }
    }

    /// Registers one account, whole or not at all, and gives back `seal`'s answer once it is durable.
    ///
    /// `seal` gets the new serial number inside the transaction and makes the reply, so a reply cannot fail after
    /// the account exists. It is called at most once, must be quick (other registrations wait for it on SQLite),
    /// and its error rolls everything back.
    ///
    /// Dropping the future does not undo a registration that was begun.
    ///
    /// # Errors
    /// See [`RegisterError`]. After all but `Unknown` nothing was written.
    pub async fn register<T: Send + 'static, E: Send + 'static>(
        &self,
        mut new: NewAccount,
        seal: impl FnOnce(i64) -> Result<Sealed<T>, E> + Send + 'static,
    ) -> Result<T, RegisterError<E>> {
        new.sort_keys();
        match self {
            Store::Sqlite(store) => store.register(new, seal).await,
            Store::Postgres(store) => store.register(new, seal).await,
        }
    }

    /// Which of these claims are taken now, in the order given, by one look-up.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn collisions(&self, keys: &[Key]) -> Result<Vec<Key>, StoreError> {
        match self {
            Store::Sqlite(store) => store.collisions(keys).await,
            Store::Postgres(store) => store.collisions(keys).await,
        }
    }

    /// Gives users who are there already further claims, as far as those are free, and tells who holds each of them then:
    /// the user, or somebody who had it first. To ask again changes nothing. At most some hundreds at a time.
    ///
    /// # Errors
    /// When the database does not answer; what was given is kept or not.
    pub async fn claim(&self, claims: Vec<(i64, Key)>) -> Result<HashMap<Key, i64>, StoreError> {
        match self {
            Store::Sqlite(store) => store.claim(claims).await,
            Store::Postgres(store) => store.claim(claims).await,
        }
    }

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

    /// The answer that is kept under this digest, `None` when there is none at `now`.
    ///
    /// An answer is given back only after a durable write of its own. That a row can be read does not prove that it is
    /// durable: a synchronous standby may not have it yet. A commit that came later and is durable proves it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn repeat(&self, digest: [u8; 32], now: Timestamp) -> Result<Option<Kept>, StoreError> {
        match self {
            Store::Sqlite(store) => store.repeat(digest, now).await,
            Store::Postgres(store) => store.repeat(digest, now).await,
        }
    }

    /// Takes a proof of work, durably: `true` when it counts, `false` when it was taken before. One that names a `request`
    /// counts for that very request up to five times: it makes one account however often it is sent.
    ///
    /// # Errors
    /// When the database does not answer; then it may have been taken all the same.
    pub async fn spend(&self, proof: Spending) -> Result<bool, StoreError> {
        match self {
            Store::Sqlite(store) => store.spend(proof).await,
            Store::Postgres(store) => store.spend(proof).await,
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

    /// Writes attempts down, durably and all or none; those whose ids are there already are left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record(&self, attempts: Vec<Attempt>) -> Result<(), StoreError> {
        match self {
            Store::Sqlite(store) => store.record(attempts).await,
            Store::Postgres(store) => store.record(&attempts).await,
        }
    }

    /// What was written down, in the order of the ids.
    ///
    /// # Errors
    /// When the database does not answer or a stored value cannot be read.
    pub async fn attempts(&self, wanted: &Attempts) -> Result<Vec<Attempt>, StoreError> {
        match self {
            Store::Sqlite(store) => store.attempts(wanted).await,
            Store::Postgres(store) => store.attempts(wanted).await,
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

    /// Counts tries against the limits that all processes on the database share, at most five in one go and in this
    /// order, up to the first that comes too soon. Each is decided and counted in one step by the database's clock, so
    /// that however many ask at once, as many are let in as the rate says. `room` is whether new buckets may be made.
    ///
    /// What is counted need not survive a crash, and makes nothing else less durable.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take(&self, takes: Vec<Take>, room: bool) -> Result<Taken, StoreError> {
        match self {
            Store::Sqlite(store) => store.take(takes, room).await,
            Store::Postgres(store) => store.take(&takes, room).await,
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

    /// The user behind an id or a claim, `None` when there is none.
    ///
    /// # Errors
    /// When the database does not answer or a stored value cannot be read.
    pub async fn find(&self, who: &Who) -> Result<Option<User>, StoreError> {
        match self {
            Store::Sqlite(store) => store.find(who).await,
            Store::Postgres(store) => store.find(who).await,
        }
    }

    /// The stored PHC string of a user, `""` when the user has no password, `None` when there is no such user.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn password_of(&self, id: i64) -> Result<Option<String>, StoreError> {
        match self {
            Store::Sqlite(store) => store.password_of(id).await,
            Store::Postgres(store) => store.password_of(id).await,
        }
    }

    /// Puts another PHC string of the same password where `old` stands, and counts the change in the user's `version`;
    /// `updated_at` tells when something changed that people see, and stays. False when `old` no longer stands there.
    ///
    /// # Errors
    /// When the database does not answer; the next verification tries again.
    pub async fn renew(&self, id: i64, old: String, new: String) -> Result<bool, StoreError> {
        match self {
            Store::Sqlite(store) => store.renew(id, old, new).await,
            Store::Postgres(store) => store.renew(id, &old, &new).await,
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

    /// At most `limit` users whose serial number is above `after`, in its order: one page; 0 starts.
    ///
    /// # Errors
    /// When the database does not answer or a stored value cannot be read.
    pub async fn list(&self, after: i64, limit: u32) -> Result<Vec<User>, StoreError> {
        match self {
            Store::Sqlite(store) => store.list(after, limit).await,
            Store::Postgres(store) => store.list(after, limit).await,
        }
    }

    /// What happened, in the order of the events' ids, which is that of time. Two transactions that overlap can commit
    /// in the other order: whoever follows the events has to look back by as long as a transaction may take.
    ///
    /// # Errors
    /// When the database does not answer or a stored value cannot be read.
    pub async fn events(&self, wanted: Events) -> Result<Vec<Event>, StoreError> {
        match self {
            Store::Sqlite(store) => store.events(wanted).await,
            Store::Postgres(store) => store.events(wanted).await,
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
            url::Target::Sqlite(file) => sqlite::restore(from, &file.path),
            url::Target::Postgres(_) => Err(BackupError::NotAFile),
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

    /// Finishes what was accepted, then closes. Every clone of this store answers [`StoreError::Closed`] afterwards.
    pub async fn close(self) {
        match self {
            Store::Sqlite(store) => store.close().await,
            Store::Postgres(store) => store.close().await,
        }
    }
}
