//! Looking things up: a few read-only connections beside the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};
use tokio::sync::Semaphore;

use super::super::Sql;
use super::super::account::Who;
use super::super::error::StoreError;
use super::connection::connect;
use crate::user::{Key, User};

/// One row per user, with its keys as a JSON array of pairs; the condition follows.
macro_rules! users {
    ($rest:literal) => {
        concat!(
            "SELECT id, public_id, email, username, name, first_name, last_name, extra, status, version, \
             created_at, updated_at, \
             (SELECT json_group_array(json_array(kind, value) ORDER BY kind, value) \
              FROM user_keys WHERE user_id = users.id) \
             FROM users ",
            $rest
        )
    };
}

const USER_BY_ID: Sql = users!("WHERE id = ?1");

const USER_BY_PUBLIC_ID: Sql = users!("WHERE public_id = ?1");

const USER_BY_KEY: Sql = users!("WHERE id = (SELECT user_id FROM user_keys WHERE kind = ?1 AND value = ?2)");

const USERS_AFTER: Sql = users!("WHERE id > ?1 ORDER BY id LIMIT ?2");

const KEY_TAKEN: Sql = "SELECT count(*) FROM user_keys WHERE kind = ?1 AND value = ?2";

const PASSWORD: Sql = "SELECT password FROM users WHERE id = ?1";

const KEY_IDS: Sql = "
    SELECT CASE WHEN instr(password, ',keyid=') = 0 THEN NULL ELSE
        substr(password, instr(password, ',keyid=') + 7,
               instr(substr(password, instr(password, ',keyid=') + 7), '$') - 1) END AS key_id, count(*)
    FROM users WHERE password <> '' GROUP BY key_id ORDER BY key_id";

const PING: Sql = "SELECT count(*) FROM (SELECT 1 FROM users LIMIT 1)";

pub(super) const STATEMENTS: &[Sql] =
    &[USER_BY_ID, USER_BY_PUBLIC_ID, USER_BY_KEY, USERS_AFTER, KEY_TAKEN, PASSWORD, KEY_IDS, PING];

/// How many look-ups run at a time.
const READERS: usize = 4;

/// How long a look-up waits for its turn.
const DEADLINE: Duration = Duration::from_secs(5);

/// The read-only connections, opened when they are needed.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    path: PathBuf,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Readers {
        Readers { path, turns: Arc::new(Semaphore::new(READERS)), idle: Arc::default() }
    }

    /// Runs one look-up on a blocking thread.
    pub(super) async fn read<R: Send + 'static>(
        &self,
        look_up: impl FnOnce(&Connection) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let turn = tokio::time::timeout(DEADLINE, self.turns.clone().acquire_owned())
            .await
            .map_err(|_| StoreError::Busy("all readers are in use"))?
            .map_err(|_| StoreError::Closed)?;
        let (path, idle) = (self.path.clone(), self.idle.clone());
        let result = tokio::task::spawn_blocking(move || {
            let waiting = idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop();
            let connection = match waiting {
                Some(connection) => connection,
                None => connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?,
            };
            let result = look_up(&connection);
            // After an error the connection is not trusted again; a closed store keeps none.
            if result.is_ok() && !turn.semaphore().is_closed() {
                idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(connection);
            }
            drop(turn);
            result
        });
        result.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Refuses new look-ups and closes the idle connections.
    pub(super) fn close(&self) {
        self.turns.close();
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
    }
}

pub(super) fn find(connection: &Connection, who: &Who) -> Result<Option<User>, StoreError> {
    let one = |sql, params: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<Option<_>> {
        connection.prepare_cached(sql)?.query_row(params, |row| Ok(user(row))).optional()
    };
    let found = match who {
        Who::Id(id) => one(USER_BY_ID, &[id])?,
        Who::PublicId(id) => one(USER_BY_PUBLIC_ID, &[&id.to_string()])?,
        Who::Key(key) => one(USER_BY_KEY, &[&key.kind, &key.value])?,
    };
    found.transpose()
}

pub(super) fn list(connection: &Connection, after: i64, limit: u32) -> Result<Vec<User>, StoreError> {
    let mut statement = connection.prepare_cached(USERS_AFTER)?;
    let rows = statement.query_map(params![after, limit], |row| Ok(user(row)))?;
    rows.map(|row| row?).collect()
}

pub(super) fn password_of(connection: &Connection, id: i64) -> rusqlite::Result<Option<String>> {
    connection.prepare_cached(PASSWORD)?.query_row([id], |row| row.get(0)).optional()
}

pub(super) fn key_ids(connection: &Connection) -> rusqlite::Result<Vec<(Option<String>, i64)>> {
    let mut statement = connection.prepare_cached(KEY_IDS)?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// [`collisions`] of a state that the look-ups share: one read lock for all of them, which costs more than a look-up.
pub(super) fn collisions_at_once(connection: &Connection, keys: &[Key]) -> rusqlite::Result<Vec<Key>> {
    if keys.len() < 2 {
        return collisions(connection, keys);
    }
    let snapshot = connection.unchecked_transaction()?;
    let taken = collisions(&snapshot, keys)?;
    snapshot.finish()?;
    Ok(taken)
}

/// Which keys are taken, in the order given. Called by the writer inside its transaction.
pub(super) fn collisions(connection: &Connection, keys: &[Key]) -> rusqlite::Result<Vec<Key>> {
    let mut statement = connection.prepare_cached(KEY_TAKEN)?;
    let mut taken = Vec::new();
    for key in keys {
        let same: i64 = statement.query_row(params![key.kind, key.value], |row| row.get(0))?;
        if same > 0 {
            taken.push(key.clone());
        }
    }
    Ok(taken)
}

pub(super) fn ping(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached(PING)?.query_row([], |row| row.get::<_, i64>(0)).map(|_| ())
}

/// How a moment is written: ISO 8601 in UTC with milliseconds.
pub(super) fn moment(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn user(row: &Row<'_>) -> Result<User, StoreError> {
    let text = |column| row.get::<_, String>(column);
    let present = |text: String| (!text.is_empty()).then_some(text);
    let keys: Vec<(String, String)> = parsed("keys", serde_json::from_str(&text(12)?))?;
    Ok(User {
        id: row.get(0)?,
        public_id: parsed("public_id", text(1)?.parse())?,
        email: present(text(2)?),
        username: present(text(3)?),
        name: text(4)?,
        first_name: text(5)?,
        last_name: text(6)?,
        extra: parsed("extra", serde_json::from_str(&text(7)?))?,
        status: text(8)?,
        version: row.get(9)?,
        created_at: parsed("created_at", text(10)?.parse())?,
        updated_at: parsed("updated_at", text(11)?.parse())?,
        keys: keys.into_iter().map(|(kind, value)| Key { kind, value }).collect(),
    })
}

pub(super) fn parsed<T, E>(column: &str, result: Result<T, E>) -> Result<T, StoreError> {
    // The parser's own words could repeat the value.
    result.map_err(|_| StoreError::Unreadable(format!("column {column}")))
}
