//! A study for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::super::table;
use super::study::{Measured, Study, Wish};
use crate::password::{Engine, Params};
use crate::start::memory::mebibytes;

/// How wide a full bar is, in characters.
const BAR: usize = 24;

/// What is printed.
pub(super) struct Report<'s> {
    pub(super) wish: Wish,
    /// The memory was more than half of what there is, and was cut to that.
    pub(super) reduced: bool,
    /// What a core costs for an hour.
    pub(super) core_hour: f64,
    pub(super) study: &'s Study,
}

impl Report<'_> {
    /// For people; with bars when they look at a terminal.
    pub(super) fn text(&self, bars: bool) -> String {
        let Wish { latency, memory, cores, .. } = self.wish;
        let back_end = Engine::Fast.back_end();
        let mut out = String::new();
        let _ = writeln!(out, "{cores} cores, {back_end}. {} x {} passes:\n", mebibytes(floor()), 2);
        let _ = writeln!(out, "{}\n", self.engines(bars).trim_fmt());
        let _ = writeln!(
            out,
            "What a hash may cost, at most {} each and {} together{}:\n",
            milliseconds(latency),
            mebibytes(memory),
            if self.reduced { " (half of what there is)" } else { "" }
        );
        let _ = writeln!(out, "{}\n", self.costs(bars).trim_fmt());
        let _ = writeln!(out, "{}\n", self.conclusion());
        let _ = writeln!(out, "{}", self.configuration());
        out
    }

    fn engines(&self, bars: bool) -> Table {
        let mut table = table(["ENGINE", "WORKERS", "HASHES/S", "MS/HASH", ""]);
        let most = best(&self.study.engines);
        for Measured { point, rate } in &self.study.engines {
            table.add_row([
                point.engine.to_string(),
                point.workers.to_string(),
                format!("{:.0}", rate.per_second),
                number(rate.each),
                bar(bars, rate.per_second / most),
            ]);
        }
        right_aligned(table, 1..4)
    }

    fn costs(&self, bars: bool) -> Table {
        let header =
            ["MEMORY", "PASSES", "WORKERS", "HASHES/S", "MS/HASH", "IN ALL", "PRICE OF 10^9 GUESSES", ""];
        let mut table = table(header);
        let rows = self.rows();
        let dearest = rows.iter().map(|m| self.price(m)).fold(0.0, f64::max);
        for measured in &rows {
            let Measured { point, rate } = measured;
            table.add_row([
                mebibytes(u64::from(point.params.memory_kib) * 1024),
                point.params.iterations.to_string(),
                point.workers.to_string(),
                format!("{:.0}", rate.per_second),
                number(rate.each),
                mebibytes(point.memory()),
                format!("{:.0}", self.price(measured)),
                bar(bars, self.price(measured) / dearest),
            ]);
        }
        right_aligned(table, 0..7)
    }

    /// The costs, and the proposal when it is none of them.
    fn rows(&self) -> Vec<Measured> {
        let mut rows = self.study.costs.clone();
        if rows.iter().all(|row| row.point != self.study.proposal.point) {
            rows.push(self.study.proposal);
        }
        rows
    }

    fn conclusion(&self) -> String {
        let Measured { point, rate } = self.study.proposal;
        let missed = if rate.each > self.wish.latency {
            format!(
                "A hash takes longer than {} here; the default is the least that is safe all the same.\n",
                milliseconds(self.wish.latency)
            )
        } else {
            String::new()
        };
        format!(
            "{missed}Proposed: {} x {} passes with {} workers: {:.0} sign-ups/s, {} ms each, {} of memory.\n\
             An attacker who has the hashes and machines like this one makes {:.0} guesses/s with each, and pays {:.0} \
             for 10^9\nof them if a core costs {} an hour (an assumption: --core-hour; other hardware may be cheaper).",
            mebibytes(u64::from(point.params.memory_kib) * 1024),
            point.params.iterations,
            point.workers,
            rate.per_second,
            number(rate.each),
            mebibytes(point.memory()),
            rate.per_second,
            self.price(&self.study.proposal),
            self.core_hour,
        )
    }

    /// Ready to be pasted into a configuration file.
    fn configuration(&self) -> String {
        let point = self.study.proposal.point;
        let Params { memory_kib, iterations, parallelism } = point.params;
        format!(
            "[passwords]\nmemory_kib = {memory_kib}\niterations = {iterations}\nparallelism = {parallelism}\n\
             workers = {}",
            point.workers
        )
    }

    /// What 10^9 guesses cost on machines like this one, all cores rented.
    fn price(&self, measured: &Measured) -> f64 {
        let hours = 1e9 / measured.rate.per_second / 3600.0;
        hours * self.wish.cores as f64 * self.core_hour
    }

    /// For programs. Times in milliseconds, memory in bytes.
    pub(super) fn json(&self) -> Value {
        let one = |measured: &Measured| {
            let Measured { point, rate } = measured;
            json!({
                "engine": point.engine.to_string(),
                "memory_kib": point.params.memory_kib,
                "iterations": point.params.iterations,
                "parallelism": point.params.parallelism,
                "workers": point.workers,
                "hashes_per_second": rate.per_second,
                "ms_per_hash": rate.each.as_secs_f64() * 1e3,
                "memory_bytes": point.memory(),
                "price_of_1e9_guesses": self.price(measured),
            })
        };
        json!({
            "cores": self.wish.cores,
            "back_end": Engine::Fast.back_end(),
            "latency_ms": self.wish.latency.as_secs_f64() * 1e3,
            "memory_bytes": self.wish.memory,
            "assumed_price_of_core_hour": self.core_hour,
            "engines": self.study.engines.iter().map(one).collect::<Vec<_>>(),
            "costs": self.study.costs.iter().map(one).collect::<Vec<_>>(),
            "proposal": one(&self.study.proposal),
        })
    }
}

fn floor() -> u64 {
    u64::from(Params::default().memory_kib) * 1024
}

fn best(measured: &[Measured]) -> f64 {
    measured.iter().map(|m| m.rate.per_second).fold(0.0, f64::max)
}

fn right_aligned(mut table: Table, columns: std::ops::Range<usize>) -> Table {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A bar in eighths of a character.
fn bar(shown: bool, share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if !shown {
        return String::new();
    }
    let eighths = (share.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn number(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

fn milliseconds(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_by_eighths() {
        assert_eq!(bar(true, 1.0), "█".repeat(24));
        assert_eq!((bar(true, 0.5 + 1.0 / 192.0), bar(true, 0.0)), ("█".repeat(12) + "▏", String::new()));
        assert_eq!(bar(false, 1.0), "");
    }
}
