//! The two engines behind one enum: what a sign-up needs of its store, and whoever asks about accounts.

use super::Opening;
use super::account::{Kept, NewAccount, Sealed, Spending, Who};
use super::attempt::{Attempt, Attempts};
use super::error::{OpenError, RegisterError, StoreError};
use super::event::{Event, Events};
use super::limit::{Take, Taken};
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::url::{DatabaseUrl, Target};
use crate::steps::Steps;
use crate::user::{Key, User};
use jiff::Timestamp;
use std::collections::HashMap;

/// An open store. Clones are cheap and share the same connections.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file on this machine.
    Sqlite(Sqlite),
    /// A PostgreSQL server, or what speaks its protocol.
    Postgres(Postgres),
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
            Target::Sqlite(file) => Sqlite::open(file, opening, steps).await.map(Store::Sqlite),
            Target::Postgres(server) => Postgres::open(server, opening).await.map(Store::Postgres),
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

    /// Finishes what was accepted, then closes. Every clone of this store answers [`StoreError::Closed`] afterwards.
    pub async fn close(self) {
        match self {
            Store::Sqlite(store) => store.close().await,
            Store::Postgres(store) => store.close().await,
        }
    }
}
