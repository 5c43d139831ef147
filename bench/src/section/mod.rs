//! What is measured, one file per section; each can be run alone.

mod growth;
mod overload;
mod peers;
mod rates;
mod refusals;
mod start_up;

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

/// A part of the suite, by its name in the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Section {
    /// From nothing to the first registration; idle memory; the program's size
    StartUp,
    /// The hash pool alone, and registrations with 1, 4, 16 and 64 clients
    Rates,
    /// Ten times the peak, open loop, and what comes after
    Overload,
    /// Bad requests beside a bare axum
    Refusals,
    /// An empty database beside full ones
    Growth,
    /// Other sign-up servers
    Peers,
}

/// What all sections are told.
pub struct Bench {
    /// The `vestibule` to measure.
    pub binary: PathBuf,
    /// Seconds of each measurement.
    pub seconds: f64,
    /// How often what is compared is repeated, in turn.
    pub rounds: usize,
    /// Seconds of overload.
    pub overload: f64,
    /// Sizes of full databases, in accounts.
    pub users: Vec<u64>,
    /// A superuser's URL of a PostgreSQL server.
    pub postgres: Option<String>,
    /// The folder with the peers' sources.
    pub peers: PathBuf,
    /// Folders of the peers to measure; all when empty.
    pub only_peers: Vec<String>,
}

impl Section {
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub async fn measure(self, bench: &Bench) -> anyhow::Result<Value> {
        match self {
            Section::StartUp => start_up::measure(bench).await,
            Section::Rates => rates::measure(bench).await,
            Section::Overload => overload::measure(bench).await,
            Section::Refusals => refusals::measure(bench).await,
            Section::Growth => growth::measure(bench).await,
            Section::Peers => peers::measure(bench).await,
        }
    }
}

/// The middle one; of an even number the upper.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The median of one place in many rows; rows that lack it do not count.
pub fn middle(rows: &[Value], pointer: &str) -> Option<f64> {
    median(rows.iter().filter_map(|row| row.pointer(pointer)?.as_f64()))
}
