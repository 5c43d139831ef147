//! The PostgreSQL server itself is restarted, killed, and replaced by its standby, under load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use super::cuts::serve;
use super::judge::{Verdict, judge};
use super::load::Load;
use super::proxy::Proxy;
use super::rows::{execute, rows};
use crate::harness::cluster::Cluster;
use crate::harness::server::Server;

const PORT: u16 = 5432;
const CLIENTS: usize = 8;
const SIGN_UPS: usize = 60;

/// Whatever happens meanwhile happens to a server that works. How long it takes from there to the next account.
async fn under_load(load: &Arc<Load>, address: SocketAddr, deed: impl Future<Output = ()>) -> Duration {
    load.run(address, CLIENTS, SIGN_UPS).await;
    let stop = CancellationToken::new();
    let clients = load.clients(address, CLIENTS, &stop);
    let begun = Instant::now();
    deed.await;
    load.one_more(address).await;
    let ready = begun.elapsed();
    stop.cancel();
    clients.join_all().await;
    load.resolve(address).await;
    load.run(address, CLIENTS, SIGN_UPS).await;
    ready
}

/// Kills the server so often under load, in between restarts it in order, and judges.
pub(super) async fn kill_server(kills: usize) -> (Verdict, Vec<Duration>) {
    let mut cluster = Cluster::start(&[]).await;
    let url = cluster.url("postgres");
    let (server, load, mut ready) = (serve(&url).await, Load::new(), Vec::new());
    for _ in 0..kills {
        let killed = async {
            block_in_place(|| cluster.kill());
            cluster.start_again().await;
        };
        ready.push(under_load(&load, server.address, killed).await);
        let restarted = async {
            block_in_place(|| cluster.stop());
            cluster.start_again().await;
        };
        under_load(&load, server.address, restarted).await;
    }
    (judge(&load.journal, &url).await, ready)
}

#[tokio::test(flavor = "multi_thread")]
async fn f6_restarted_and_killed_under_load_it_loses_nothing_and_is_found_again() {
    kill_server(1).await.0.assert_innocent();
}

#[tokio::test(flavor = "multi_thread")]
async fn control_a_server_that_commits_asynchronously_loses_what_it_acknowledged() {
    let mut cluster = Cluster::start(&["synchronous_commit=off", "wal_writer_delay=10s"]).await;
    let url = cluster.url("postgres");
    let (server, load) = (serve(&url).await, Load::new());
    load.run(server.address, 1, SIGN_UPS).await;
    cluster.kill();
    cluster.start_again().await;
    let verdict = judge(&load.journal, &url).await;
    assert!(!verdict.lost.is_empty(), "the judge must find what was lost: {verdict:?}");
}

/// A server, its standby, and a Vestibule that finds either behind the same address.
struct Pair {
    primary: Cluster,
    standby: Cluster,
    proxy: Proxy,
    server: Server,
}

impl Pair {
    async fn start(synchronous: bool) -> Pair {
        let primary = Cluster::start(&[]).await;
        let standby = follow(&primary, synchronous).await;
        let proxy = Proxy::before(primary.folder(), PORT).await;
        let server = serve(&proxy.url("postgres")).await;
        Pair { primary, standby, proxy, server }
    }

    /// The primary dies, the standby takes its place.
    fn fail_over(&mut self) {
        self.primary.kill();
        self.standby.promote();
        self.proxy.lead_to(self.standby.folder(), PORT);
    }

    /// Gives the promoted one a standby of its own.
    async fn renew(&mut self) {
        let standby = follow(&self.standby, true).await;
        self.primary = std::mem::replace(&mut self.standby, standby);
    }

    async fn judge(&self, load: &Load) -> Verdict {
        judge(&load.journal, &self.standby.url("postgres")).await
    }
}

/// A copy of a server that follows it from now on.
async fn follow(primary: &Cluster, synchronous: bool) -> Cluster {
    let (standby, url) = (primary.standby().await, primary.url("postgres"));
    if synchronous {
        execute(&url, "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        execute(&url, "SELECT pg_reload_conf()").await;
    }
    let state = if synchronous { "sync" } else { "async" };
    let follows =
        format!("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '{state}'");
    let following = async {
        while rows(&url, &follows).await.is_empty() {
            // PostgreSQL tells nobody when a standby has caught up; it can only be asked.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), following).await.expect("the standby follows");
    standby
}

/// Lets a synchronous standby take over so often under load, each time that of the last one, and judges.
pub(super) async fn fail_over(times: usize) -> (Verdict, Vec<Duration>) {
    let (mut pair, load, mut ready) = (Pair::start(true).await, Load::new(), Vec::new());
    for time in 0..times {
        if time > 0 {
            pair.renew().await;
        }
        let address = pair.server.address;
        ready.push(under_load(&load, address, async { block_in_place(|| pair.fail_over()) }).await);
    }
    (pair.judge(&load).await, ready)
}

#[tokio::test(flavor = "multi_thread")]
async fn f7_a_synchronous_standby_that_is_promoted_has_everything() {
    fail_over(2).await.0.assert_innocent();
}

#[tokio::test(flavor = "multi_thread")]
async fn control_an_asynchronous_standby_that_is_promoted_lacks_what_it_had_not_received() {
    let (mut pair, load) = (Pair::start(false).await, Load::new());
    load.run(pair.server.address, CLIENTS, SIGN_UPS).await;
    pair.standby.kill();
    load.run(pair.server.address, CLIENTS, SIGN_UPS).await;
    pair.primary.hold(true);
    pair.standby.start_again().await;
    pair.fail_over();
    let verdict = pair.judge(&load).await;
    assert!(!verdict.lost.is_empty(), "the judge must find what was lost: {verdict:?}");
}
