//! Reading the outbox.

use tokio_postgres::Row;
use tokio_postgres::types::{Json, Type};

use super::super::error::StoreError;
use super::super::{Event, Events, Sql};
use super::connections::Postgres;
use super::read;

const AFTER: Sql =
    "SELECT id, kind, user_id, at, payload FROM events WHERE id > $1::uuid ORDER BY id LIMIT $2::bigint";

const LAST: Sql = "
    SELECT * FROM (SELECT id, kind, user_id, at, payload FROM events ORDER BY id DESC LIMIT $1::bigint) AS newest
    ORDER BY id";

pub(super) const STATEMENTS: &[Sql] = &[AFTER, LAST];

pub(super) async fn events(store: &Postgres, wanted: Events) -> Result<Vec<Event>, StoreError> {
    let (_, rows) = match wanted {
        Events::Last(limit) => store.ask(LAST, &[(&i64::from(limit), Type::INT8)]).await?,
        Events::After(id, limit) => {
            store.ask(AFTER, &[(&id, Type::UUID), (&i64::from(limit), Type::INT8)]).await?
        }
    };
    rows.iter().map(|row| event(row).map_err(read::unreadable)).collect()
}

fn event(row: &Row) -> Result<Event, tokio_postgres::Error> {
    let Json(payload) = row.try_get(4)?;
    Ok(Event {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        user_id: row.try_get(2)?,
        at: row.try_get(3)?,
        payload,
    })
}
