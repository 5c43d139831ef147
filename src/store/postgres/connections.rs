//! The pool of connections to a server, and how it is asked.

use std::time::Duration;

use deadpool_postgres::{Client, Object, Pool, PoolError, TimeoutType};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::super::Sql;
use super::super::error::StoreError;
use super::super::lookups::Lookups;
use super::fault;

/// How long one statement may take as seen from here. Longer than the server's own limit, which is the one to strike
/// first and leaves no doubt about the outcome.
pub(super) const DEADLINE: Duration = Duration::from_secs(15);

/// How many connections are tried before a database counts as unreachable: after a restart of the server the first
/// ones from the pool can be dead without knowing it.
const CONNECTIONS_TRIED: usize = 3;

/// See [`Postgres::ask_patiently`]; as seen from here, and by the server.
const LONGEST: Duration = Duration::from_secs(660);
const PATIENCE: &str = "SET LOCAL statement_timeout = '10min'";

/// A parameter and its type, as unnamed statements want them.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// An open pool of connections to a server.
#[derive(Clone, Debug)]
pub struct Postgres {
    pub(super) pool: Pool,
    /// `None` in the copy that asks for them.
    pub(super) lookups: Option<Lookups>,
    pub(super) created: bool,
}

impl Postgres {
    pub(super) async fn client(&self) -> Result<Client, StoreError> {
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
    pub(super) async fn ask(&self, sql: Sql, params: &[Param<'_>]) -> Result<(Client, Vec<Row>), StoreError> {
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

    /// Asks for what may take minutes, as a count of all accounts does. The server's time limit is another one for this transaction
    /// alone, so that it works behind a pooler, too.
    pub(super) async fn ask_patiently(&self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        let mut client = self.client().await?;
        let asked = async {
            let transaction = client.transaction().await?;
            transaction.batch_execute(PATIENCE).await?;
            let rows = transaction.query_typed(sql, &[]).await?;
            transaction.commit().await?;
            Ok(rows)
        };
        let rows = match tokio::time::timeout(LONGEST, asked).await {
            Ok(rows) => rows.map_err(|error: tokio_postgres::Error| fault::told(&error)),
            Err(_) => Err(StoreError::Busy("the server does not answer")),
        };
        if rows.is_err() {
            discard(client);
        }
        rows
    }

    /// [`Postgres::ask`] for at most one row.
    pub(super) async fn ask_one(&self, sql: Sql, params: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        self.ask(sql, params).await.map(|(_, rows)| rows.into_iter().next())
    }
}

/// Closes a connection instead of giving it back to the pool.
pub(super) fn discard(client: Client) {
    drop(Object::take(client));
}
