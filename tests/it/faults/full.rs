//! PostgreSQL on a disk that is truly full: that of its tables, and that of its log.
//!
//! Both need the right to mount a small file system; who may not is shown an error of the same code by
//! `disk::a_server_that_is_full_or_read_only_is_told_in_the_contracts_words_and_heals`.

use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use super::cuts::serve;
use super::disk::{assert_contracts_busy, assert_refused_are_absent, refusal};
use super::judge::judge;
use super::load::Load;
use crate::harness::cluster::Cluster;
use crate::harness::small_disk::SmallDisk;

/// The server goes on, and refuses what needs another page.
#[tokio::test(flavor = "multi_thread")]
async fn f4_a_server_without_room_for_its_tables_is_told_in_the_contracts_words_and_heals() {
    let Some(disk) = SmallDisk::mount("64m") else { return };
    let cluster = Cluster::with_tables_on(disk.path()).await;
    let url = cluster.url("postgres");
    let (server, load) = (serve(&url).await, Load::new());
    load.run(server.address, 4, 20).await;
    for _ in 0..2 {
        disk.fill();
        assert_contracts_busy(&refusal(&load, server.address).await);
        assert_eq!(grows(&url).await, Err(SqlState::DISK_FULL));
        disk.empty();
        assert_refused_are_absent(&load, &url).await;
        load.resolve(server.address).await;
        load.run(server.address, 4, 20).await;
    }
    judge(&load.journal, &url).await.assert_innocent();
}

/// The server stops itself rather than commit what it cannot log, and cannot start before there is room.
#[tokio::test(flavor = "multi_thread")]
async fn f4_a_server_without_room_for_its_log_loses_nothing_and_is_found_again() {
    let Some(disk) = SmallDisk::mount("16m") else { return };
    let mut cluster = Cluster::with_log_on(disk.path()).await;
    let url = cluster.url("postgres");
    let (server, load) = (serve(&url).await, Load::new());
    load.run(server.address, 4, 20).await;
    disk.fill();
    assert_contracts_busy(&refusal(&load, server.address).await);
    assert!(cluster.log().contains("PANIC:"), "{}", cluster.log());
    disk.empty();
    cluster.end();
    cluster.start_again().await;
    load.resolve(server.address).await;
    load.run(server.address, 4, 20).await;
    judge(&load.journal, &url).await.assert_innocent();
}

/// Tries to write a table of some hundred pages.
async fn grows(url: &str) -> Result<(), SqlState> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server is reachable");
    tokio::spawn(connection);
    let table = "CREATE TEMPORARY TABLE growing AS SELECT generate_series(1, 100000)";
    client.batch_execute(table).await.map_err(|error| error.code().cloned().expect("the server's answer"))
}
