//! `/readyz` is open to strangers, so it must not be a way to the database.

use std::time::Instant;

use tokio::task::block_in_place;

use crate::harness::client::{Client, get};
use crate::harness::cluster::Cluster;
use crate::harness::process::{GUARD, Server, Vestibule};

/// Asks until the answer has this status.
async fn until(server: &Server, status: u16) {
    let (mut client, begun) = (server.connect().await, Instant::now());
    while client.ask(&get("/readyz")).await.status != status {
        assert!(begun.elapsed() < GUARD, "never {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_asks_the_store_once_a_second_and_sees_it_go_and_come_back() {
    let mut cluster = Cluster::start(&["log_statement=all", "log_min_messages=log"]).await;
    let server = Vestibule::new(&["serve", "--listen", "127.0.0.1:0"]);
    let server = server.with(&["--database", &cluster.url("postgres")]).start();
    until(&server, 200).await;
    let said = || std::fs::read_to_string(cluster.folder().join("log")).expect("a log");
    let statements = || said().lines().filter(|line| line.contains("SELECT 1 FROM users")).count();
    let (before, begun) = (statements(), Instant::now());
    assert!(before > 0, "its statement has other words:\n{}", said());
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let address = server.address;
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                for _ in 0..50 {
                    assert_eq!(client.ask(&get("/readyz")).await.status, 200);
                }
            })
        })
        .collect();
    for asked in asking {
        asked.await.expect("all are answered");
    }
    let (asked, time) = (statements() - before, begun.elapsed());
    assert!(asked as u64 <= 2 + time.as_secs(), "{asked} statements for 1000 questions in {time:?}");
    block_in_place(|| cluster.stop());
    until(&server, 503).await;
    cluster.start_again().await;
    until(&server, 200).await;
}
