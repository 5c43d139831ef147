//! Answers that are kept for whoever sends the same request again.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::super::Sql;
use super::super::account::Kept;
use super::super::error::StoreError;
use super::connections::Postgres;
use super::read;

/// Its commit is durable only when all before it are, the one of the account included.
const REPEAT: Sql = "
    WITH forgotten AS (
        DELETE FROM idempotency_keys WHERE digest = $1::bytea AND expires_at <= $2::timestamptz
    )
    UPDATE idempotency_keys SET repeats = repeats + 1 WHERE digest = $1::bytea AND expires_at > $2::timestamptz
    RETURNING fingerprint, reply";

/// Two processes that purge at a time each take their own rows.
const PURGE: Sql = "
    WITH purged AS (
        DELETE FROM idempotency_keys WHERE digest IN
            (SELECT digest FROM idempotency_keys WHERE expires_at <= $1::timestamptz
             ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
        RETURNING 1
    ) SELECT count(*) FROM purged";

pub(super) const STATEMENTS: &[Sql] = &[REPEAT, PURGE];

/// The answer, counted; one that has expired is removed, so that its digest can be used again.
pub(super) async fn repeat(
    store: &Postgres,
    digest: [u8; 32],
    now: Timestamp,
) -> Result<Option<Kept>, StoreError> {
    let digest = digest.as_slice();
    let params = [(&digest as _, Type::BYTEA), (&now as _, Type::TIMESTAMPTZ)];
    let Some(row) = store.ask_one(REPEAT, &params).await? else { return Ok(None) };
    let fingerprint = row.try_get(0).map_err(read::unreadable)?;
    Ok(Some(Kept { fingerprint, reply: row.try_get(1).map_err(read::unreadable)? }))
}

pub(super) async fn purge(store: &Postgres, now: Timestamp) -> Result<usize, StoreError> {
    let row = store.ask_one(PURGE, &[(&now, Type::TIMESTAMPTZ)]).await?;
    let purged: Option<i64> = row.map(|row| row.try_get(0).map_err(read::unreadable)).transpose()?;
    Ok(purged.and_then(|purged| usize::try_from(purged).ok()).unwrap_or(0))
}
