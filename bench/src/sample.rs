//! What a process uses, from `/proc`: resident memory and processor time, its children included.

use std::fs;
use std::time::{Duration, Instant};

use serde::Serialize;

/// One look at a process and its children.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    /// Resident set, KiB.
    pub rss_kib: u64,
    /// User and system time, clock ticks (100 a second on Linux).
    pub ticks: u64,
}

/// Looks at a process and its descendants now; one that is gone uses nothing. Pages that several of them share count
/// for each.
pub fn usage(pid: u32) -> Usage {
    family(pid).into_iter().map(one).fold(Usage::default(), |sum, one| Usage {
        rss_kib: sum.rss_kib + one.rss_kib,
        ticks: sum.ticks + one.ticks,
    })
}

fn one(pid: u32) -> Usage {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let rss = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|v| v.split_whitespace().next());
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|v| v.parse::<u64>().ok()).unwrap_or_default();
    Usage {
        rss_kib: rss.and_then(|v| v.parse::<u64>().ok()).unwrap_or_default(),
        ticks: ticks(11) + ticks(12),
    }
}

/// A process and all its descendants.
fn family(pid: u32) -> Vec<u32> {
    let mut out = vec![pid];
    let mut i = 0;
    while i < out.len() {
        let threads = fs::read_dir(format!("/proc/{}/task", out[i])).into_iter().flatten().flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            out.extend(children.split_whitespace().filter_map(|p| p.parse::<u32>().ok()));
        }
        i += 1;
    }
    out
}

/// Processor time from one moment on.
pub struct Cores {
    pids: Pids,
    start: Instant,
    ticks: u64,
}

#[derive(Clone, Copy)]
enum Pids {
    Family(u32),
    /// This process alone: the servers that it started are its children.
    Own,
}

impl Cores {
    pub fn of(pid: u32) -> Cores {
        Cores::from_now(Pids::Family(pid))
    }

    pub fn own() -> Cores {
        Cores::from_now(Pids::Own)
    }

    fn from_now(pids: Pids) -> Cores {
        Cores { pids, start: Instant::now(), ticks: pids.ticks() }
    }

    /// How many cores were busy, on average.
    pub fn used(&self) -> f64 {
        let ticks = self.pids.ticks().saturating_sub(self.ticks);
        ticks as f64 / 100.0 / self.start.elapsed().as_secs_f64()
    }
}

impl Pids {
    fn ticks(self) -> u64 {
        match self {
            Pids::Family(pid) => usage(pid).ticks,
            Pids::Own => one(std::process::id()).ticks,
        }
    }
}

/// The largest resident set seen until `stop`, KiB.
pub async fn peak_memory(pid: u32, mut stop: tokio::sync::oneshot::Receiver<()>) -> u64 {
    let mut peak = 0;
    loop {
        peak = peak.max(usage(pid).rss_kib);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
            _ = &mut stop => return peak,
        }
    }
}
