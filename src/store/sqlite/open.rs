//! Opening a file: is it ours, is it whole, is its schema the one we know.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::super::error::{OpenError, StoreError};
use super::super::migrations;
use super::super::url::SqliteFile;
use super::super::{Opening, Sql};
use super::connection::{connect, migrate, settle};
use super::file;

/// A file up to this size is read through at start. A larger one would make the start slow; its damaged pages are
/// then found by the statement that meets them.
const CHECKED_BYTES: u64 = 64 * 1024 * 1024;

const HISTORY_EXISTS: Sql =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'vestibule_migrations'";

const SCHEMA_NUMBER: Sql = "SELECT coalesce(max(version), 0) FROM vestibule_migrations";

pub(super) const STATEMENTS: &[Sql] = &[HISTORY_EXISTS, SCHEMA_NUMBER];

/// A file that has been found good.
pub(super) struct Opened {
    /// The connection that writes.
    pub(super) connection: Connection,
    /// The absolute path, so that a later change of the working directory changes nothing.
    pub(super) path: PathBuf,
    /// Whether the file is new.
    pub(super) created: bool,
}

/// Opens the file, creating and migrating it only to serve.
pub(super) fn open(file: &SqliteFile, opening: Opening) -> Result<Opened, OpenError> {
    let path = std::path::absolute(&file.path).map_err(|error| unreadable(&file.path, &error))?;
    let mut created = false;
    if !path.try_exists().map_err(|error| unreadable(&file.path, &error))? {
        if opening == Opening::Inspect {
            return Err(OpenError::Missing(file.path.clone()));
        }
        if !file.may_create {
            return Err(OpenError::NotCreatable(file.path.clone()));
        }
        created = file::create(&path)?;
    }
    file::inspect(&path)?;
    let mut connection = writable(&path)?;
    check_pages(&connection, &path)?;
    check_schema(&mut connection, &path, opening)?;
    Ok(Opened { connection, path, created })
}

/// A connection for the writer.
fn writable(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags).map_err(|error| refused(path, error))?;
    if connection.is_readonly("main").map_err(|error| refused(path, error))? {
        return Err(OpenError::NotWritable { database: path.display().to_string() });
    }
    settle(&connection).map_err(|error| refused(path, error))?;
    Ok(connection)
}

fn check_pages(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let bytes = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if bytes > CHECKED_BYTES {
        return Ok(());
    }
    let finding: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| refused(path, error))?;
    if finding == "ok" {
        return Ok(());
    }
    let detail = finding.lines().collect::<Vec<_>>().join(" ");
    Err(OpenError::Corrupt { database: path.display().to_string(), detail })
}

fn check_schema(connection: &mut Connection, path: &Path, opening: Opening) -> Result<(), OpenError> {
    let database = path.display().to_string();
    let number =
        |sql| connection.query_row(sql, [], |row| row.get::<_, i32>(0)).map_err(|error| refused(path, error));
    if number(HISTORY_EXISTS)? == 0 {
        return Err(OpenError::Foreign { database, sign: "it has no table vestibule_migrations" });
    }
    let found = number(SCHEMA_NUMBER)?;
    let known = migrations::KNOWN;
    if found > known {
        return Err(OpenError::Newer { database, found, known });
    }
    match opening {
        Opening::Inspect if found < known => Err(OpenError::Older { database, found, known }),
        Opening::Inspect => Ok(()),
        Opening::Serve => {
            migrate(connection).map_err(|error| OpenError::Migrate { database, reason: error.to_string() })
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> OpenError {
    OpenError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

/// What SQLite says to a file while it is being opened, in our words.
fn refused(path: &Path, error: rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase, PermissionDenied, ReadOnly};
    let database = path.display().to_string();
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => OpenError::Corrupt { database, detail: error.to_string() },
        Some(ReadOnly | PermissionDenied | CannotOpen) => OpenError::NotWritable { database },
        _ => OpenError::Store { database, source: StoreError::from(error) },
    }
}
