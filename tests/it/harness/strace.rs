//! Programs that stand before a command and watch what it asks of the system, or meddle with it (strace(1)).

use std::process::Command;

/// Leaves tests out, where a process may not be traced.
const WITHOUT: &str = "VESTIBULE_TEST_WITHOUT_STRACE";

pub(crate) fn is_wanted() -> bool {
    if std::env::var(WITHOUT).as_deref() == Ok("1") {
        return false;
    }
    let found = Command::new("strace").arg("-V").output().is_ok_and(|ran| ran.status.success());
    assert!(found, "strace is missing: install Debian's package 'strace', or say {WITHOUT}=1");
    true
}

/// Kills the command when one of its threads comes to the n-th call of a kind that changes files or sends something.
pub(crate) fn killing(number: usize) -> Vec<String> {
    meddling("pwrite64,ftruncate,fsync,fdatasync,unlink,sendto", &format!("signal=KILL:when={number}"))
}

/// Lets 20 ms pass before the command learns who has come in, or that nobody has.
pub(crate) fn slow_to_accept() -> Vec<String> {
    meddling("accept4", "delay_exit=20000")
}

/// The command keeps its process id: it is strace that is the child.
fn meddling(calls: &str, how: &str) -> Vec<String> {
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{how}"));
    ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject].map(str::to_owned).to_vec()
}
