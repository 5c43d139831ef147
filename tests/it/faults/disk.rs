//! Disks that are full, and databases that may only be read.

use std::process::Command;
use std::sync::Arc;

use super::cuts::serve;
use super::judge::judge;
use super::load::Load;
use super::rows::{execute, rows};
use super::server::{Faulty, Orders};
use crate::harness::client::{Client, Reply};
use crate::harness::database::Database;
use crate::harness::postgres;
use crate::harness::small_disk::SmallDisk;

/// More sign-ups than fit into what a full disk has left, in pages and log that were there already.
const MANY: usize = 10_000;

/// Signs up until somebody is refused, and gives back that answer.
pub(super) async fn refusal(load: &Arc<Load>, address: std::net::SocketAddr) -> Reply {
    let mut client = Client::connect(address).await;
    for _ in 0..MANY {
        let reply = load.first_answer(&mut client).await.expect("an answer");
        if reply.status >= 300 {
            return reply;
        }
    }
    panic!("{MANY} sign-ups fit onto a full disk");
}

/// Everybody who is there was told so: whoever was refused for want of room is absent.
pub(super) async fn assert_refused_are_absent(load: &Load, url: &str) {
    let users = rows(url, "SELECT email FROM users").await.len();
    assert_eq!(users, judge(&load.journal, url).await.acknowledged);
}

/// The contract's own `busy`, with a time to come back.
pub(super) fn assert_contracts_busy(reply: &Reply) {
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.json()["detail"], "Busy, try again shortly.", "in the words of the contract: {reply:?}");
    assert!(reply.header("retry-after").parse::<u64>().is_ok(), "{reply:?}");
}

/// Without the right to mount, what follows shows the same with a limit on the size of files.
#[tokio::test(flavor = "multi_thread")]
async fn f4_a_full_disk_is_told_in_the_contracts_words_and_heals() {
    let Some(disk) = SmallDisk::mount("6m") else { return };
    let url = format!("sqlite://{}", disk.path().join("vestibule.db").display());
    let (server, load) = (Orders::on(&url).start(), Load::new());
    load.run(server.address, 4, 20).await;
    for _ in 0..2 {
        disk.fill();
        assert_contracts_busy(&refusal(&load, server.address).await);
        disk.empty();
        assert_refused_are_absent(&load, &url).await;
        load.resolve(server.address).await;
        load.run(server.address, 4, 20).await;
    }
    judge(&load.journal, &url).await.assert_innocent();
    server.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn f4_a_write_error_is_never_told_as_a_success_and_heals() {
    let database = Database::sqlite();
    let url = database.url();
    // A process that ignores the signal for it gets an error instead.
    let ignoring = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"].map(str::to_owned);
    let server = Faulty::start(Orders::on(&url).command_under(&ignoring));
    let load = Load::new();
    load.run(server.address, 4, 20).await;
    for _ in 0..2 {
        let log = url.trim_start_matches("sqlite://").to_owned() + "-wal";
        limit(&server, &std::fs::metadata(log).expect("a log").len().to_string());
        let refused = refusal(&load, server.address).await;
        assert!(refused.status == 503 || refused.status == 500, "{refused:?}");
        limit(&server, "unlimited");
        load.resolve(server.address).await;
        load.run(server.address, 4, 20).await;
    }
    judge(&load.journal, &url).await.assert_innocent();
    server.kill();
}

/// Lets a running process write no file beyond this size, in bytes.
fn limit(server: &Faulty, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let limited = Command::new("prlimit").args(["--pid", &server.id().to_string(), &limit]).status();
    assert!(limited.expect("prlimit runs").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_full_or_read_only_is_told_in_the_contracts_words_and_heals() {
    let database = postgres::Database::create().await;
    let (server, load) = (serve(&database.url).await, Load::new());
    load.run(server.address, 4, 20).await;
    let full = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
                CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION full_disk()";
    let name = database.url.rsplit('/').next().expect("a name").split('?').next().expect("a name");
    let reading = |only| {
        format!(
            "BEGIN READ WRITE; ALTER DATABASE {name} SET default_transaction_read_only = {only}; COMMIT;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        )
    };
    let faults =
        [(full.to_owned(), "DROP FUNCTION full_disk CASCADE".to_owned()), (reading("on"), reading("off"))];
    for (breaks, heals) in faults {
        execute(&database.url, &breaks).await;
        assert_contracts_busy(&refusal(&load, server.address).await);
        execute(&database.url, &heals).await;
        assert_refused_are_absent(&load, &database.url).await;
        load.resolve(server.address).await;
        load.run(server.address, 4, 20).await;
    }
    judge(&load.journal, &database.url).await.assert_innocent();
    database.drop().await;
}
