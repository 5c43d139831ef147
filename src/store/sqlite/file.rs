//! The database as a file: made whole or not at all, and recognised before SQLite touches it.

use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher as _;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;

use super::super::error::OpenError;
use super::connection::{connect, migrate, settle};

/// What every SQLite 3 file starts with (<https://www.sqlite.org/fileformat.html#the_database_header>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Where the header keeps the application's mark, in big-endian order.
const APPLICATION_ID: std::ops::Range<usize> = 68..72;

/// "VSTB", as the first migration writes it.
const OURS: [u8; 4] = *b"VSTB";

/// Makes a new database with its schema, readable by its owner only. False when another process was faster.
///
/// The file is made under another name and linked into its place when it is complete, so nobody ever finds an
/// empty or half-made database there, whenever this process is killed; and of two that start together one wins.
pub(super) fn create(path: &Path) -> Result<bool, OpenError> {
    let draft = draft_of(path);
    let made = build(&draft).map_err(|reason| OpenError::Create { path: path.to_owned(), reason });
    let linked = made.and_then(|()| match fs::hard_link(&draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(OpenError::Create { path: path.to_owned(), reason: error.to_string() }),
    });
    // The draft's name has served. That it cannot be removed harms nobody.
    let _ = fs::remove_file(&draft);
    let created = linked?;
    sync_folder(path)
        .map_err(|error| OpenError::Create { path: path.to_owned(), reason: error.to_string() })?;
    Ok(created)
}

/// Refuses, without changing a byte, what is not a Vestibule database.
pub(super) fn inspect(path: &Path) -> Result<(), OpenError> {
    let unreadable =
        |error: io::Error| OpenError::Unreadable { path: path.to_owned(), reason: error.to_string() };
    let mut header = Vec::with_capacity(100);
    File::open(path).map_err(unreadable)?.take(100).read_to_end(&mut header).map_err(unreadable)?;
    if header.is_empty() {
        return Err(OpenError::Empty(path.to_owned()));
    }
    if header.len() < 100 || !header.starts_with(MAGIC) {
        return Err(OpenError::NotADatabase(path.to_owned()));
    }
    if header[APPLICATION_ID] != OURS {
        let sign = "its application_id is not Vestibule's";
        return Err(OpenError::Foreign { database: path.display().to_string(), sign });
    }
    Ok(())
}

fn build(draft: &Path) -> Result<(), String> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)
        .map_err(|error| error.to_string())?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = connect(draft, flags).map_err(|error| error.to_string())?;
    settle(&connection).map_err(|error| error.to_string())?;
    migrate(&mut connection).map_err(|error| error.to_string())?;
    // The last connection's close moves the log into the file and removes it: the draft is then one whole file.
    connection.close().map_err(|(_, error)| error.to_string())?;
    File::open(draft).and_then(|file| file.sync_all()).map_err(|error| error.to_string())
}

/// A name beside the file that no other process chooses: containers all have the process id 1, so the standard
/// library's per-process hash keys make the difference.
pub(super) fn draft_of(path: &Path) -> PathBuf {
    let unique = std::hash::RandomState::new().hash_one(std::process::id());
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{unique:016x}"));
    PathBuf::from(name)
}

/// A new name is durable only when its folder is.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder)?.sync_all()
}
