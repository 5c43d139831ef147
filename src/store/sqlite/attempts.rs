//! The record of attempts.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::super::error::StoreError;
use super::super::{Attempt, Attempts, Claimed, Sql};
use super::read::{moment, parsed};

/// A batch may come again after a doubtful failure.
const RECORD: Sql = "
    INSERT INTO audit (id, at, contract, outcome, status, network, user_id, email_digest, username_digest, attempts)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING";

macro_rules! wanted {
    ($order:literal) => {
        concat!(
            "SELECT id, at, contract, outcome, status, network, user_id, email_digest, username_digest, attempts
             FROM audit
             WHERE id > ?1 AND (?2 IS NULL OR outcome = ?2) AND (?3 IS NULL OR contract = ?3)
                   AND (?4 IS NULL OR network = ?4)
                   AND (NOT ?5 OR email_digest = ?6 OR username_digest = ?7)
             ORDER BY id ", $order, " LIMIT ?8"
        )
    };
}

const OLDEST: Sql = wanted!("ASC");
const NEWEST: Sql = wanted!("DESC");

const PURGE: Sql = "
    DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ?1 ORDER BY id LIMIT 1000)";

pub(super) const STATEMENTS: &[Sql] = &[RECORD, OLDEST, NEWEST, PURGE];

pub(super) fn record(connection: &Connection, attempts: &[Attempt]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(RECORD)?;
    attempts.iter().try_for_each(|attempt| {
        statement
            .execute(params![
                attempt.id.to_string(),
                moment(attempt.at),
                attempt.contract,
                attempt.outcome,
                attempt.status,
                attempt.network,
                attempt.user.map(|id| id.to_string()),
                attempt.claimed.email,
                attempt.claimed.username,
                attempt.attempts,
            ])
            .map(|_| ())
    })
}

pub(super) fn attempts(connection: &Connection, wanted: &Attempts) -> Result<Vec<Attempt>, StoreError> {
    let mut statement = connection.prepare_cached(if wanted.newest { NEWEST } else { OLDEST })?;
    let about = wanted.about.unwrap_or_default();
    let given = params![
        wanted.after.to_string(),
        wanted.outcome,
        wanted.contract,
        wanted.network,
        wanted.about.is_some(),
        about.email,
        about.username,
        wanted.limit,
    ];
    let found: Result<Vec<Attempt>, StoreError> =
        statement.query_map(given, |row| Ok(attempt(row)))?.map(|row| row?).collect();
    let mut found = found?;
    if wanted.newest {
        found.reverse();
    }
    Ok(found)
}

pub(super) fn purge(connection: &Connection, before: Uuid) -> rusqlite::Result<usize> {
    connection.prepare_cached(PURGE)?.execute([before.to_string()])
}

fn attempt(row: &Row<'_>) -> Result<Attempt, StoreError> {
    let text = |column| row.get::<_, String>(column);
    let user: Option<String> = row.get(6)?;
    Ok(Attempt {
        id: parsed("id", text(0)?.parse())?,
        at: parsed("at", text(1)?.parse())?,
        contract: text(2)?,
        outcome: text(3)?,
        status: row.get(4)?,
        network: row.get(5)?,
        user: user.map(|id| parsed("user_id", id.parse())).transpose()?,
        claimed: Claimed { email: row.get(7)?, username: row.get(8)? },
        attempts: row.get(9)?,
    })
}
