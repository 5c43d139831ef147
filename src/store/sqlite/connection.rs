//! A connection to a file: its settings, and the schema that it gives to the file.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::super::migrations;

/// How long a connection waits for another process's lock before the work is given up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// All statements of this store fit, also those of later work; rusqlite's default of 16 would not hold them.
const CACHED_STATEMENTS: usize = 128;

/// The commit of every acknowledged account is on the disk (`synchronous=FULL`: NORMAL can lose the last ones at a
/// power cut). SQLite's own checkpoint every 1000 pages stays on: the writer does it after a commit, when nobody
/// else is writing, which keeps the log bounded under a load that never pauses, as a checkpoint from beside cannot;
/// the price is one longer commit in about a hundred sign-ups.
const WRITER_SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;";

/// Views and triggers that somebody planted in the file get no functions with side effects.
const SETTINGS: &str = "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;";

/// Turns on write-ahead logging and durable commits.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))?;
    connection.execute_batch(WRITER_SETTINGS)
}

/// A connection of either kind, with what holds for all of them.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.execute_batch(SETTINGS)?;
    Ok(connection)
}

/// Applies the pending migrations; a failure can mean that another instance was faster, hence the repetitions.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), refinery::Error> {
    // A deferred transaction that reads and then writes fails at once, without waiting, when another writes between.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let runner = migrations::sqlite();
    let mut result = runner.run(connection);
    for _ in 1..migrations::ATTEMPTS {
        if result.is_ok() {
            break;
        }
        result = runner.run(connection);
    }
    result.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_syncs_every_commit() {
        let connection = Connection::open_in_memory().expect("a database in memory");
        connection.execute_batch("PRAGMA synchronous = OFF").expect("another setting");
        settle(&connection).expect("settled");
        let level: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).expect("a level");
        assert_eq!(level, 2, "2 is FULL");
    }
}
