//! Ten times the peak, open loop, with probes beside it; then how soon it is itself again, and what was stored for
//! clients that were told nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::{sleep, sleep_until, timeout};

use super::Bench;
use crate::client::Client;
use crate::database::Database;
use crate::request::{Kind, Maker};
use crate::target::Target;
use crate::{load, progress, sample};

/// Requests a second of a probe.
const PROBES: f64 = 20.0;
/// Clients of the closed loop that finds the peak.
const PEAK_CONNECTIONS: usize = 64;
/// How long the first registration after the load is waited for.
const RECOVERY: Duration = Duration::from_secs(30);

pub async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let mut rows = Vec::new();
    for database in Database::each(bench.postgres.as_deref()).await? {
        let target = Target::vestibule(&bench.binary, database)?;
        rows.push(overload(&target, bench).await?);
    }
    Ok(json!({ "servers": rows }))
}

/// Overloads one server.
pub async fn overload(target: &Target, bench: &Bench) -> anyhow::Result<Value> {
    let before = target.rate(PEAK_CONNECTIONS, bench.seconds).await?;
    let offered = 10.0 * before.max(1.0);
    progress!("overload: {}, {offered:.0} a second for {} s", target.name, bench.overload);
    let accounts = target.database.count(target.table).await?;
    let (address, length) = (target.address(), Duration::from_secs_f64(bench.overload));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let memory = tokio::spawn(sample::peak_memory(target.server.pid(), stopped));
    let probe = |kind| tokio::spawn(load::open(address, target.maker(kind), PROBES, length));
    let (health, bad) = (probe(Kind::Get), probe(Kind::Invalid));
    let recovery = tokio::spawn(recovery(target.maker(Kind::Register), address, Instant::now() + length));
    let cores = (sample::Cores::of(target.server.pid()), sample::Cores::own());
    let tally = load::open(address, target.maker(Kind::Register), offered, length).await;
    let cores = (cores.0.used(), cores.1.used());
    let (health, bad, recovered) = (health.await?, bad.await?, recovery.await?);
    let _ = stop.send(());
    let stored = target.database.count(target.table).await? - accounts;
    let after = target.rate(PEAK_CONNECTIONS, bench.seconds).await?;
    let told = tally.succeeded.len() + u64::from(recovered.is_some());
    let peak = f64::midpoint(before, after);
    // A second that is cut short by the end says nothing.
    let seconds = &tally.timeline[..tally.timeline.len().min(bench.overload as usize)];
    let goodput = seconds.iter().sum::<u64>() as f64 / seconds.len().max(1) as f64;
    let worst = seconds.iter().min().copied().unwrap_or_default() as f64;
    Ok(json!({
        "name": target.name, "store": target.database.store(), "seconds": bench.overload,
        "offered_per_second": offered, "peak_before": before, "peak_after": after,
        "goodput_per_second": goodput, "goodput_over_peak": goodput / peak, "worst_second_over_peak": worst / peak,
        "load": tally.told(bench.overload), "healthz": health.told(bench.overload), "bad": bad.told(bench.overload),
        "first_registration_after_ms": recovered.map(|time| time.as_secs_f64() * 1e3),
        "accounts_stored": stored, "clients_told": told,
        "stored_but_untold": stored.saturating_sub(told),
        "peak_rss_kib": memory.await?, "cores_used": cores.0, "client_cores_used": cores.1,
    }))
}

/// How long after `end` somebody who comes then, and again when sent away, is registered.
async fn recovery(maker: Arc<Maker>, address: std::net::SocketAddr, end: Instant) -> Option<Duration> {
    sleep_until(end.into()).await;
    let registered = async {
        loop {
            let attempt = async { Client::connect(address).await?.exchange(&maker.next()).await };
            if attempt.await.is_ok_and(|answer| (200..300).contains(&answer.status)) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(RECOVERY, registered).await.ok().map(|()| end.elapsed())
}
