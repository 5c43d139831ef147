//! Everything in one go; what is compared is interleaved, and what is told is a ratio within the run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use crate::load::{self, PATIENCE};
use crate::request::{Kind, Maker};
use crate::server::{Server, free_port};
use crate::{client::Client, pool, sample, told};

/// How long and how often.
#[derive(clap::Args)]
pub struct SuiteArgs {
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How often what is compared is repeated, in turn
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of overload
    #[arg(long, default_value_t = 20.0)]
    overload: f64,
    /// A PostgreSQL database that is empty and may be filled
    #[arg(long)]
    postgres: Option<String>,
    /// The program to measure; by default the one beside this one
    #[arg(long)]
    vestibule: Option<PathBuf>,
}

pub async fn run(args: SuiteArgs) -> anyhow::Result<Value> {
    let beside = std::env::current_exe()?.with_file_name("vestibule");
    let binary =
        std::fs::canonicalize(args.vestibule.clone().unwrap_or(beside)).context("the program to measure")?;
    let start_up = start_up(&binary).await?;
    let sqlite = Server::vestibule(&binary, None)?;
    let postgres = args.postgres.as_deref().map(|url| Server::vestibule(&binary, Some(url))).transpose()?;
    let rates = rates(&args, &sqlite, postgres.as_ref()).await?;
    let mut connections = Vec::new();
    for (name, server) in [("sqlite", Some(&sqlite)), ("postgresql", postgres.as_ref())] {
        let Some(server) = server else { continue };
        for c in [1, 4, 16, 64] {
            eprintln!("{name}, C={c}");
            let mut row = closed(server, Kind::Register, c, args.seconds).await?;
            row["store"] = name.into();
            connections.push(row);
        }
    }
    let peak = rates["sqlite_per_second"].as_f64().context("a rate")?;
    let overload = overload(&args, &sqlite, peak).await?;
    let refusals = refusals(&args, &sqlite).await?;
    Ok(json!({
        "machine": machine(), "start_up": start_up, "rates": rates, "connections": connections,
        "overload": overload, "refusals": refusals,
    }))
}

/// Start to listening, idle memory and size; the best of five starts, each on a new database.
async fn start_up(binary: &Path) -> anyhow::Result<Value> {
    let (mut listening, mut first, mut rss) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let begin = Instant::now();
        let server = Server::vestibule(binary, None)?;
        listening.push(server.started_in.as_secs_f64() * 1e3);
        rss.push(sample::usage(server.pid()).rss_kib);
        let maker = Maker::new(Kind::Register, server.address, "/users", "start");
        Client::connect(server.address).await?.exchange(&maker.next()).await?;
        first.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(json!({
        "listening_ms": median(&mut listening), "first_registration_ms": median(&mut first),
        "idle_rss_kib": rss.iter().max(), "binary_bytes": std::fs::metadata(binary)?.len(),
    }))
}

/// The pool's raw rate and registrations at C=64, in turn.
async fn rates(args: &SuiteArgs, sqlite: &Server, postgres: Option<&Server>) -> anyhow::Result<Value> {
    let mut rounds = Vec::new();
    for round in 0..args.rounds {
        eprintln!("round {} of {}", round + 1, args.rounds);
        let raw = pool(args.seconds).await?["hashes_per_second"].as_f64().context("a rate")?;
        let rate = |row: &Value| row["load"]["succeeded"]["per_second"].as_f64();
        let lite = rate(&closed(sqlite, Kind::Register, 64, args.seconds).await?).context("a rate")?;
        let post = match postgres {
            Some(server) => rate(&closed(server, Kind::Register, 64, args.seconds).await?),
            None => None,
        };
        rounds.push(json!({ "pool": raw, "sqlite": lite, "postgresql": post }));
    }
    let each = |key: &str| rounds.iter().filter_map(|r| r[key].as_f64()).collect::<Vec<f64>>();
    let ratio = |key: &str| {
        let of = |r: &Value| Some(r[key].as_f64()? / r["pool"].as_f64()?);
        median(&mut rounds.iter().filter_map(of).collect::<Vec<f64>>())
    };
    Ok(json!({
        "rounds": rounds, "pool_per_second": median(&mut each("pool")), "sqlite_per_second": median(&mut each("sqlite")),
        "postgresql_per_second": median(&mut each("postgresql")), "sqlite_over_pool": ratio("sqlite"),
        "postgresql_over_pool": ratio("postgresql"),
    }))
}

async fn closed(server: &Server, kind: Kind, connections: usize, seconds: f64) -> anyhow::Result<Value> {
    let run = format!("{:x}", Instant::now().elapsed().as_nanos() ^ u128::from(free_port()?));
    let maker = Arc::new(Maker::new(kind, server.address, "/users", &run));
    if kind == Kind::Taken {
        Client::connect(server.address).await?.exchange(&maker.next()).await?;
    }
    let before = sample::usage(server.pid()).ticks;
    let tally = load::closed(server.address, maker, connections, Duration::from_secs_f64(seconds)).await;
    let ticks = sample::usage(server.pid()).ticks - before;
    Ok(json!({ "kind": kind, "connections": connections, "load": told(&tally, seconds),
               "cores_used": ticks as f64 / 100.0 / seconds }))
}

/// Ten times the peak, open loop, with a probe beside it; then how fast it is itself again.
async fn overload(args: &SuiteArgs, server: &Server, peak: f64) -> anyhow::Result<Value> {
    eprintln!("overload: {:.0} requests a second for {} s", 10.0 * peak, args.overload);
    let length = Duration::from_secs_f64(args.overload);
    let maker = Arc::new(Maker::new(Kind::Register, server.address, "/users", "overload"));
    let probes = Arc::new(Maker::new(Kind::Get, server.address, "/healthz", ""));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let watch = tokio::spawn(sample::watch(server.pid(), stopped));
    let probe = tokio::spawn(load::open(server.address, probes, 20.0, length));
    let tally = load::open(server.address, maker.clone(), 10.0 * peak, length).await;
    let probe = probe.await?;
    let _ = stop.send(());
    let (rss, cores) = watch.await?;
    let begin = Instant::now();
    let mut after = Client::connect(server.address).await?;
    while begin.elapsed() < PATIENCE {
        let answer = after.exchange(&maker.next()).await?;
        if (200..300).contains(&answer.status) {
            break;
        }
    }
    let recovered = begin.elapsed().as_secs_f64() * 1e3;
    let goodput = tally.succeeded.len() as f64 / args.overload;
    Ok(json!({
        "offered_per_second": 10.0 * peak, "load": told(&tally, args.overload), "probe": told(&probe, args.overload),
        "goodput_over_peak": goodput / peak, "first_registration_after_ms": recovered, "peak_rss_kib": rss,
        "cores_used": cores,
    }))
}

/// Refusals beside a bare axum that parses the same JSON, in turn.
async fn refusals(args: &SuiteArgs, server: &Server) -> anyhow::Result<Value> {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["floor", &address.to_string()]);
    let floor = Server::start(command, address)?;
    let mut rounds = Vec::new();
    for _ in 0..args.rounds {
        let mut row = json!({});
        for (name, kind, server) in [
            ("bare_axum", Kind::Invalid, &floor),
            ("invalid", Kind::Invalid, server),
            ("malformed", Kind::Malformed, server),
            ("taken", Kind::Taken, server),
        ] {
            eprintln!("refusals: {name}");
            let measured = closed(server, kind, 16, args.seconds).await?;
            row[name] = measured["load"]["refused"]["per_second"].clone();
        }
        rounds.push(row);
    }
    let over = |name: &str| {
        let of = |r: &Value| Some(r[name].as_f64()? / r["bare_axum"].as_f64()?);
        median(&mut rounds.iter().filter_map(of).collect::<Vec<f64>>())
    };
    Ok(json!({ "invalid_over_bare_axum": over("invalid"), "malformed_over_bare_axum": over("malformed"),
               "taken_over_bare_axum": over("taken"), "rounds": rounds }))
}

fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .unwrap_or("")
        .trim_start_matches(['\t', ':', ' ']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({ "cpu": model, "cores": cores, "load_before": load.trim() })
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
