//! Looking things up.

use std::collections::HashSet;

use deadpool_postgres::Client;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use super::super::Sql;
use super::super::account::{IDEMPOTENCY_KEY, NewAccount, PUBLIC_ID, Who};
use super::super::error::StoreError;
use super::connections::{DEADLINE, Param, Postgres};
use super::fault;
use crate::user::{Key, User};

/// One row per user, with its keys as two arrays in one order; the condition follows.
macro_rules! users {
    ($rest:literal) => {
        concat!(
            "SELECT id, public_id, email, username, name, first_name, last_name, extra, status, version, \
             created_at, updated_at, \
             ARRAY(SELECT kind FROM user_keys WHERE user_id = users.id ORDER BY kind, value), \
             ARRAY(SELECT value FROM user_keys WHERE user_id = users.id ORDER BY kind, value) \
             FROM users ",
            $rest
        )
    };
}

const USER_BY_ID: Sql = users!("WHERE id = $1::bigint");

const USER_BY_PUBLIC_ID: Sql = users!("WHERE public_id = $1::uuid");

const USER_BY_KEY: Sql =
    users!("WHERE id = (SELECT user_id FROM user_keys WHERE kind = $1::text AND value = $2::text)");

const USERS_AFTER: Sql = users!("WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint");

const COLLISIONS: Sql = "
    SELECT kind, value FROM user_keys
    WHERE (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))
    UNION ALL
    SELECT 'public_id', public_id::text FROM users WHERE public_id = $3::uuid
    UNION ALL
    SELECT 'idempotency_key', '' FROM idempotency_keys WHERE digest = $4::bytea";

const PASSWORD: Sql = "SELECT password FROM users WHERE id = $1::bigint";

/// Reads every account, so it takes longer than other look-ups.
const KEY_IDS: Sql = "
    SELECT substring(password from ',keyid=([^$,]*)') COLLATE \"C\" AS key_id, count(*)
    FROM users WHERE password <> '' GROUP BY key_id ORDER BY key_id NULLS FIRST";

const PING: Sql = "SELECT count(*) FROM (SELECT 1 FROM users LIMIT 1) AS first";

pub(super) const STATEMENTS: &[Sql] =
    &[USER_BY_ID, USER_BY_PUBLIC_ID, USER_BY_KEY, USERS_AFTER, COLLISIONS, PASSWORD, KEY_IDS, PING];

pub(super) async fn find(store: &Postgres, who: &Who) -> Result<Option<User>, StoreError> {
    let row = match who {
        Who::Id(id) => store.ask_one(USER_BY_ID, &[(id, Type::INT8)]).await,
        Who::PublicId(id) => store.ask_one(USER_BY_PUBLIC_ID, &[(id, Type::UUID)]).await,
        Who::Key(Key { kind, value }) => {
            store.ask_one(USER_BY_KEY, &[(kind, Type::TEXT), (value, Type::TEXT)]).await
        }
    };
    row?.as_ref().map(user).transpose()
}

pub(super) async fn list(store: &Postgres, after: i64, limit: u32) -> Result<Vec<User>, StoreError> {
    let limit = i64::from(limit);
    let (_, rows) = store.ask(USERS_AFTER, &[(&after, Type::INT8), (&limit, Type::INT8)]).await?;
    rows.iter().map(user).collect()
}

pub(super) async fn password_of(store: &Postgres, id: i64) -> Result<Option<String>, StoreError> {
    let row = store.ask_one(PASSWORD, &[(&id, Type::INT8)]).await?;
    row.map(|row| row.try_get(0).map_err(unreadable)).transpose()
}

pub(super) async fn key_ids(store: &Postgres) -> Result<Vec<(Option<String>, i64)>, StoreError> {
    let rows = store.ask_patiently(KEY_IDS).await?;
    let row = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter().map(row).collect::<Result<_, _>>().map_err(unreadable)
}

/// Which keys are taken, in the order given.
pub(super) async fn collisions(store: &Postgres, keys: &[Key]) -> Result<Vec<Key>, StoreError> {
    let (kinds, values) = columns(keys);
    let (no_id, no_digest): (Option<Uuid>, Option<&[u8]>) = (None, None);
    let params: [Param<'_>; 4] = [
        (&kinds, Type::TEXT_ARRAY),
        (&values, Type::TEXT_ARRAY),
        (&no_id, Type::UUID),
        (&no_digest, Type::BYTEA),
    ];
    let (_, rows) = store.ask(COLLISIONS, &params).await?;
    among(&rows, keys)
}

/// Which keys of a refused account are taken, and after them its public id and its idempotency key when those are.
///
/// On the connection that was refused: were each to wait for a second one while it holds its first, a pool full of
/// refusals would wait for itself.
pub(super) async fn collisions_of(client: &Client, new: &NewAccount) -> Result<Vec<Key>, StoreError> {
    let (kinds, values) = columns(&new.keys);
    let digest = new.repetition.as_ref().map(|repetition| repetition.digest.as_slice());
    let params: [Param<'_>; 4] = [
        (&kinds, Type::TEXT_ARRAY),
        (&values, Type::TEXT_ARRAY),
        (&new.public_id, Type::UUID),
        (&digest, Type::BYTEA),
    ];
    let asked = tokio::time::timeout(DEADLINE, client.query_typed(COLLISIONS, &params)).await;
    let rows = asked.map_err(|_| StoreError::Busy("the server does not answer"))?;
    let rows = rows.map_err(|error| fault::told(&error))?;
    let mut claims = new.keys.clone();
    claims.push(Key { kind: PUBLIC_ID.to_owned(), value: new.public_id.to_string() });
    claims.push(Key { kind: IDEMPOTENCY_KEY.to_owned(), value: String::new() });
    among(&rows, &claims)
}

fn columns(keys: &[Key]) -> (Vec<&str>, Vec<&str>) {
    keys.iter().map(|key| (key.kind.as_str(), key.value.as_str())).unzip()
}

fn among(rows: &[Row], claims: &[Key]) -> Result<Vec<Key>, StoreError> {
    let mut taken = HashSet::new();
    for row in rows {
        let (kind, value) = (row.try_get(0).map_err(unreadable)?, row.try_get(1).map_err(unreadable)?);
        taken.insert(Key { kind, value });
    }
    Ok(claims.iter().filter(|claim| taken.contains(claim)).cloned().collect())
}

pub(super) async fn ping(store: &Postgres) -> Result<(), StoreError> {
    store.ask(PING, &[]).await.map(|_| ())
}

fn user(row: &Row) -> Result<User, StoreError> {
    read_user(row).map_err(unreadable)
}

fn read_user(row: &Row) -> Result<User, tokio_postgres::Error> {
    let present = |text: String| (!text.is_empty()).then_some(text);
    let (kinds, values): (Vec<String>, Vec<String>) = (row.try_get(12)?, row.try_get(13)?);
    let Json(extra) = row.try_get(7)?;
    Ok(User {
        id: row.try_get(0)?,
        public_id: row.try_get(1)?,
        email: present(row.try_get(2)?),
        username: present(row.try_get(3)?),
        name: row.try_get(4)?,
        first_name: row.try_get(5)?,
        last_name: row.try_get(6)?,
        extra,
        status: row.try_get(8)?,
        version: row.try_get(9)?,
        created_at: row.try_get(10)?,
        updated_at: row.try_get(11)?,
        keys: kinds.into_iter().zip(values).map(|(kind, value)| Key { kind, value }).collect(),
    })
}

pub(super) fn unreadable(error: tokio_postgres::Error) -> StoreError {
    // The driver names the column; its cause could repeat the value.
    StoreError::Unreadable(error.to_string())
}
