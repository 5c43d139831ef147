//! The store on a PostgreSQL server.
//!
//! Every statement goes out unnamed, parsed and run in one round trip (`query_typed`): nothing of it stays in the
//! session, so it also runs behind a pooler that hands sessions around, and no cached plan goes stale when the
//! schema changes. It also keeps parameters out of the driver's debug log, which the other way of asking fills.

mod attempts;
mod claim;
mod connections;
mod events;
mod fault;
mod limits;
mod open;
mod proof;
mod read;
mod register;
mod renew;
mod repeat;

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::account::{Kept, NewAccount, Sealed, Spending, Who};
use super::error::{OpenError, RegisterError, StoreError};
use super::url::PostgresServer;
use super::{Attempt, Attempts, Event, Events, Opening, Sql, Take, Taken};
use crate::user::{Key, User};
pub(super) use connections::Postgres;

/// The constant statements of this engine, for the test that prepares them all.
const STATEMENTS: &[&[Sql]] = &[
    open::STATEMENTS,
    read::STATEMENTS,
    claim::STATEMENTS,
    events::STATEMENTS,
    register::STATEMENTS,
    renew::STATEMENTS,
    repeat::STATEMENTS,
    attempts::STATEMENTS,
    limits::STATEMENTS,
    proof::STATEMENTS,
];

impl Postgres {
    pub(super) async fn open(server: &PostgresServer, opening: Opening) -> Result<Postgres, OpenError> {
        open::open(server, opening).await
    }

    pub(super) fn created(&self) -> bool {
        self.created
    }

    pub(super) async fn register<T: Send, E: Send>(
        &self,
        new: NewAccount,
        seal: impl FnOnce(i64) -> Result<Sealed<T>, E> + Send,
    ) -> Result<T, RegisterError<E>> {
        register::register(self, &new, seal).await
    }

    pub(super) async fn collisions(&self, keys: &[Key]) -> Result<Vec<Key>, StoreError> {
        match &self.lookups {
            Some(lookups) => lookups.taken(keys).await,
            None => read::collisions(self, keys).await,
        }
    }

    pub(super) async fn repeat(&self, digest: [u8; 32], now: Timestamp) -> Result<Option<Kept>, StoreError> {
        repeat::repeat(self, digest, now).await
    }

    pub(super) async fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        Ok(repeat::purge(self, now).await? + proof::purge(self, now).await?)
    }

    pub(super) async fn spend(&self, proof: Spending) -> Result<bool, StoreError> {
        proof::spend(self, &proof).await
    }

    pub(super) async fn record(&self, attempts: &[Attempt]) -> Result<(), StoreError> {
        attempts::record(self, attempts).await
    }

    pub(super) async fn attempts(&self, wanted: &Attempts) -> Result<Vec<Attempt>, StoreError> {
        attempts::attempts(self, wanted).await
    }

    pub(super) async fn purge_attempts(&self, before: Uuid) -> Result<usize, StoreError> {
        attempts::purge(self, before).await
    }

    pub(super) async fn take(&self, takes: &[Take], room: bool) -> Result<Taken, StoreError> {
        limits::take(self, takes, room).await
    }

    pub(super) async fn purge_limits(&self) -> Result<(usize, usize), StoreError> {
        limits::purge(self).await
    }

    pub(super) async fn find(&self, who: &Who) -> Result<Option<User>, StoreError> {
        read::find(self, who).await
    }

    pub(super) async fn password_of(&self, id: i64) -> Result<Option<String>, StoreError> {
        read::password_of(self, id).await
    }

    pub(super) async fn renew(&self, id: i64, old: &str, new: &str) -> Result<bool, StoreError> {
        renew::renew(self, id, old, new).await
    }

    pub(super) async fn key_ids(&self) -> Result<Vec<(Option<String>, i64)>, StoreError> {
        read::key_ids(self).await
    }

    pub(super) async fn list(&self, after: i64, limit: u32) -> Result<Vec<User>, StoreError> {
        read::list(self, after, limit).await
    }

    pub(super) async fn events(&self, wanted: Events) -> Result<Vec<Event>, StoreError> {
        events::events(self, wanted).await
    }

    pub(super) async fn claim(&self, claims: Vec<(i64, Key)>) -> Result<HashMap<Key, i64>, StoreError> {
        claim::claim(self, &claims).await
    }

    pub(super) async fn durability(&self) -> Result<Vec<String>, StoreError> {
        open::durability(self).await
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        read::ping(self).await
    }

    pub(super) async fn prepare_all(&self) -> Result<usize, StoreError> {
        let client = self.client().await?;
        let mut prepared = 0;
        for sql in STATEMENTS.iter().copied().flatten() {
            client.prepare(sql).await.map_err(|error| fault::told(&error))?;
            prepared += 1;
        }
        Ok(prepared)
    }

    pub(super) async fn close(self) {
        self.pool.close();
    }
}
