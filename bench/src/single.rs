//! One load on a server that runs already.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::request::{Kind, Maker};
use crate::target::run;
use crate::{load, sample};

/// What to send where.
#[derive(clap::Args)]
pub struct LoadArgs {
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

pub async fn measure(args: LoadArgs) -> anyhow::Result<Value> {
    let maker = Arc::new(Maker::new(args.kind, args.address, &args.path, &run()));
    if args.kind == Kind::Taken {
        // The first one registers the address that all others find taken.
        Client::connect(args.address).await?.exchange(&maker.next()).await?;
    }
    let length = Duration::from_secs_f64(args.seconds);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let cores = args.pid.map(sample::Cores::of);
    let memory = args.pid.map(|pid| tokio::spawn(sample::peak_memory(pid, stopped)));
    let probe = args.probe.map(|path| {
        let maker = Arc::new(Maker::new(Kind::Get, args.address, &path, ""));
        tokio::spawn(load::open(args.address, maker, 20.0, length))
    });
    let start = Instant::now();
    let (tally, over) = match args.rate {
        Some(rate) => (load::open(args.address, maker, rate, length).await, args.seconds),
        None => {
            let tally = load::closed(args.address, maker, args.connections, length).await;
            (tally, start.elapsed().as_secs_f64())
        }
    };
    let cores = cores.map(|cores| cores.used());
    let probe = match probe {
        Some(task) => Some(task.await?),
        None => None,
    };
    let _ = stop.send(());
    let memory = match memory {
        Some(task) => Some(task.await?),
        None => None,
    };
    Ok(json!({
        "name": args.name, "kind": args.kind, "loop": if args.rate.is_some() { "open" } else { "closed" },
        "connections": args.rate.is_none().then_some(args.connections), "offered_per_second": args.rate,
        "load": tally.told(over), "probe": probe.map(|tally| tally.told(args.seconds)),
        "peak_rss_kib": memory, "cores_used": cores,
    }))
}
