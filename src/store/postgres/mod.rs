//! The store on a PostgreSQL server.
//!
//! Every statement goes out unnamed, parsed and run in one round trip (`query_typed`): nothing of it stays in the
//! session, so it also runs behind a pooler that hands sessions around, and no cached plan goes stale when the
//! schema changes. It also keeps parameters out of the driver's debug log, which the other way of asking fills.

mod attempts;
mod claim;
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
use std::time::Duration;

use deadpool_postgres::{Client, Object, Pool, PoolError, TimeoutType};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::account::{Kept, NewAccount, Sealed, Spending, Who};
use super::error::{OpenError, RegisterError, StoreError};
use super::lookups::Lookups;
use super::url::PostgresServer;
use super::{Attempt, Attempts, Event, Events, Opening, Sql, Take, Taken};
use crate::user::{Key, User};

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

/// How long one statement may take as seen from here. Longer than the server's own limit, which is the one to strike
/// first and leaves no doubt about the outcome.
const DEADLINE: Duration = Duration::from_secs(15);

/// How many connections are tried before a database counts as unreachable: after a restart of the server the first
/// ones from the pool can be dead without knowing it.
const CONNECTIONS_TRIED: usize = 3;

/// A parameter and its type, as unnamed statements want them.
type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// An open pool of connections to a server.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: Pool,
    /// `None` in the copy that asks for them.
    lookups: Option<Lookups>,
    created: bool,
}

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

    async fn client(&self) -> Result<Client, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => StoreError::Busy("all connections are in use"),
            PoolError::Timeout(_) => StoreError::Busy("the server does not answer"),
            PoolError::Backend(error) => fault::told(&error),
            PoolError::Closed => StoreError::Closed,
            PoolError::NoRuntimeSpecified => unreachable!("the pool is built with tokio's runtime"),
            PoolError::PostCreateHook(_) => unreachable!("the pool has no hooks"),
        })
    }

    /// Asks for rows, again on another connection when the first is broken. Only for what may be asked twice.
    /// Gives back the connection too, which has just been seen alive.
    async fn ask(&self, sql: Sql, params: &[Param<'_>]) -> Result<(Client, Vec<Row>), StoreError> {
        let mut last = StoreError::Closed;
        for _ in 0..CONNECTIONS_TRIED {
            let client = self.client().await?;
            let error = match tokio::time::timeout(DEADLINE, client.query_typed(sql, params)).await {
                Ok(Ok(rows)) => return Ok((client, rows)),
                Ok(Err(error)) => error,
                Err(_) => {
                    discard(client);
                    return Err(StoreError::Busy("the server does not answer"));
                }
            };
            last = fault::told(&error);
            if !fault::breaks_connection(&error) {
                return Err(last);
            }
            discard(client);
        }
        Err(last)
    }

    /// [`Postgres::ask`] for at most one row.
    async fn ask_one(&self, sql: Sql, params: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        self.ask(sql, params).await.map(|(_, rows)| rows.into_iter().next())
    }
}

/// Closes a connection instead of giving it back to the pool.
fn discard(client: Client) {
    drop(Object::take(client));
}
