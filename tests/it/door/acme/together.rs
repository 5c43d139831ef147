//! Several processes on one folder, as when a new version takes over from an old one.

use std::fs;

use rustix::process::{Signal, kill_process};

use super::{FAILED, OBTAINED, ORDERING, TAKEN_UP, certificate, inside, leaf, served, serving, until};
use crate::harness::folder::Folder;
use crate::harness::pebble::Pebble;
use crate::harness::process::{Server, Vestibule};
use crate::harness::strace::{first_process, is_wanted, watching};

fn beside(pebble: &Pebble, state: &Folder) -> Vestibule {
    serving(pebble, state, "http-01").with(&["--set", "reuse_port=true"])
}

fn has_ordered(server: &Server) -> bool {
    server.log_so_far().contains(ORDERING)
}

#[tokio::test]
async fn one_of_two_processes_orders_and_when_it_is_killed_the_other_does() {
    let (mut pebble, state) = (Pebble::new(24), Folder::new());
    // Both are there, and in want of a certificate, before the authority is.
    let holder = beside(&pebble, &state).start();
    holder.wait_for_log(FAILED);
    let other = beside(&pebble, &state).start();
    pebble.start();
    holder.wait_for_log(OBTAINED);
    let account = fs::read_to_string(inside(&pebble, &state, "account.json")).expect("an account");
    for server in [&holder, &other] {
        server.wait_for_log(TAKEN_UP);
    }
    assert!(!has_ordered(&other), "both have ordered:\n{}", other.log_so_far());
    // Whichever of them the system leads a client to.
    for _ in 0..8 {
        until(async || served(&other).await == leaf(&certificate(&pebble, &state))).await;
    }

    // It dies in the middle of the next order, and leaves behind whatever it had begun.
    let orders = holder.log_so_far().matches(ORDERING).count();
    holder.wait_for_logs(ORDERING, orders + 1);
    // The other begins when the holder is gone, and not before its remains are there.
    holder.signal("STOP");
    let new = inside(&pebble, &state, "certificate.new");
    fs::write(&new, "-----BEGIN CERTIFICATE-----\nMIIB").expect("the folder can be written");
    holder.signal("KILL");
    holder.ended();
    other.wait_for_log(OBTAINED);
    until(async || served(&other).await == leaf(&certificate(&pebble, &state))).await;
    assert!(!new.exists());
    let kept = fs::read_to_string(inside(&pebble, &state, "account.json")).expect("an account");
    assert_eq!(kept, account, "there is one account");
    assert_eq!(other.stop().0.code, Some(0));
}

/// Whoever reads such a file, and whenever the power fails, it is the old one or the new one.
#[test]
fn what_is_kept_is_on_the_disk_before_it_takes_the_place_of_the_old() {
    if !is_wanted() {
        return;
    }
    let (mut pebble, state, folder) = (Pebble::new(86_400), Folder::new(), Folder::new());
    pebble.start();
    let trace = folder.path().join("trace");
    let server =
        serving(&pebble, &state, "tls-alpn-01").under(&watching("openat,fsync,rename", &trace)).start();
    server.wait_for_log(OBTAINED);
    kill_process(first_process(&trace), Signal::TERM).expect("the traced process is there");
    server.ended();
    let trace = fs::read_to_string(trace).expect("a trace");
    let home = inside(&pebble, &state, "");
    let home = home.display().to_string();
    let home = home.trim_end_matches('/');
    let calls: Vec<&str> = trace.lines().filter(|line| line.contains(home)).collect();
    for name in ["account", "certificate"] {
        let place = |call: &str, text: &str| {
            let found = calls.iter().position(|line| line.contains(call) && line.contains(text));
            found.unwrap_or_else(|| panic!("no {call} of {text} in:\n{}", calls.join("\n")))
        };
        let synced = place("fsync(", &format!("{name}.new>"));
        let renamed = place("rename(", &format!("{name}.new\", \"{home}/{name}."));
        assert!(synced < renamed, "{}", calls.join("\n"));
        let lasts = |call: &&str| call.contains("fsync(") && call.contains(&format!("{home}>"));
        assert!(calls[renamed..].iter().any(lasts), "{}", calls.join("\n"));
        let in_place = |call: &&&str| call.contains(&format!("{home}/{name}.")) && call.contains("O_WRONLY");
        let opened: Vec<_> = calls.iter().filter(in_place).filter(|call| !call.contains(".new\"")).collect();
        assert!(opened.is_empty(), "written in its place: {opened:?}");
    }
}
