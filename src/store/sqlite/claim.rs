//! Claims for users who are there already.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::Sql;
use crate::user::Key;

const CLAIM: Sql = "
    INSERT INTO user_keys (kind, value, user_id) SELECT ?1, ?2, id FROM users WHERE id = ?3
    ON CONFLICT DO NOTHING";

const HOLDER: Sql = "SELECT user_id FROM user_keys WHERE kind = ?1 AND value = ?2";

pub(super) const STATEMENTS: &[Sql] = &[CLAIM, HOLDER];

/// Gives every claim that is free, in this order, and tells who holds each of them then.
pub(super) fn claim(connection: &Connection, claims: &[(i64, Key)]) -> rusqlite::Result<HashMap<Key, i64>> {
    let mut holders = HashMap::new();
    for (user, key) in claims {
        connection.prepare_cached(CLAIM)?.execute(params![key.kind, key.value, user])?;
        let mut holder = connection.prepare_cached(HOLDER)?;
        let holder = holder.query_row(params![key.kind, key.value], |row| row.get(0)).optional()?;
        holders.extend(holder.map(|holder| (key.clone(), holder)));
    }
    Ok(holders)
}
