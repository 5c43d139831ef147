//! Claims for users who are there already.

use std::collections::HashMap;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::super::Sql;
use super::super::error::StoreError;
use super::connections::Postgres;
use super::read;
use crate::user::Key;

/// It may be asked again: what was given the first time is no longer free.
const CLAIM: Sql = "
    INSERT INTO user_keys (kind, value, user_id)
    SELECT claim.kind, claim.value, users.id
    FROM unnest($1::text[], $2::text[], $3::bigint[]) AS claim (kind, value, user_id)
    JOIN users ON users.id = claim.user_id ORDER BY users.id
    ON CONFLICT DO NOTHING";

const HOLDERS: Sql = "
    SELECT kind, value, user_id FROM user_keys
    WHERE (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))";

pub(super) const STATEMENTS: &[Sql] = &[CLAIM, HOLDERS];

/// Gives every claim that is free, by the order of users, and tells who holds each of them then. The second question
/// also sees what others gave away while the first one ran.
pub(super) async fn claim(store: &Postgres, claims: &[(i64, Key)]) -> Result<HashMap<Key, i64>, StoreError> {
    let kinds: Vec<&str> = claims.iter().map(|(_, key)| key.kind.as_str()).collect();
    let values: Vec<&str> = claims.iter().map(|(_, key)| key.value.as_str()).collect();
    let users: Vec<i64> = claims.iter().map(|(user, _)| *user).collect();
    let (kinds, values) = ((&kinds as _, Type::TEXT_ARRAY), (&values as _, Type::TEXT_ARRAY));
    let _ = store.ask(CLAIM, &[kinds.clone(), values.clone(), (&users, Type::INT8_ARRAY)]).await?;
    let (_, rows) = store.ask(HOLDERS, &[kinds, values]).await?;
    rows.iter().map(|row| holder(row).map_err(read::unreadable)).collect()
}

fn holder(row: &Row) -> Result<(Key, i64), tokio_postgres::Error> {
    Ok((Key { kind: row.try_get(0)?, value: row.try_get(1)? }, row.try_get(2)?))
}
