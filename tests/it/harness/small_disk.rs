//! A file system of a test's own that is soon full.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use super::folder::Folder;

/// A mounted file system in memory, of a few MiB. Unmounted when dropped.
pub(crate) struct SmallDisk(Folder);

impl SmallDisk {
    /// Of this size, as `6m`. `None` for who may not mount one.
    pub(crate) fn mount(size: &str) -> Option<SmallDisk> {
        let folder = Folder::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|ran| ran.status.success());
        mounted.then_some(SmallDisk(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no byte free.
    pub(crate) fn fill(&self) {
        let mut filler = std::fs::File::create(self.path().join("filler")).expect("there is still room");
        for size in [64 * 1024, 4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.path().join("filler")).expect("it was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
