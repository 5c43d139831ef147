//! What a long campaign reports of each kind of fault: for programs as JSON, for people as a table.

use std::time::Duration;

use serde::Serialize;

use super::judge::Verdict;
use super::stops::Stops;

/// What one kind of fault showed on one store.
#[derive(Debug, Serialize)]
pub(super) struct Report {
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
    /// Requests that lay in the server's system at a SIGTERM; and those of them that were not answered.
    accepted: Option<usize>,
    dropped: Option<usize>,
    /// Ends with another code than 0, or after the grace.
    disorderly: Option<usize>,
    /// From the start of the process to its first answer, or from the fault to the next account where Vestibule itself
    /// goes on.
    ready_median_ms: Option<f64>,
    ready_p99_ms: Option<f64>,
    /// From SIGTERM to the end of the process.
    end_median_ms: Option<f64>,
    end_longest_ms: Option<f64>,
    /// After N faults without a loss, a loss is rarer than 3/N per fault with 95 % confidence.
    loss_per_fault_below: Option<f64>,
}

impl Report {
    pub(super) fn of(
        (store, fault): (&'static str, &'static str),
        faults: usize,
        verdict: &Verdict,
        ready: &[Duration],
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
            accepted: None,
            dropped: None,
            disorderly: None,
            ready_median_ms: quantile(ready, 0.5),
            ready_p99_ms: quantile(ready, 0.99),
            end_median_ms: None,
            end_longest_ms: None,
            loss_per_fault_below: innocent.then(|| 3.0 / faults as f64),
        }
    }

    /// The same about servers that were asked to stop, where a request that was dropped is a loss.
    pub(super) fn of_stops(store: &'static str, stops: &Stops, verdict: &Verdict) -> Report {
        let report = Report::of((store, "SIGTERM, twice"), stops.endings.len(), verdict, &stops.starts);
        Report {
            accepted: Some(stops.accepted),
            dropped: Some(stops.dropped.len()),
            disorderly: Some(stops.disorderly.len()),
            end_median_ms: quantile(&stops.endings, 0.5),
            end_longest_ms: quantile(&stops.endings, 1.0),
            loss_per_fault_below: report.loss_per_fault_below.filter(|_| stops.findings().is_empty()),
            ..report
        }
    }

    fn line(&self) -> String {
        let count = |value: Option<usize>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let loss = self.loss_per_fault_below.map_or_else(|| "-".to_owned(), |loss| format!("{loss:.4}"));
        format!(
            "{:<11} {:<21} {:>6} {:>12} {:>8} {:>5} {:>8} {:>10} {:>9} {:>8} {:>10} {:>8} {:>8} {:>12}",
            self.store,
            self.fault,
            self.faults,
            self.acknowledged,
            self.unknown,
            self.lost,
            self.doubled,
            self.half_made,
            count(self.accepted),
            count(self.dropped),
            number(self.ready_median_ms),
            number(self.ready_p99_ms),
            number(self.end_longest_ms),
            loss,
        )
    }
}

const HEAD: &str = "store       fault                 faults acknowledged  unknown  lost  doubled  half-made  \
                    accepted  dropped   ready ms   p99 ms   end ms loss < /fault";

/// All of them in lines of one width.
pub(super) fn table(reports: &[Report]) -> String {
    let lines: Vec<String> = reports.iter().map(Report::line).collect();
    format!("{HEAD}\n{}", lines.join("\n"))
}

/// In milliseconds, to a tenth.
fn quantile(times: &[Duration], share: f64) -> Option<f64> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let place = (times.len().checked_sub(1)? as f64 * share).ceil() as usize;
    times.get(place).map(|time| (time.as_secs_f64() * 1e4).round() / 10.0)
}
