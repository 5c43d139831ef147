//! What is measured: a server, its database, and how it is spoken to.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::database::Database;
use crate::load;
use crate::request::{Kind, Maker};
use crate::sample;
use crate::server::{Server, free_address};

static NEXT_RUN: AtomicU64 = AtomicU64::new(0);

/// A server under test. It ends before its database does.
pub struct Target {
    pub name: String,
    pub server: Server,
    pub database: Database,
    /// Where it registers.
    pub path: &'static str,
    /// The table that holds one row per account.
    pub table: &'static str,
}

impl Target {
    /// `vestibule serve --contract knex`.
    pub fn vestibule(binary: &Path, database: Database) -> anyhow::Result<Target> {
        let address = free_address()?;
        let mut command = Command::new(binary);
        command.current_dir(&database.folder).args([
            "serve",
            "--contract",
            "knex",
            "--set",
            "log.level=warn",
            // The refusals of one taken address are measured, not its limit of ten an hour.
            "--set",
            "rates.account=off",
        ]);
        command.args(["--listen", &address.to_string(), "--database", &database.url()]);
        // Nothing of the caller's surroundings configures what is measured.
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("VESTIBULE_")) {
            command.env_remove(name);
        }
        let server = Server::start(command, address, &database.folder.join("server.log"))?;
        Ok(Target { name: "Vestibule".into(), server, database, path: "/users", table: "users" })
    }

    /// Waits for the first answer: the database is open by then, which listening alone does not say.
    pub async fn ready(&self) -> anyhow::Result<()> {
        Client::connect(self.address()).await?.exchange(&self.maker(Kind::Get).next()).await?;
        Ok(())
    }

    /// Stops the server and gives its database back.
    pub fn stop(self) -> Database {
        drop(self.server);
        self.database
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Requests of which none was made before.
    pub fn maker(&self, kind: Kind) -> Arc<Maker> {
        let path = if kind == Kind::Get { "/healthz" } else { self.path };
        Arc::new(Maker::new(kind, self.address(), path, &run()))
    }

    /// A closed loop; latencies, the rate, and the processor time of both sides.
    pub async fn closed(&self, kind: Kind, connections: usize, seconds: f64) -> anyhow::Result<Value> {
        closed(&self.server, self.maker(kind), connections, seconds).await
    }

    /// Registrations a second in a closed loop.
    pub async fn rate(&self, connections: usize, seconds: f64) -> anyhow::Result<f64> {
        let measured = self.closed(Kind::Register, connections, seconds).await?;
        Ok(measured["succeeded"]["per_second"].as_f64().unwrap_or_default())
    }
}

/// A closed loop against a server.
pub async fn closed(
    server: &Server,
    maker: Arc<Maker>,
    connections: usize,
    seconds: f64,
) -> anyhow::Result<Value> {
    let kind = maker.kind;
    if kind == Kind::Taken {
        // The first one registers the address that all others find taken.
        Client::connect(server.address).await?.exchange(&maker.next()).await?;
    }
    let cores = (sample::Cores::of(server.pid()), sample::Cores::own());
    let start = Instant::now();
    let tally = load::closed(server.address, maker, connections, Duration::from_secs_f64(seconds)).await;
    // The last answers come after the end; counted in the given time they would flatter a slow server.
    let mut told = tally.told(start.elapsed().as_secs_f64());
    told["kind"] = json!(kind);
    told["connections"] = json!(connections);
    told["cores_used"] = json!(cores.0.used());
    told["client_cores_used"] = json!(cores.1.used());
    Ok(told)
}

/// What distinguishes one load's addresses from every other's.
pub fn run() -> String {
    format!("{:x}-{:x}", std::process::id(), NEXT_RUN.fetch_add(1, Ordering::Relaxed))
}
