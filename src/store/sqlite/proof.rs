//! Proofs of work that were used.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::Sql;
use super::super::account::Spending;
use super::read::moment;

const SPEND: Sql = "
    INSERT INTO spent_proofs (digest, request, expires_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (digest) DO UPDATE SET uses = uses + 1
        WHERE spent_proofs.request = excluded.request AND spent_proofs.uses < 5
    RETURNING uses";

const PURGE: Sql = "
    DELETE FROM spent_proofs WHERE digest IN
        (SELECT digest FROM spent_proofs WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 1000)";

pub(super) const STATEMENTS: &[Sql] = &[SPEND, PURGE];

/// Whether it counts.
pub(super) fn spend(connection: &Connection, proof: &Spending) -> rusqlite::Result<bool> {
    let Spending { digest, request, expires_at } = proof;
    let mut statement = connection.prepare_cached(SPEND)?;
    let uses: Option<i64> = statement
        .query_row(params![digest, request.as_ref(), moment(*expires_at)], |row| row.get(0))
        .optional()?;
    Ok(uses.is_some())
}

pub(super) fn purge(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    connection.prepare_cached(PURGE)?.execute([moment(now)])
}
