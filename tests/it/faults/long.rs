//! The same attacks a thousand times over, with a report; `bench/faults` runs it.

use std::io::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::campaign::{Dice, kill_at_random};
use super::judge::Verdict;
use super::postgres::{fail_over_once, kill_server};
use crate::harness::cluster::Cluster;
use crate::harness::database::Database;

/// What one kind of fault showed on one store.
#[derive(Debug, Serialize)]
struct Report {
    store: &'static str,
    fault: &'static str,
    faults: usize,
    acknowledged: usize,
    unknown: usize,
    refused: usize,
    lost: usize,
    doubled: usize,
    half_made: usize,
    /// Accounts of refused sign-ups, and sign-ups falsely told to be taken.
    otherwise_wrong: usize,
    /// From the start of the process to its first answer; where Vestibule was restarted.
    restart_median_ms: Option<f64>,
    restart_p99_ms: Option<f64>,
    /// After N faults without a loss, a loss is rarer than 3/N per fault with 95 % confidence.
    loss_per_fault_below: Option<f64>,
}

impl Report {
    fn of(
        (store, fault): (&'static str, &'static str),
        faults: usize,
        verdict: &Verdict,
        restarts: Vec<Duration>,
    ) -> Report {
        let innocent = verdict.findings().is_empty() && faults > 0;
        Report {
            store,
            fault,
            faults,
            acknowledged: verdict.acknowledged,
            unknown: verdict.unknown,
            refused: verdict.refused,
            lost: verdict.lost.len(),
            doubled: verdict.doubled.len(),
            half_made: verdict.half_made.len(),
            otherwise_wrong: verdict.revived.len() + verdict.falsely_taken.len(),
            restart_median_ms: quantile(restarts.clone(), 0.5),
            restart_p99_ms: quantile(restarts, 0.99),
            loss_per_fault_below: innocent.then(|| 3.0 / faults as f64),
        }
    }

    fn line(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        format!(
            "{:<11} {:<22} {:>6} {:>12} {:>8} {:>5} {:>8} {:>10} {:>9} {:>9} {:>10}",
            self.store,
            self.fault,
            self.faults,
            self.acknowledged,
            self.unknown,
            self.lost,
            self.doubled,
            self.half_made,
            number(self.restart_median_ms),
            number(self.restart_p99_ms),
            number(self.loss_per_fault_below),
        )
    }
}

const HEAD: &str = "store       fault                  faults acknowledged  unknown  lost  doubled  half-made  \
                    start ms    p99 ms   loss < /fault";

/// In milliseconds, to a tenth.
fn quantile(mut times: Vec<Duration>, share: f64) -> Option<f64> {
    times.sort_unstable();
    let place = (times.len().checked_sub(1)? as f64 * share).ceil() as usize;
    times.get(place).map(|time| (time.as_secs_f64() * 1e4).round() / 10.0)
}

fn count(name: &str) -> usize {
    std::env::var(name).ok().and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// Without VESTIBULE_TEST_REPORT, the file to write, it does nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: bench/faults runs it"]
async fn campaign() {
    let Ok(path) = std::env::var("VESTIBULE_TEST_REPORT") else { return };
    let (kills, server_kills) = (count("VESTIBULE_TEST_KILLS"), count("VESTIBULE_TEST_SERVER_KILLS"));
    let (failovers, mut dice) = (count("VESTIBULE_TEST_FAILOVERS"), Dice::new());
    let mut findings = Vec::new();
    let mut reports = Vec::new();
    let mut keep = |kind, faults: usize, verdict: Verdict, restarts| {
        findings.extend(verdict.findings());
        reports.push(Report::of(kind, faults, &verdict, restarts));
    };

    let database = Database::sqlite();
    let (verdict, restarts) = kill_at_random(&database.url(), kills, &mut dice).await;
    keep(("sqlite", "vestibule killed"), kills, verdict, restarts);
    let cluster = Cluster::start(&[]).await;
    let (verdict, restarts) = kill_at_random(&cluster.url("postgres"), kills, &mut dice).await;
    keep(("postgresql", "vestibule killed"), kills, verdict, restarts);
    drop(cluster);
    keep(("postgresql", "server killed"), server_kills, kill_server(server_kills).await, Vec::new());
    let mut verdict = Verdict::default();
    for _ in 0..failovers {
        verdict.add(fail_over_once().await);
    }
    keep(("postgresql", "synchronous failover"), failovers, verdict, Vec::new());

    let lines: Vec<String> = reports.iter().map(Report::line).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{HEAD}\n{}", lines.join("\n")).expect("somebody reads");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let optimised = !cfg!(debug_assertions);
    let report =
        serde_json::json!({ "seed": dice.seed, "cores": cores, "optimised": optimised, "reports": reports });
    let text = serde_json::to_string_pretty(&report).expect("a report is JSON") + "\n";
    std::fs::write(&path, text).expect("the report can be written");
    assert!(findings.is_empty(), "{findings:#?}");
}
