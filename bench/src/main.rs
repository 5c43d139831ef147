//! Measures sign-up servers over HTTP, and Vestibule's hash pool in process. `vestibule-bench suite` does it all in one go.

mod client;
mod load;
mod request;
mod sample;
mod server;
mod suite;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use vestibule::clock::Clock;
use vestibule::password::{Engine, Params, Pool, PoolSettings};
use vestibule::user::Password;

use load::Tally;
use request::{Kind, Maker};

/// Measures sign-up servers; prints one JSON object.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The hash pool's raw rate, in process: what a registration cannot be faster than
    Pool {
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// A load on a server
    Load(LoadArgs),
    /// All measurements in one go, against the `vestibule` beside this program
    Suite(suite::SuiteArgs),
    /// A bare axum that parses the same JSON and answers 400: what a refusal cannot be faster than
    Floor { listen: SocketAddr },
}

#[derive(clap::Args)]
struct LoadArgs {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long, default_value = "/users")]
    path: String,
    #[arg(long, value_enum, default_value_t = Kind::Register)]
    kind: Kind,
    /// Closed loop with so many clients
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Open loop with so many requests a second instead
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// A second stream beside the load: 20 GETs a second of this path
    #[arg(long)]
    probe: Option<String>,
    /// The server's process, whose memory and processor time are sampled
    #[arg(long)]
    pid: Option<u32>,
    /// What this is called in the results
    #[arg(long, default_value = "")]
    name: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let result = match Cli::parse().command {
        Command::Pool { seconds } => pool(seconds).await?,
        Command::Load(args) => measure(args).await?,
        Command::Suite(args) => suite::run(args).await?,
        Command::Floor { listen } => return floor(listen).await,
    };
    println!("{result:#}");
    Ok(())
}

/// As many hashes as the pool's workers can do, asked for so that each always has one waiting.
async fn pool(seconds: f64) -> anyhow::Result<Value> {
    let workers = std::thread::available_parallelism()?.get();
    let params = Params::default();
    let settings = PoolSettings { engine: Engine::Fast, params, workers, deadline: Duration::from_secs(60) };
    let pool = Arc::new(Pool::start(settings)?);
    let clock = Clock::system();
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..2 * workers {
        let (pool, clock) = (pool.clone(), clock.clone());
        tasks.push(tokio::spawn(async move {
            let mut done = 0u64;
            while start.elapsed().as_secs_f64() < seconds {
                let Ok(password) = Password::parse("correct horse 7") else { return done };
                done += u64::from(pool.hash(password, clock.random()).await.is_ok());
            }
            done
        }));
    }
    let mut done = 0;
    for task in tasks {
        done += task.await?;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    let report = pool.report();
    Ok(json!({ "name": "pool", "hashes_per_second": rate, "workers": workers, "back_end": report.back_end,
               "memory_kib": params.memory_kib, "iterations": params.iterations }))
}

async fn measure(args: LoadArgs) -> anyhow::Result<Value> {
    let run = format!("{:x}", std::process::id());
    let maker = Arc::new(Maker::new(args.kind, args.address, &args.path, &run));
    if args.kind == Kind::Taken {
        // The first one registers the address that all others find taken.
        let _ = client::Client::connect(args.address).await?.exchange(&maker.next()).await?;
    }
    let length = Duration::from_secs_f64(args.seconds);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let watch = args.pid.map(|pid| tokio::spawn(sample::watch(pid, stopped)));
    let probe = args.probe.map(|path| {
        let maker = Arc::new(Maker::new(Kind::Get, args.address, &path, &run));
        tokio::spawn(load::open(args.address, maker, 20.0, length))
    });
    let start = Instant::now();
    let tally = match args.rate {
        Some(rate) => load::open(args.address, maker, rate, length).await,
        None => load::closed(args.address, maker, args.connections, length).await,
    };
    let elapsed = start.elapsed().as_secs_f64().min(args.seconds + load::PATIENCE.as_secs_f64());
    let probe = match probe {
        Some(task) => Some(task.await?),
        None => None,
    };
    let _ = stop.send(());
    let usage = match watch {
        Some(task) => Some(task.await?),
        None => None,
    };
    Ok(json!({
        "name": args.name,
        "kind": args.kind,
        "loop": if args.rate.is_some() { "open" } else { "closed" },
        "connections": args.rate.is_none().then_some(args.connections),
        "offered_per_second": args.rate,
        "seconds": args.seconds,
        "elapsed": elapsed,
        "load": told(&tally, args.seconds),
        "probe": probe.as_ref().map(|tally| told(tally, args.seconds)),
        "peak_rss_kib": usage.map(|(rss, _)| rss),
        "cores_used": usage.map(|(_, cores)| cores),
    }))
}

fn told(tally: &Tally, seconds: f64) -> Value {
    json!({
        "succeeded": latencies(&tally.succeeded, seconds),
        "shed": latencies(&tally.shed, seconds),
        "refused": latencies(&tally.refused, seconds),
        "shed_without_retry_after": tally.without_retry_after,
        "timed_out": tally.timed_out,
        "broken": tally.broken,
        "not_sent": tally.not_sent,
        "successes_by_second": tally.timeline,
    })
}

/// Milliseconds.
fn latencies(histogram: &Histogram<u64>, seconds: f64) -> Value {
    let ms = |micros: u64| micros as f64 / 1e3;
    json!({
        "count": histogram.len(),
        "per_second": histogram.len() as f64 / seconds,
        "p50_ms": ms(histogram.value_at_quantile(0.5)),
        "p90_ms": ms(histogram.value_at_quantile(0.9)),
        "p99_ms": ms(histogram.value_at_quantile(0.99)),
        "max_ms": ms(histogram.max()),
    })
}

async fn floor(listen: SocketAddr) -> anyhow::Result<()> {
    use axum::http::StatusCode;
    use axum::{Json, Router, routing::post};
    let refuse = |Json(body): Json<Value>| async move {
        let _ = body;
        (StatusCode::BAD_REQUEST, Json(json!({ "errors": [{ "field": "email", "message": "no" }] })))
    };
    let router = Router::new().route("/users", post(refuse));
    axum::serve(tokio::net::TcpListener::bind(listen).await?, router).await?;
    Ok(())
}
