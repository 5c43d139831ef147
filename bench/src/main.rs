//! Measures sign-up servers over HTTP, and Vestibule's hash pool in process.
//!
//! `suite` measures all sections or some and keeps the result as JSON; `report` makes tables and charts of results;
//! `compare` measures several builds of Vestibule in turn.

mod chart;
mod client;
mod compare;
mod database;
mod fill;
mod floor;
mod interleave;
mod load;
mod machine;
mod pool;
mod progress;
mod report;
mod request;
mod sample;
mod section;
mod server;
mod single;
mod suite;
mod target;

use std::net::SocketAddr;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// Measures sign-up servers.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sections of measurements in one run, against the `vestibule` beside this program
    Suite(suite::SuiteArgs),
    /// Tables and charts of the results of `suite`
    Report(report::ReportArgs),
    /// Several builds of Vestibule in turn: rates and memory
    Compare(compare::CompareArgs),
    /// The hash pool's raw rate, in process: what a registration cannot be faster than
    Pool {
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// One load on a server that runs already
    Load(single::LoadArgs),
    /// What two Argon2 hashes interleaved in one thread would give
    Interleave {
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// A bare axum that parses the same JSON and answers 400: what a refusal cannot be faster than
    Floor { listen: SocketAddr },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        result = run(Cli::parse().command) => result,
        // Falling out of here stops the servers that were started.
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminated.recv() => anyhow::bail!("terminated"),
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Suite(args) => suite::run(args).await?,
        Command::Report(args) => report::run(&args)?,
        Command::Compare(args) => compare::run(args).await?,
        Command::Pool { seconds } => println!("{:#}", pool::pool(seconds).await?),
        Command::Load(args) => println!("{:#}", single::measure(args).await?),
        Command::Interleave { seconds } => println!("{:#}", interleave::measure(seconds)?),
        Command::Floor { listen } => floor::serve(listen).await?,
    }
    Ok(())
}
