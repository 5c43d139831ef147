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

/// What hashing and the filter of breached passwords would take of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) workers: usize,
    pub(crate) memory_kib: u32,
    /// The length of the filter's file, in bytes: as much it takes in memory. 0 without one.
    pub(crate) filter: u64,
}

/// What is to be said about a need.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fits,
    /// More than half: it works, and leaves little for a database or a second server beside it.
    Tight(String),
    /// It cannot work.
    TooMuch {
        /// The setting that is to be changed.
        key: &'static str,
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
    fn each(self) -> u64 {
        u64::from(self.memory_kib) * 1024
    }

    fn hashing(self) -> u64 {
        self.workers as u64 * self.each()
    }

    fn bytes(self) -> u64 {
        self.hashing().saturating_add(self.filter).saturating_add(REST)
    }

    /// What `ceiling` means for it.
    pub(crate) fn within(self, ceiling: &Ceiling) -> Verdict {
        let need = self.bytes();
        let (who, filter) = match self.filter {
            0 => ("hashing takes", String::new()),
            bytes => {
                ("hashing and the filter take", format!(", {} for passwords.breached", mebibytes(bytes)))
            }
        };
        let told = format!(
            "{} workers x {}{filter} and {} for the rest are {}, and {ceiling}",
            self.workers,
            mebibytes(self.each()),
            mebibytes(REST),
            mebibytes(need),
        );
        if need > ceiling.bytes {
            let (key, hint) = self.what_would_fit(ceiling);
            return Verdict::TooMuch {
                key,
                reason: told,
                hint: format!("{hint}, or give the server more memory"),
            };
        }
        if need > ceiling.bytes / 2 {
            return Verdict::Tight(format!("{who} more than half of the memory: {told}"));
        }
        Verdict::Fits
    }

    /// Fewer workers, a smaller filter, or a lower cost, in this order: the setting, and what to do.
    fn what_would_fit(self, ceiling: &Ceiling) -> (&'static str, String) {
        let room = ceiling.bytes.saturating_sub(REST);
        let workers = room.saturating_sub(self.filter) / self.each().max(1);
        if workers > 0 {
            return ("passwords.workers", format!("set passwords.workers = {workers}"));
        }
        // Beside all workers, or at least beside one.
        let beside = |workers: u64| room.checked_sub(workers * self.each()).filter(|left| *left >= 1 << 20);
        let fits = beside(self.workers as u64).map(|left| (self.workers as u64, left));
        match fits.or_else(|| Some((1, beside(1)?))).filter(|_| self.filter > 0) {
            Some((workers, left)) => {
                let workers = if workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") };
                let left = left >> 20;
                let hint = format!("build it with a higher `--least`: {left} MiB fit beside {workers}");
                ("passwords.breached", hint)
            }
            None => ("passwords.workers", "lower passwords.memory_kib".to_owned()),
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

/// For people; rounded up.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// A root folder with these files, removed at the end.
    struct Root(tempfile::TempDir);

    impl Root {
        fn with(files: &[(&str, &str)]) -> Root {
            let root = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Root(root)
        }

        fn ceiling(&self) -> Option<(u64, String)> {
            Ceiling::under(self.0.path()).map(|ceiling| {
                let whose = ceiling.to_string().replace(&format!("{}/", self.0.path().display()), "/");
                (ceiling.bytes, whose)
            })
        }
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        2097152 kB\nMemFree:  1 kB\n");

    #[test]
    fn without_groups_the_machine_is_the_limit() {
        let root = Root::with(&[MEMINFO]);
        assert_eq!(root.ceiling(), Some((2 * GIB, "this machine has 2048 MiB".to_owned())));
        assert_eq!(Root::with(&[("x", "")]).ceiling(), None);
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
        assert_eq!(Root::with(&second).ceiling(), Some((128 << 20, told)));
        // As in a container that sees the host's path but only its own files.
        let first = [
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/docker/abc\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n"),
        ];
        assert_eq!(Root::with(&first).ceiling().map(|(bytes, _)| bytes), Some(64 << 20));
        let unlimited = [
            MEMINFO,
            ("proc/self/cgroup", "4:memory:/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(Root::with(&unlimited).ceiling().map(|(bytes, _)| bytes), Some(2 * GIB));
    }

    #[test]
    fn what_cannot_fit_is_refused_with_what_would() {
        let need = |workers, memory_kib| Need { workers, memory_kib, filter: 0 };
        let ceiling = |mebibytes: u64| Ceiling { bytes: mebibytes << 20, whose: Whose::Machine };
        assert_eq!(need(2, 19_456).within(&ceiling(140)), Verdict::Fits);
        assert!(matches!(need(2, 19_456).within(&ceiling(139)), Verdict::Tight(_)));
        assert!(matches!(need(2, 19_456).within(&ceiling(70)), Verdict::Tight(_)));
        let Verdict::TooMuch { key, reason, hint } = need(8, 19_456).within(&ceiling(128)) else { panic!() };
        assert_eq!(
            reason,
            "8 workers x 19 MiB and 32 MiB for the rest are 184 MiB, and this machine has 128 MiB"
        );
        assert_eq!(key, "passwords.workers");
        assert_eq!(hint, "set passwords.workers = 5, or give the server more memory");
        let Verdict::TooMuch { hint, .. } = need(1, 1 << 20).within(&ceiling(512)) else { panic!() };
        assert!(hint.starts_with("lower passwords.memory_kib"), "{hint}");
    }

    #[test]
    fn the_filter_takes_its_part_too() {
        let need = |workers, mebibytes: u64| Need { workers, memory_kib: 19_456, filter: mebibytes << 20 };
        let ceiling = |mebibytes: u64| Ceiling { bytes: mebibytes << 20, whose: Whose::Machine };
        let refused = |need: Need, mebibytes| match need.within(&ceiling(mebibytes)) {
            Verdict::TooMuch { key, reason, hint } => (key, reason, hint),
            verdict => panic!("{verdict:?}"),
        };
        assert_eq!(need(2, 30).within(&ceiling(200)), Verdict::Fits);
        let told = "2 workers x 19 MiB, 31 MiB for passwords.breached and 32 MiB for the rest are 101 MiB";
        let tight = format!(
            "hashing and the filter take more than half of the memory: {told}, and this machine has 200 MiB"
        );
        assert_eq!(need(2, 31).within(&ceiling(200)), Verdict::Tight(tight));
        assert!(matches!(need(2, 31).within(&ceiling(101)), Verdict::Tight(_)));
        // Fewer workers fit beside it.
        let (key, reason, hint) = refused(need(2, 31), 100);
        assert_eq!((key, reason), ("passwords.workers", format!("{told}, and this machine has 100 MiB")));
        assert_eq!(hint, "set passwords.workers = 1, or give the server more memory");
        // Not even one does.
        let (key, _, hint) = refused(need(2, 2000), 1024);
        assert_eq!(key, "passwords.breached");
        let fits =
            "build it with a higher `--least`: 954 MiB fit beside 2 workers, or give the server more memory";
        assert_eq!(hint, fits);
        let (key, _, hint) = refused(need(8, 2000), 128);
        assert_eq!(key, "passwords.breached");
        let fits =
            "build it with a higher `--least`: 77 MiB fit beside 1 worker, or give the server more memory";
        assert_eq!(hint, fits);
        // No filter would.
        let (key, _, hint) = refused(need(1, 10), 40);
        assert_eq!(key, "passwords.workers");
        assert_eq!(hint, "lower passwords.memory_kib, or give the server more memory");
        // Whatever the length of a file.
        let whole = Need { filter: u64::MAX, ..need(1, 0) };
        assert_eq!(refused(whole, 1024).0, "passwords.breached");
    }
}
