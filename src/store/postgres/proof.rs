//! Proofs of work that were used.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::super::Sql;
use super::super::account::Spending;
use super::super::error::StoreError;
use super::connections::Postgres;
use super::read;

const SPEND: Sql = "
    INSERT INTO spent_proofs (digest, request, expires_at) VALUES ($1::bytea, $2::bytea, $3::timestamptz)
    ON CONFLICT (digest) DO UPDATE SET uses = spent_proofs.uses + 1
        WHERE spent_proofs.request = excluded.request AND spent_proofs.uses < 5
    RETURNING uses";

/// Two processes that purge at a time each take their own rows.
const PURGE: Sql = "
    WITH purged AS (
        DELETE FROM spent_proofs WHERE digest IN
            (SELECT digest FROM spent_proofs WHERE expires_at <= $1::timestamptz
             ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
        RETURNING 1
    ) SELECT count(*) FROM purged";

pub(super) const STATEMENTS: &[Sql] = &[SPEND, PURGE];

/// Whether it counts. Asked again after a broken connection, it may find itself: a proof is then lost, never doubled.
pub(super) async fn spend(store: &Postgres, proof: &Spending) -> Result<bool, StoreError> {
    let digest = proof.digest.as_slice();
    let request = proof.request.as_ref().map(<[u8; 32]>::as_slice);
    let params = [
        (&digest as _, Type::BYTEA),
        (&request as _, Type::BYTEA),
        (&proof.expires_at as _, Type::TIMESTAMPTZ),
    ];
    Ok(store.ask_one(SPEND, &params).await?.is_some())
}

pub(super) async fn purge(store: &Postgres, now: Timestamp) -> Result<usize, StoreError> {
    let row = store.ask_one(PURGE, &[(&now, Type::TIMESTAMPTZ)]).await?;
    let purged: Option<i64> = row.map(|row| row.try_get(0).map_err(read::unreadable)).transpose()?;
    Ok(purged.and_then(|purged| usize::try_from(purged).ok()).unwrap_or(0))
}
