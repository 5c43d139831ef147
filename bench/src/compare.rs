//! Several builds of Vestibule in turn: rate, refusals, and memory before and after a mixed load.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use crate::database::Database;
use crate::request::Kind;
use crate::section::middle;
use crate::target::Target;
use crate::{load, progress, sample};

/// Which builds, how long and how often.
#[derive(clap::Args)]
pub struct CompareArgs {
    /// Programs, each with a name
    #[arg(value_name = "NAME=PATH", required = true, value_parser = named)]
    programs: Vec<(String, PathBuf)>,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How often each is measured, in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of the mixed load
    #[arg(long, default_value_t = 10.0)]
    mixed: f64,
    /// JSON with every round instead of a table
    #[arg(long)]
    json: bool,
}

fn named(text: &str) -> anyhow::Result<(String, PathBuf)> {
    let (name, path) = text.split_once('=').context("expected NAME=PATH")?;
    Ok((name.to_owned(), std::fs::canonicalize(path).with_context(|| path.to_owned())?))
}

pub async fn run(args: CompareArgs) -> anyhow::Result<()> {
    let mut rows = vec![Vec::new(); args.programs.len()];
    for round in 1..=args.rounds {
        // Whoever comes first in one round comes last in the next.
        for step in 0..args.programs.len() {
            let which = (step + round) % args.programs.len();
            let (name, path) = &args.programs[which];
            progress!("compare: round {round} of {}, {name}", args.rounds);
            rows[which].push(measure(&args, path).await.with_context(|| name.clone())?);
        }
    }
    let summaries: Vec<Value> = args.programs.iter().zip(&rows).map(|((name, path), rows)| {
        let size = std::fs::metadata(path).map_or(0, |data| data.len());
        let of = |key: &str| middle(rows, &format!("/{key}"));
        json!({ "name": name, "binary_bytes": size, "registrations_per_second": of("registrations_per_second"),
                "refusals_per_second": of("refusals_per_second"), "idle_rss_kib": of("idle_rss_kib"),
                "peak_rss_kib": of("peak_rss_kib"), "rss_after_kib": of("rss_after_kib"), "rounds": rows })
    }).collect();
    if args.json {
        println!("{:#}", json!({ "programs": summaries }));
    } else {
        println!("{}", table(&summaries));
    }
    Ok(())
}

async fn measure(args: &CompareArgs, program: &std::path::Path) -> anyhow::Result<Value> {
    let target = Target::vestibule(program, Database::sqlite()?)?;
    let memory = || sample::usage(target.server.pid()).rss_kib;
    // One registration, so that every worker and connection pool that starts late has started.
    target.rate(4, 0.2).await?;
    let idle = memory();
    let registrations = target.rate(64, args.seconds).await?;
    let refusals = target.closed(Kind::Invalid, 16, args.seconds).await?;
    let length = Duration::from_secs_f64(args.mixed);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let peak = tokio::spawn(sample::peak_memory(target.server.pid(), stopped));
    let send = |kind, clients| load::closed(target.address(), target.maker(kind), clients, length);
    tokio::join!(
        send(Kind::Register, 64),
        send(Kind::Invalid, 64),
        send(Kind::Malformed, 64),
        send(Kind::Get, 64)
    );
    let _ = stop.send(());
    // What an allocator gives back it gives back soon.
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(json!({
        "registrations_per_second": registrations, "refusals_per_second": refusals["refused"]["per_second"],
        "idle_rss_kib": idle, "peak_rss_kib": peak.await?, "rss_after_kib": memory(),
    }))
}

fn table(rows: &[Value]) -> String {
    let head = "| build | registrations/s | refusals/s | RSS idle, MiB | RSS peak, MiB | RSS after, MiB | size, MiB |\n\
                |---|---:|---:|---:|---:|---:|---:|\n";
    let cells = rows.iter().map(|row| {
        let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        format!(
            "| {} | {:.1} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} |\n",
            row["name"].as_str().unwrap_or_default(),
            number("registrations_per_second"),
            number("refusals_per_second"),
            number("idle_rss_kib") / 1024.0,
            number("peak_rss_kib") / 1024.0,
            number("rss_after_kib") / 1024.0,
            number("binary_bytes") / 1_048_576.0
        )
    });
    head.to_owned() + &cells.collect::<String>()
}
