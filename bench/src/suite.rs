//! All sections, or some, in one run; the result is written after each of them.

use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::machine::machine;
use crate::progress;
use crate::section::{Bench, Section};

/// What, how long and how often.
#[derive(clap::Args)]
pub struct SuiteArgs {
    /// Only these sections
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Section>,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How often what is compared is repeated, in turn
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of overload
    #[arg(long, default_value_t = 20.0)]
    overload: f64,
    /// Sizes of the databases of the section `growth`, in accounts
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1_000_000, 10_000_000])]
    users: Vec<u64>,
    /// A superuser's URL of a PostgreSQL server that syncs to disk; databases are created on it and removed
    #[arg(long, env = "BENCH_POSTGRES")]
    postgres: Option<String>,
    /// The program to measure; by default the one beside this one
    #[arg(long)]
    vestibule: Option<PathBuf>,
    /// The folder with the other servers' sources
    #[arg(long, default_value = "bench/peers")]
    peers: PathBuf,
    /// Only these of them, by folder, in the section `peers`
    #[arg(long, value_delimiter = ',')]
    only_peers: Vec<String>,
    /// The file for the result; standard output unless given
    #[arg(long)]
    write: Option<PathBuf>,
}

pub async fn run(args: SuiteArgs) -> anyhow::Result<()> {
    let beside = std::env::current_exe()?.with_file_name("vestibule");
    let binary = std::fs::canonicalize(args.vestibule.unwrap_or(beside)).context("the program to measure")?;
    let all = [
        Section::StartUp,
        Section::Rates,
        Section::Refusals,
        Section::Overload,
        Section::Peers,
        Section::Growth,
    ];
    let sections = if args.only.is_empty() { all.to_vec() } else { args.only };
    let bench = Bench {
        binary,
        seconds: args.seconds,
        rounds: args.rounds,
        overload: args.overload,
        users: args.users,
        postgres: args.postgres,
        peers: args.peers,
        only_peers: args.only_peers,
    };
    let mut result = json!({
        "date": Clock::system().now().to_string(), "machine": machine(), "sections": {},
        "settings": { "seconds": bench.seconds, "rounds": bench.rounds, "overload": bench.overload, "users": bench.users },
        "command": std::env::args().skip(1).map(without_address).collect::<Vec<_>>(),
    });
    let mut failed = Vec::new();
    for section in sections {
        let name = section.name();
        progress!("section {name}");
        result["sections"][&name] = section.measure(&bench).await.unwrap_or_else(|error| {
            progress!("section {name} failed: {error:#}");
            failed.push(name.clone());
            json!({ "failed": format!("{error:#}") })
        });
        keep(&result, args.write.as_ref())?;
    }
    if args.write.is_none() {
        println!("{result:#}");
    }
    if !failed.is_empty() {
        bail!("these sections failed: {}", failed.join(", "));
    }
    Ok(())
}

fn keep(result: &Value, file: Option<&PathBuf>) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    std::fs::write(file, format!("{result:#}\n")).with_context(|| format!("writing {}", file.display()))
}

/// A database's URL may hold a password, and is of no use to others.
fn without_address(argument: String) -> String {
    if argument.contains("://") { "<url>".to_owned() } else { argument }
}
