//! Programs that stand before a command and watch what it asks of the system, or meddle with it (strace(1)).

use std::path::Path;
use std::process::Command;

use rustix::process::Pid;

/// Leaves tests out, where a process may not be traced.
const WITHOUT: &str = "VESTIBULE_TEST_WITHOUT_STRACE";

pub(crate) fn is_wanted() -> bool {
    if std::env::var(WITHOUT).as_deref() == Ok("1") {
        return false;
    }
    let found = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output()
        .is_ok_and(|ran| ran.status.success());
    assert!(
        found,
        "strace is missing or may trace nothing: install Debian's package 'strace', or say {WITHOUT}=1"
    );
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

/// Writes down what the command asks of the system by these calls, with the names of files. It is strace that is started, and
/// the command that must be ended: [`first_process`].
pub(crate) fn watching(calls: &str, trace: &Path) -> Vec<String> {
    let (calls, trace) = (format!("trace={calls}"), trace.display().to_string());
    let line =
        ["strace", "-f", "-y", "-qq", "-s", "1000000", "-e", "signal=none", "-e", &calls, "-o", &trace];
    line.map(str::to_owned).to_vec()
}

/// Whose first call is the first line of a trace: the process that was started.
pub(crate) fn first_process(trace: &Path) -> Pid {
    let text = std::fs::read_to_string(trace).expect("a trace");
    let id = text.split(' ').next().and_then(|id| id.parse().ok());
    id.and_then(Pid::from_raw).expect("a process id")
}
