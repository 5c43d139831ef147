//! Another hash of the same password.

use rusqlite::{Connection, params};

use super::super::Sql;

const RENEW: Sql = "UPDATE users SET password = ?3, version = version + 1 WHERE id = ?1 AND password = ?2";

pub(super) const STATEMENTS: &[Sql] = &[RENEW];

/// Puts `new` where `old` stands; false when it no longer stands there.
pub(super) fn renew(connection: &Connection, id: i64, old: &str, new: &str) -> rusqlite::Result<bool> {
    Ok(connection.prepare_cached(RENEW)?.execute(params![id, old, new])? > 0)
}
