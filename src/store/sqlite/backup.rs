//! Copying a database file: while it is served, whole or not at all, and never over another one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::super::backup::{BackupError, Copied};
use super::super::error::{OpenError, StoreError};
use super::super::{Opening, Sql};
use super::connection::connect;
use super::{file, open};

/// One snapshot, as of one moment, without holding up whoever writes (<https://www.sqlite.org/lang_vacuum.html>).
const COPY: Sql = "VACUUM INTO ?1";

const USERS: Sql = "SELECT count(*) FROM users";

pub(super) const STATEMENTS: &[Sql] = &[COPY, USERS];

/// Copies the database of `connection` to a file that is not there yet.
pub(super) fn backup(connection: &Connection, to: &Path) -> Result<Copied, BackupError> {
    place(to, |draft| {
        let text =
            draft.to_str().ok_or_else(|| unwritable(draft, io::Error::other("its name is not UTF-8")))?;
        connection.execute(COPY, [text]).map(|_| ()).map_err(|error| StoreError::from(error).into())
    })
}

/// Copies the file of a backup to where a database is to be. Nobody may have that file open.
pub(super) fn restore(from: &Path, to: &Path) -> Result<Copied, BackupError> {
    file::inspect(from)?;
    // The log is beside the file itself, and not beside a link to it.
    let from = &fs::canonicalize(from).unwrap_or_else(|_| from.to_owned());
    for suffix in ["-wal", "-journal"] {
        let log = beside(from, suffix);
        if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            return Err(BackupError::HasLog { from: from.to_owned(), log });
        }
    }
    // Told first: beside a database that is there its log may lie, too.
    absent(to)?;
    for suffix in ["-wal", "-shm", "-journal"] {
        let remains = beside(to, suffix);
        if fs::exists(&remains).unwrap_or(true) {
            return Err(BackupError::Remains(remains));
        }
    }
    place(to, |draft| pour(from, draft).map_err(|error| unwritable(draft, error)))
}

/// The file that SQLite keeps beside a database, by the end of its name.
fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Copies the contents alone: `fs::copy` would also let everybody read the one file who may read the other.
fn pour(from: &Path, into: &Path) -> io::Result<()> {
    io::copy(&mut File::open(from)?, &mut OpenOptions::new().write(true).open(into)?).map(|_| ())
}

/// Lets `write` fill a draft beside `to`, checks it, and gives it its name when it is whole and on the disk.
fn place(to: &Path, write: impl FnOnce(&Path) -> Result<(), BackupError>) -> Result<Copied, BackupError> {
    let to = absent(to)?;
    let draft = file::draft_of(&to);
    let made = make(&draft, write).and_then(|copied| match fs::hard_link(&draft, &to) {
        Ok(()) => Ok(copied),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(BackupError::Exists(to.clone())),
        Err(error) => Err(unwritable(&to, error)),
    });
    // The draft's name has served, or what it holds is of no use.
    let _ = fs::remove_file(&draft);
    let copied = made?;
    file::sync_folder(&to).map_err(|error| unwritable(&to, error))?;
    Ok(copied)
}

/// The absolute path of what is not there yet.
fn absent(to: &Path) -> Result<PathBuf, BackupError> {
    let to = std::path::absolute(to).map_err(|error| unwritable(to, error))?;
    match fs::exists(&to) {
        Ok(false) => Ok(to),
        Ok(true) => Err(BackupError::Exists(to)),
        Err(error) => Err(unwritable(&to, error)),
    }
}

fn make(draft: &Path, write: impl FnOnce(&Path) -> Result<(), BackupError>) -> Result<Copied, BackupError> {
    // Made here, empty, so that nobody but its owner can ever read it; SQLite fills an empty file.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)
        .map_err(|error| unwritable(draft, error))?;
    write(draft)?;
    File::open(draft).and_then(|file| file.sync_all()).map_err(|error| unwritable(draft, error))?;
    let users = verify(draft)?;
    let bytes = fs::metadata(draft).map_err(|error| unwritable(draft, error))?.len();
    Ok(Copied { users, bytes })
}

/// Reads all of a copy, indexes included, and counts its accounts.
fn verify(draft: &Path) -> Result<i64, BackupError> {
    file::inspect(draft)?;
    let failed = |error: rusqlite::Error| BackupError::Store(error.into());
    // It stays as it is: without a log beside it, and by a newer schema it is no worse a copy.
    let uri = format!("file:{}?immutable=1", escaped(draft));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = connect(Path::new(&uri), flags).map_err(failed)?;
    let finding: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if finding != "ok" {
        let detail = finding.lines().collect::<Vec<_>>().join(" ");
        return Err(OpenError::Corrupt { database: draft.display().to_string(), detail }.into());
    }
    connection.query_row(USERS, [], |row| row.get(0)).map_err(failed)
}

/// A path inside of a URI: `?`, `#` and `%` mean something there.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn unwritable(path: &Path, source: io::Error) -> BackupError {
    BackupError::Write { path: PathBuf::from(path), source }
}

/// What a restored file is checked with once it has its name: the server's own way in.
pub(super) fn reopens(path: &Path) -> Result<(), BackupError> {
    let file = super::super::url::SqliteFile { path: path.to_owned(), may_create: false };
    match open::open(&file, Opening::Inspect) {
        // An older schema is migrated by the next start.
        Ok(_) | Err(OpenError::Older { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
