//! How many files the system lets this process open. Every connection is one.

/// What is open beside the clients' connections: the database, its log and its readers (or a pool of connections to
/// PostgreSQL), the listener, standard streams, and connections that are being turned away.
const RESERVE: usize = 128;

/// What to say at start when `connections` is more than can be held. A full table is survived, but whoever comes then
/// waits, and so does a look-up in the database that needs another file.
pub(super) fn warning(connections: usize) -> Option<String> {
    // Only Linux has this file; elsewhere nothing is said.
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let soft = soft_limit(&limits)?;
    let needed = connections.saturating_add(RESERVE);
    (needed > soft).then(|| {
        let fitting = soft.saturating_sub(RESERVE).max(1);
        format!(
            "limits.connections is {connections}, but the system lets this process open {soft} files only: raise that to \
             {needed} (`ulimit -n {needed}`, or LimitNOFILE={needed} in a systemd unit), or set limits.connections to \
             {fitting}"
        )
    })
}

/// The soft limit as Linux writes it (proc_pid_limits(5)); `None` when there is none.
fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_first_number() {
        let limits = |soft| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max processes             96365                96365                processes \n\
                 Max open files            {soft:<20} 524288               files     \n"
            )
        };
        assert_eq!(soft_limit(&limits("1024")), Some(1024));
        assert_eq!(soft_limit(&limits("unlimited")), None);
        assert_eq!(soft_limit(""), None);
    }

    #[test]
    fn only_what_does_not_fit_is_warned_about() {
        assert_eq!(warning(1), None);
        if std::path::Path::new("/proc/self/limits").exists() {
            assert!(warning(usize::MAX).is_none_or(|text| text.contains("ulimit -n")));
        }
    }
}
