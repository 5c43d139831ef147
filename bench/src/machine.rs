//! On what a measurement was made.

use std::fs::read_to_string;
use std::path::Path;

use serde_json::{Value, json};

/// The processor, cores, memory, kernel, the file system of temporary files, and how busy it was before.
pub fn machine() -> Value {
    let line = |file: &str, key: &str| {
        let text = read_to_string(file).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("");
        value.trim_matches([' ', '\t', ':']).to_owned()
    };
    let whole = |file: &str| read_to_string(file).unwrap_or_default().trim().to_owned();
    json!({
        "cpu": line("/proc/cpuinfo", "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": line("/proc/meminfo", "MemTotal"),
        "system": line("/etc/os-release", "PRETTY_NAME=").trim_matches('"'),
        "kernel": whole("/proc/sys/kernel/osrelease"),
        "file_system": file_system(&std::env::temp_dir()),
        "load_before": whole("/proc/loadavg"),
    })
}

/// The type of the file system that holds a folder: on `tmpfs` a sync to disk would cost nothing.
fn file_system(folder: &Path) -> String {
    let mounts = read_to_string("/proc/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let holding = fields.filter(|mount| mount.len() > 2 && folder.starts_with(mount[1]));
    holding.max_by_key(|mount| mount[1].len()).map_or_else(String::new, |mount| mount[2].to_owned())
}
