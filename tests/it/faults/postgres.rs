//! The PostgreSQL server itself is restarted, killed, and replaced by its standby, under load.

use std::sync::Arc;
use std::time::Duration;

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

/// Whatever happens meanwhile happens to a server that works.
async fn under_load<T>(load: &Arc<Load>, server: &Server, deed: impl Future<Output = T>) -> T {
    load.run(server.address, CLIENTS, SIGN_UPS).await;
    let stop = CancellationToken::new();
    let clients = load.clients(server.address, CLIENTS, &stop);
    let done = deed.await;
    stop.cancel();
    clients.join_all().await;
    load.resolve(server.address).await;
    load.run(server.address, CLIENTS, SIGN_UPS).await;
    done
}

/// Kills the server so often under load, in between restarts it in order, and judges.
pub(super) async fn kill_server(kills: usize) -> Verdict {
    let mut cluster = Cluster::start(&[]).await;
    let url = cluster.url("postgres");
    let (server, load) = (serve(&url).await, Load::new());
    for round in 0..2 * kills {
        let deed = async {
            if round % 2 == 0 {
                cluster.kill()
            } else {
                cluster.stop()
            }
            cluster.start_again().await;
        };
        under_load(&load, &server, deed).await;
    }
    judge(&load.journal, &url).await
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_and_killed_under_load_it_loses_nothing_and_is_found_again() {
    kill_server(1).await.assert_innocent();
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
        let standby = primary.standby().await;
        let url = primary.url("postgres");
        if synchronous {
            execute(&url, "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
            execute(&url, "SELECT pg_reload_conf()").await;
        }
        let state = if synchronous { "sync" } else { "async" };
        let follows =
            format!("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '{state}'");
        let following = async {
            while rows(&url, &follows).await.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), following).await.expect("the standby follows");
        let proxy = Proxy::before(primary.folder(), PORT).await;
        let server = serve(&proxy.url("postgres")).await;
        Pair { primary, standby, proxy, server }
    }

    async fn judge(&self, load: &Load) -> Verdict {
        judge(&load.journal, &self.standby.url("postgres")).await
    }
}

/// The primary dies, the standby takes its place.
fn fail_over(primary: &mut Cluster, standby: &Cluster, proxy: &Proxy) {
    primary.kill();
    standby.promote();
    proxy.lead_to(standby.folder(), PORT);
}

/// Lets a synchronous standby take over under load, and judges.
pub(super) async fn fail_over_once() -> Verdict {
    let (mut pair, load) = (Pair::start(true).await, Load::new());
    let Pair { primary, standby, proxy, server } = &mut pair;
    under_load(&load, server, async { fail_over(primary, standby, proxy) }).await;
    pair.judge(&load).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_standby_that_is_promoted_has_everything() {
    fail_over_once().await.assert_innocent();
}

#[tokio::test(flavor = "multi_thread")]
async fn control_an_asynchronous_standby_that_is_promoted_lacks_what_it_had_not_received() {
    let (mut pair, load) = (Pair::start(false).await, Load::new());
    load.run(pair.server.address, CLIENTS, SIGN_UPS).await;
    pair.standby.kill();
    load.run(pair.server.address, CLIENTS, SIGN_UPS).await;
    pair.primary.hold(true);
    pair.standby.start_again().await;
    fail_over(&mut pair.primary, &pair.standby, &pair.proxy);
    let verdict = pair.judge(&load).await;
    assert!(!verdict.lost.is_empty(), "the judge must find what was lost: {verdict:?}");
}
