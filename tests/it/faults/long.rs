//! The same attacks a thousand times over, with a report; `bench/faults` runs it.

use std::io::Write as _;
use std::time::Duration;

use super::campaign::{Dice, kill_at_random};
use super::judge::Verdict;
use super::postgres::{fail_over, kill_server};
use super::report::{Report, table};
use super::stops::{End, stop_under_load};
use crate::harness::cluster::Cluster;
use crate::harness::database::Database;

fn count(name: &str) -> usize {
    std::env::var(name).ok().and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// What was shown so far.
struct Campaign {
    dice: Dice,
    reports: Vec<Report>,
    findings: Vec<String>,
}

impl Campaign {
    fn keep(&mut self, kind: (&'static str, &'static str), faults: usize, of: (Verdict, Vec<Duration>)) {
        self.findings.extend(of.0.findings());
        self.tell(Report::of(kind, faults, &of.0, &of.1));
    }

    /// Whoever waits for hours wants to see something.
    fn tell(&mut self, report: Report) {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", table(std::slice::from_ref(&report))).expect("somebody reads");
        self.reports.push(report);
    }

    async fn kill(&mut self, kills: usize) {
        let database = Database::sqlite();
        let shown = kill_at_random(&database.url(), kills, &mut self.dice).await;
        self.keep(("sqlite", "vestibule killed"), kills, shown);
        let cluster = Cluster::start(&[]).await;
        let shown = kill_at_random(&cluster.url("postgres"), kills, &mut self.dice).await;
        self.keep(("postgresql", "vestibule killed"), kills, shown);
    }

    async fn stop(&mut self, stops: usize) {
        for store in ["sqlite", "postgresql"] {
            let cluster = if store == "sqlite" { None } else { Some(Cluster::start(&[]).await) };
            let database = match &cluster {
                Some(cluster) => Database::of_cluster(cluster),
                None => Database::sqlite(),
            };
            let (shown, verdict) = stop_under_load(&database, stops, End::Asked, &mut self.dice).await;
            self.findings.extend(shown.findings().into_iter().chain(verdict.findings()));
            self.tell(Report::of_stops(store, &shown, &verdict));
        }
    }
}

/// Without VESTIBULE_TEST_REPORT, the file to write, it does nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: bench/faults runs it"]
async fn campaign() {
    let Ok(path) = std::env::var("VESTIBULE_TEST_REPORT") else { return };
    let mut campaign = Campaign { dice: Dice::new(), reports: Vec::new(), findings: Vec::new() };
    let (server_kills, failovers) = (count("VESTIBULE_TEST_SERVER_KILLS"), count("VESTIBULE_TEST_FAILOVERS"));
    let (stops, kills) = (count("VESTIBULE_TEST_STOPS"), count("VESTIBULE_TEST_KILLS"));
    if failovers > 0 {
        campaign.keep(("postgresql", "synchronous failover"), failovers, fail_over(failovers).await);
    }
    if server_kills > 0 {
        campaign.keep(("postgresql", "server killed"), server_kills, kill_server(server_kills).await);
    }
    if stops > 0 {
        campaign.stop(stops).await;
    }
    if kills > 0 {
        campaign.kill(kills).await;
    }

    let Campaign { dice, reports, findings } = campaign;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let optimised = !cfg!(debug_assertions);
    let report =
        serde_json::json!({ "seed": dice.seed, "cores": cores, "optimised": optimised, "reports": reports });
    let text = serde_json::to_string_pretty(&report).expect("a report is JSON") + "\n";
    std::fs::write(&path, text).expect("the report can be written");
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{}", table(&reports)).expect("somebody reads");
    assert!(findings.is_empty(), "{findings:#?}");
}
