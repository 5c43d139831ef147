//! What a process uses, from `/proc`: resident memory and processor time, its children included.

use std::fs;
use std::time::Duration;

use serde::Serialize;

/// One look at a process and its children.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    /// Resident set, KiB.
    pub rss_kib: u64,
    /// User and system time, clock ticks (100 a second on Linux).
    pub ticks: u64,
}

/// Looks at a process now; one that is gone uses nothing.
pub fn usage(pid: u32) -> Usage {
    let mut total = Usage::default();
    for pid in family(pid) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let rss =
            status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|v| v.split_whitespace().next());
        total.rss_kib += rss.and_then(|v| v.parse::<u64>().ok()).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|v| v.parse::<u64>().ok()).unwrap_or_default();
        total.ticks += ticks(11) + ticks(12);
    }
    total
}

/// A process and all its descendants.
fn family(pid: u32) -> Vec<u32> {
    let mut out = vec![pid];
    let mut i = 0;
    while i < out.len() {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", out[i])).unwrap_or_default();
        out.extend(children.split_whitespace().filter_map(|p| p.parse::<u32>().ok()));
        i += 1;
    }
    out
}

/// The largest resident set seen, and the share of one core that was used, while `done` is not set.
pub async fn watch(pid: u32, stop: tokio::sync::oneshot::Receiver<()>) -> (u64, f64) {
    let (start, first) = (std::time::Instant::now(), usage(pid));
    let mut peak = first.rss_kib;
    let mut stop = stop;
    loop {
        let now = usage(pid);
        peak = peak.max(now.rss_kib);
        tokio::select! {
            _ = tokio::time::sleep(Duration::from_millis(100)) => {}
            _ = &mut stop => {
                let ticks = usage(pid).ticks.saturating_sub(first.ticks);
                return (peak, ticks as f64 / 100.0 / start.elapsed().as_secs_f64());
            }
        }
    }
}
