//! Reading the outbox.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::super::error::StoreError;
use super::super::{Event, Events, Sql};
use super::read::parsed;

const AFTER: Sql = "SELECT id, kind, user_id, at, payload FROM events WHERE id > ?1 ORDER BY id LIMIT ?2";

const LAST: Sql = "
    SELECT * FROM (SELECT id, kind, user_id, at, payload FROM events ORDER BY id DESC LIMIT ?1) ORDER BY id";

pub(super) const STATEMENTS: &[Sql] = &[AFTER, LAST];

pub(super) fn events(connection: &Connection, wanted: Events) -> Result<Vec<Event>, StoreError> {
    let read = |row: &Row<'_>| Ok(event(row));
    match wanted {
        Events::Last(limit) => {
            connection.prepare_cached(LAST)?.query_map([limit], read)?.map(|row| row?).collect()
        }
        Events::After(id, limit) => {
            let id = id.to_string();
            connection.prepare_cached(AFTER)?.query_map(params![id, limit], read)?.map(|row| row?).collect()
        }
    }
}

fn event(row: &Row<'_>) -> Result<Event, StoreError> {
    let text = |column| row.get::<_, String>(column);
    Ok(Event {
        id: parsed("id", text(0)?.parse::<Uuid>())?,
        kind: text(1)?,
        user_id: row.get(2)?,
        at: parsed("at", text(3)?.parse())?,
        payload: parsed("payload", serde_json::from_str(&text(4)?))?,
    })
}
