//! The folder that outlives the server: the account's key, the certificate and its key, the open challenges, and the lock
//! that makes one process of several the one that orders. Whatever is replaced is replaced by a rename.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What is kept about one certificate authority.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Where it lies for the authority of this directory: one authority's account and certificates mean nothing to
    /// another, such as the same one's for trying things out.
    pub(super) fn of(state: &Path, directory: &str) -> Folder {
        let name = directory.strip_prefix("https://").unwrap_or(directory);
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' };
        Folder(state.join(name.chars().map(plain).collect::<String>()))
    }

    /// Makes what is missing, for the owner's eyes alone.
    pub(super) fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.challenges())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The account's name and key.
    pub(super) fn account(&self) -> PathBuf {
        self.0.join("account.json")
    }

    /// The certificate with its chain, and its key: in one file, so that they are replaced together.
    pub(super) fn certificate(&self) -> PathBuf {
        self.0.join("certificate.pem")
    }

    pub(super) fn challenges(&self) -> PathBuf {
        self.0.join("challenges")
    }

    /// Forgets all challenges: those that an order has left behind which was interrupted.
    pub(super) fn clear_challenges(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.challenges())? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    /// Takes the lock, which ends with the file that is returned, or with the process; `None` while another has it.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(self.0.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Puts a file in the place of another, or of none. `good` may still refuse the new one, before anybody sees it. Only
/// the holder of the lock writes.
pub(super) fn replace<E: From<io::Error>>(
    path: &Path,
    text: &str,
    good: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let new = path.with_extension("new");
    // One that was left behind may have other rights.
    if let Err(error) = fs::remove_file(&new)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error.into());
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    good(&new)?;
    fs::rename(&new, path)?;
    // The rename itself should last too.
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
