//! Whether the memory for hashing is there: held against what the machine has and what its control groups allow,
//! before the first account and not under the first load.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// What the server needs beside the memory of the workers: connections, the store, the program itself.
const REST: u64 = 32 << 20;
/// Control groups of version 1 write "no limit" as the largest number of whole pages.
const UNLIMITED: u64 = 1 << 60;

/// The tightest limit on this process's memory, and who sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ceiling {
    pub(crate) bytes: u64,
    whose: Whose,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    Machine,
    Group(PathBuf),
}

/// What hashing would take of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) workers: usize,
    pub(crate) memory_kib: u32,
}

/// What is to be said about a need.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fits,
    /// More than half: it works, and leaves little for a database or a second server beside it.
    Tight(String),
    /// It cannot work.
    TooMuch {
        reason: String,
        hint: String,
    },
}

impl Ceiling {
    /// Reads `/proc` and `/sys`; `None` where there is neither.
    pub(crate) fn of_process() -> Option<Ceiling> {
        Ceiling::under(Path::new("/"))
    }

    fn under(root: &Path) -> Option<Ceiling> {
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let limits = groups.lines().flat_map(|line| limits_of(root, line));
        limits.chain(machine(root)).min_by_key(|ceiling| ceiling.bytes)
    }
}

impl Need {
    fn bytes(self) -> u64 {
        self.workers as u64 * u64::from(self.memory_kib) * 1024 + REST
    }

    /// What `ceiling` means for it.
    pub(crate) fn within(self, ceiling: &Ceiling) -> Verdict {
        let need = self.bytes();
        let told = format!(
            "{} workers x {} and {} for the rest are {}, and {ceiling}",
            self.workers,
            mebibytes(u64::from(self.memory_kib) * 1024),
            mebibytes(REST),
            mebibytes(need),
        );
        if need > ceiling.bytes {
            return Verdict::TooMuch { reason: told, hint: self.what_would_fit(ceiling) };
        }
        if need > ceiling.bytes / 2 {
            return Verdict::Tight(format!("hashing takes more than half of the memory: {told}"));
        }
        Verdict::Fits
    }

    fn what_would_fit(self, ceiling: &Ceiling) -> String {
        let each = (u64::from(self.memory_kib) * 1024).max(1);
        match ceiling.bytes.saturating_sub(REST) / each {
            0 => "lower passwords.memory_kib, or give the server more memory".to_owned(),
            workers => format!("set passwords.workers = {workers}, or give the server more memory"),
        }
    }
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = mebibytes(self.bytes);
        match &self.whose {
            Whose::Machine => write!(f, "this machine has {bytes}"),
            Whose::Group(file) => write!(f, "this process may have {bytes} ({})", file.display()),
        }
    }
}

fn machine(root: &Path) -> Option<Ceiling> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Ceiling { bytes: kib * 1024, whose: Whose::Machine })
}

/// The limits that one line of `/proc/self/cgroup` leads to: `0::/path` (version 2) or `4:memory:/path` (version 1),
/// of the group and of all above it. A path that is not there is one that only the host can see; its parents are.
fn limits_of(root: &Path, line: &str) -> Vec<Ceiling> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (mount, file) = match controllers {
        "" => ("sys/fs/cgroup", "memory.max"),
        list if list.split(',').any(|name| name == "memory") => {
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let mount = root.join(mount);
    let folder = mount.join(group.trim_start_matches('/'));
    let up = folder.ancestors().take_while(|folder| folder.starts_with(&mount));
    up.filter_map(|folder| limit(&folder.join(file))).collect()
}

fn limit(file: &Path) -> Option<Ceiling> {
    // `max` is no number, and no limit.
    let bytes: u64 = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    (bytes < UNLIMITED).then(|| Ceiling { bytes, whose: Whose::Group(file.to_owned()) })
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// A root folder with these files, removed at the end.
    struct Root(PathBuf);

    impl Root {
        fn with(test: &str, files: &[(&str, &str)]) -> Root {
            let root = std::env::temp_dir().join(format!("vestibule-memory-{}-{test}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Root(root)
        }

        fn ceiling(&self) -> Option<(u64, String)> {
            Ceiling::under(&self.0).map(|ceiling| {
                let whose = ceiling.to_string().replace(&format!("{}/", self.0.display()), "/");
                (ceiling.bytes, whose)
            })
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        2097152 kB\nMemFree:  1 kB\n");

    #[test]
    fn without_groups_the_machine_is_the_limit() {
        let root = Root::with("machine", &[MEMINFO]);
        assert_eq!(root.ceiling(), Some((2 * GIB, "this machine has 2048 MiB".to_owned())));
        assert_eq!(Root::with("nothing", &[("x", "")]).ceiling(), None);
    }

    #[test]
    fn the_tightest_group_counts_in_both_versions() {
        let second = [
            MEMINFO,
            ("proc/self/cgroup", "0::/system.slice/vestibule.service\n"),
            ("sys/fs/cgroup/system.slice/vestibule.service/memory.max", "max\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "134217728\n"),
        ];
        let told = "this process may have 128 MiB (/sys/fs/cgroup/system.slice/memory.max)".to_owned();
        assert_eq!(Root::with("v2", &second).ceiling(), Some((128 << 20, told)));
        // As in a container that sees the host's path but only its own files.
        let first = [
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/docker/abc\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n"),
        ];
        assert_eq!(Root::with("v1", &first).ceiling().map(|(bytes, _)| bytes), Some(64 << 20));
        let unlimited = [
            MEMINFO,
            ("proc/self/cgroup", "4:memory:/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(Root::with("v1-none", &unlimited).ceiling().map(|(bytes, _)| bytes), Some(2 * GIB));
    }

    #[test]
    fn what_cannot_fit_is_refused_with_what_would() {
        let need = |workers, memory_kib| Need { workers, memory_kib };
        let ceiling = |mebibytes: u64| Ceiling { bytes: mebibytes << 20, whose: Whose::Machine };
        assert_eq!(need(2, 19_456).within(&ceiling(140)), Verdict::Fits);
        assert!(matches!(need(2, 19_456).within(&ceiling(139)), Verdict::Tight(_)));
        assert!(matches!(need(2, 19_456).within(&ceiling(70)), Verdict::Tight(_)));
        let Verdict::TooMuch { reason, hint } = need(8, 19_456).within(&ceiling(128)) else { panic!() };
        assert_eq!(
            reason,
            "8 workers x 19 MiB and 32 MiB for the rest are 184 MiB, and this machine has 128 MiB"
        );
        assert_eq!(hint, "set passwords.workers = 5, or give the server more memory");
        let Verdict::TooMuch { hint, .. } = need(1, 1 << 20).within(&ceiling(512)) else { panic!() };
        assert!(hint.starts_with("lower passwords.memory_kib"), "{hint}");
    }
}
