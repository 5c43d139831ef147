//! A temporary folder.

use std::path::Path;

use tempfile::TempDir;

/// A new, empty folder, removed with everything in it when dropped.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::Builder::new().prefix("vestibule-test-").tempdir().expect("a new temporary folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
