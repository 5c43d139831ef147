//! Another hash of the same password.

use tokio_postgres::types::Type;

use super::super::Sql;
use super::super::error::StoreError;
use super::connections::Postgres;

/// Asked a second time it finds nothing to do.
const RENEW: Sql = "
    UPDATE users SET password = $3::text, version = version + 1
    WHERE id = $1::bigint AND password = $2::text RETURNING 1";

pub(super) const STATEMENTS: &[Sql] = &[RENEW];

/// Puts `new` where `old` stands; false when it no longer stands there.
pub(super) async fn renew(store: &Postgres, id: i64, old: &str, new: &str) -> Result<bool, StoreError> {
    let params = [(&id as _, Type::INT8), (&old as _, Type::TEXT), (&new as _, Type::TEXT)];
    Ok(store.ask_one(RENEW, &params).await?.is_some())
}
