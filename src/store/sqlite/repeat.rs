//! Answers that are kept for whoever sends the same request again.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::Sql;
use super::super::account::{Kept, Repetition};
use super::read::moment;

const KEEP: Sql = "
    INSERT INTO idempotency_keys (digest, fingerprint, user_id, reply, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";

const KNOWN: Sql = "SELECT count(*) FROM idempotency_keys WHERE digest = ?1";

const REPEAT: Sql = "
    UPDATE idempotency_keys SET repeats = repeats + 1 WHERE digest = ?1 AND expires_at > ?2
    RETURNING fingerprint, reply";

const FORGET: Sql = "DELETE FROM idempotency_keys WHERE digest = ?1 AND expires_at <= ?2";

const PURGE: Sql = "
    DELETE FROM idempotency_keys WHERE digest IN
        (SELECT digest FROM idempotency_keys WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 1000)";

pub(super) const STATEMENTS: &[Sql] = &[KEEP, KNOWN, REPEAT, FORGET, PURGE];

/// Keeps an answer, in the transaction of its account.
pub(super) fn keep(
    connection: &Connection,
    user: i64,
    repetition: &Repetition,
    reply: &[u8],
) -> rusqlite::Result<()> {
    let Repetition { digest, fingerprint, expires_at } = repetition;
    let mut statement = connection.prepare_cached(KEEP)?;
    statement.execute(params![digest, fingerprint, user, reply, moment(*expires_at)]).map(|_| ())
}

/// Whether anything is kept, expired or not.
pub(super) fn is_known(connection: &Connection, digest: &[u8; 32]) -> rusqlite::Result<bool> {
    let known: i64 = connection.prepare_cached(KNOWN)?.query_row([digest], |row| row.get(0))?;
    Ok(known > 0)
}

/// The answer, counted; one that has expired is removed, so that its digest can be used again.
pub(super) fn repeat(
    connection: &Connection,
    digest: &[u8; 32],
    now: Timestamp,
) -> rusqlite::Result<Option<Kept>> {
    let now = moment(now);
    let kept = connection
        .prepare_cached(REPEAT)?
        .query_row(params![digest, now], |row| Ok(Kept { fingerprint: row.get(0)?, reply: row.get(1)? }))
        .optional()?;
    if kept.is_none() {
        connection.prepare_cached(FORGET)?.execute(params![digest, now])?;
    }
    Ok(kept)
}

pub(super) fn purge(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    connection.prepare_cached(PURGE)?.execute([moment(now)])
}
