//! The record of attempts.

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::super::error::StoreError;
use super::super::{Attempt, Attempts, Claimed, Sql};
use super::connections::Postgres;
use super::read;

/// A whole batch. It may come again after a doubtful failure.
const RECORD: Sql = "
    INSERT INTO audit (id, at, contract, outcome, status, network, user_id, email_digest, username_digest, attempts)
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[], $6::text[],
                         $7::uuid[], $8::bytea[], $9::bytea[], $10::bigint[])
    ON CONFLICT (id) DO NOTHING";

macro_rules! wanted {
    ($order:literal) => {
        concat!(
            "SELECT id, at, contract, outcome, status, network, user_id, email_digest, username_digest, attempts
             FROM audit
             WHERE id > $1::uuid AND ($2::text IS NULL OR outcome = $2::text)
                   AND ($3::text IS NULL OR contract = $3::text) AND ($4::text IS NULL OR network = $4::text)
                   AND (NOT $5::boolean OR email_digest = $6::bytea OR username_digest = $7::bytea)
             ORDER BY id ", $order, " LIMIT $8::bigint"
        )
    };
}

const OLDEST: Sql = wanted!("ASC");
const NEWEST: Sql = wanted!("DESC");

/// Two processes that purge at a time each take their own rows.
const PURGE: Sql = "
    WITH purged AS (
        DELETE FROM audit WHERE id IN
            (SELECT id FROM audit WHERE id < $1::uuid ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED)
        RETURNING 1
    ) SELECT count(*) FROM purged";

pub(super) const STATEMENTS: &[Sql] = &[RECORD, OLDEST, NEWEST, PURGE];

pub(super) async fn record(store: &Postgres, attempts: &[Attempt]) -> Result<(), StoreError> {
    fn column<'a, T>(attempts: &'a [Attempt], of: impl Fn(&'a Attempt) -> T) -> Vec<T> {
        attempts.iter().map(of).collect()
    }
    let ids: Vec<Uuid> = column(attempts, |a| a.id);
    let times: Vec<Timestamp> = column(attempts, |a| a.at);
    let contracts: Vec<&str> = column(attempts, |a| a.contract.as_str());
    let outcomes: Vec<&str> = column(attempts, |a| a.outcome.as_str());
    let statuses: Vec<Option<i16>> = column(attempts, |a| a.status.and_then(|status| status.try_into().ok()));
    let networks: Vec<Option<&str>> = column(attempts, |a| a.network.as_deref());
    let users: Vec<Option<Uuid>> = column(attempts, |a| a.user);
    let emails: Vec<Option<&[u8]>> = column(attempts, |a| a.claimed.email.as_ref().map(|d| d.as_slice()));
    let usernames: Vec<Option<&[u8]>> =
        column(attempts, |a| a.claimed.username.as_ref().map(|d| d.as_slice()));
    let counts: Vec<i64> = column(attempts, |a| i64::from(a.attempts));
    let params = [
        (&ids as _, Type::UUID_ARRAY),
        (&times as _, Type::TIMESTAMPTZ_ARRAY),
        (&contracts as _, Type::TEXT_ARRAY),
        (&outcomes as _, Type::TEXT_ARRAY),
        (&statuses as _, Type::INT2_ARRAY),
        (&networks as _, Type::TEXT_ARRAY),
        (&users as _, Type::UUID_ARRAY),
        (&emails as _, Type::BYTEA_ARRAY),
        (&usernames as _, Type::BYTEA_ARRAY),
        (&counts as _, Type::INT8_ARRAY),
    ];
    store.ask(RECORD, &params).await.map(|_| ())
}

pub(super) async fn attempts(store: &Postgres, wanted: &Attempts) -> Result<Vec<Attempt>, StoreError> {
    let about = wanted.about.unwrap_or_default();
    let (email, username) = (about.email.as_ref().map(|d| &d[..]), about.username.as_ref().map(|d| &d[..]));
    let (only_about, limit) = (wanted.about.is_some(), i64::from(wanted.limit));
    let params = [
        (&wanted.after as _, Type::UUID),
        (&wanted.outcome as _, Type::TEXT),
        (&wanted.contract as _, Type::TEXT),
        (&wanted.network as _, Type::TEXT),
        (&only_about as _, Type::BOOL),
        (&email as _, Type::BYTEA),
        (&username as _, Type::BYTEA),
        (&limit as _, Type::INT8),
    ];
    let (_, mut rows) = store.ask(if wanted.newest { NEWEST } else { OLDEST }, &params).await?;
    if wanted.newest {
        rows.reverse();
    }
    rows.iter().map(attempt).collect()
}

pub(super) async fn purge(store: &Postgres, before: Uuid) -> Result<usize, StoreError> {
    let row = store.ask_one(PURGE, &[(&before, Type::UUID)]).await?;
    let purged: Option<i64> = row.map(|row| row.try_get(0).map_err(read::unreadable)).transpose()?;
    Ok(purged.and_then(|purged| usize::try_from(purged).ok()).unwrap_or(0))
}

fn attempt(row: &Row) -> Result<Attempt, StoreError> {
    let digest = |column| -> Result<_, StoreError> {
        let bytes: Option<&[u8]> = row.try_get(column).map_err(read::unreadable)?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()))
    };
    let claimed = Claimed { email: digest(7)?, username: digest(8)? };
    let read = || -> Result<Attempt, tokio_postgres::Error> {
        let status: Option<i16> = row.try_get(4)?;
        let attempts: i64 = row.try_get(9)?;
        Ok(Attempt {
            id: row.try_get(0)?,
            at: row.try_get(1)?,
            contract: row.try_get(2)?,
            outcome: row.try_get(3)?,
            status: status.and_then(|status| status.try_into().ok()),
            network: row.try_get(5)?,
            user: row.try_get(6)?,
            claimed,
            attempts: attempts.try_into().unwrap_or(u32::MAX),
        })
    };
    read().map_err(read::unreadable)
}
