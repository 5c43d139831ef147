//! Other sign-up servers, each on the store that it usually has, in turn with Vestibule.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::overload::overload;
use super::rates::CONNECTIONS;
use super::{Bench, middle};
use crate::database::Database;
use crate::request::Kind;
use crate::server::{Server, free_address};
use crate::target::Target;
use crate::{client::Client, progress, sample};

/// A peer as it is started.
struct Peer {
    name: &'static str,
    /// Its folder in `bench/peers`.
    folder: &'static str,
    /// What it hashes with, as its own setting says.
    hash: &'static str,
    on_postgres: bool,
    path: &'static str,
    table: &'static str,
}

const fn express(name: &'static str, hash: &'static str) -> Peer {
    Peer { name, folder: "express", hash, on_postgres: true, path: "/users", table: "users" }
}

const fn flask(name: &'static str, hash: &'static str) -> Peer {
    Peer { name, folder: "flask", hash, on_postgres: false, path: "/users", table: "users" }
}

const fn better_auth(name: &'static str, hash: &'static str) -> Peer {
    Peer {
        name,
        folder: "better-auth",
        hash,
        on_postgres: true,
        path: "/api/auth/sign-up/email",
        table: "user",
    }
}

/// "A2" is Argon2id with 19 MiB and two passes, as Vestibule's.
const PEERS: [Peer; 7] = [
    flask("Flask, gunicorn, argon2-cffi (A2)", "argon2"),
    flask("Flask, gunicorn, Werkzeug's default (scrypt)", "default"),
    express("Express, argon2 (A2)", "argon2"),
    express("Express, @node-rs/argon2 (A2)", "node-rs"),
    express("Express, bcrypt 10", "bcrypt"),
    better_auth("better-auth, argon2 (A2)", "argon2"),
    better_auth("better-auth, its default (scrypt)", "default"),
];

pub async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let (mut targets, mut failed) = (Vec::new(), Vec::new());
    for database in Database::each(bench.postgres.as_deref()).await? {
        let mut target = Target::vestibule(&bench.binary, database)?;
        target.ready().await?;
        target.name = format!("Vestibule (A2), {}", target.database.store());
        targets.push(target);
    }
    let wanted =
        |peer: &&Peer| bench.only_peers.is_empty() || bench.only_peers.iter().any(|p| p == peer.folder);
    for peer in PEERS.iter().filter(wanted) {
        progress!("peers: starting {}", peer.name);
        match start(bench, peer).await {
            Ok(target) => targets.push(target),
            Err(error) => {
                progress!("peers: {}: {error:#}", peer.name);
                failed.push(json!({ "name": peer.name, "failed": format!("{error:#}") }));
            }
        }
    }
    let idle: Vec<u64> = targets.iter().map(|target| sample::usage(target.server.pid()).rss_kib).collect();
    let mut rows = vec![Vec::new(); targets.len()];
    for round in 1..=bench.rounds {
        for connections in CONNECTIONS {
            progress!("peers: round {round} of {}, {connections} clients", bench.rounds);
            for (target, rows) in targets.iter().zip(&mut rows) {
                rows.push(target.closed(Kind::Register, connections, bench.seconds).await?);
            }
        }
    }
    let mut servers = Vec::new();
    for ((target, rows), idle) in targets.into_iter().zip(rows).zip(idle) {
        let rates = CONNECTIONS.map(|connections| {
            let same = |row: &&Value| row["connections"] == connections;
            let rows: Vec<Value> = rows.iter().filter(same).cloned().collect();
            json!({ "connections": connections, "per_second": middle(&rows, "/succeeded/per_second"),
                    "p99_ms": middle(&rows, "/succeeded/p99_ms") })
        });
        let invalid = target.closed(Kind::Invalid, 16, bench.seconds).await?;
        let mut row = json!({
            "name": target.name, "store": target.database.store(), "idle_rss_kib": idle,
            "started_ms": target.server.started_in.as_secs_f64() * 1e3, "rates": rates,
            "invalid_per_second": invalid["refused"]["per_second"],
        });
        // One that falls over is a finding, and no reason to lose the others'.
        match overload(&target, bench).await {
            Ok(overload) => row["overload"] = overload,
            Err(error) => row["overload_failed"] = json!(format!("{error:#}")),
        }
        servers.push(row);
    }
    Ok(json!({ "servers": servers, "failed": failed }))
}

async fn start(bench: &Bench, peer: &Peer) -> anyhow::Result<Target> {
    let admin = bench.postgres.as_deref();
    let database = match (peer.on_postgres, admin) {
        (false, _) => Database::sqlite()?,
        (true, Some(admin)) => Database::postgres(admin).await?,
        (true, None) => anyhow::bail!("it needs PostgreSQL"),
    };
    let installed = std::env::current_exe()?.with_file_name("").join("../peers");
    std::fs::create_dir_all(&installed)?;
    let installed = std::fs::canonicalize(installed)?;
    install(&bench.peers, peer.folder, &installed)?;
    let folder = installed.join(peer.folder);
    let address = free_address()?;
    let mut command = if peer.folder == "flask" {
        let mut gunicorn = Command::new(folder.join("venv/bin/gunicorn"));
        gunicorn.args(["--no-control-socket", "--log-level", "warning", "--workers", "2"]);
        gunicorn.args(["--bind", &address.to_string(), "app:app"]).env("DATABASE", database.file());
        gunicorn
    } else {
        let mut node = Command::new("node");
        node.arg("server.js").env("PORT", address.port().to_string()).env("DATABASE_URL", database.url());
        node
    };
    command.current_dir(&folder).env("HASH", peer.hash).env("NODE_ENV", "production");
    let server = Server::start(command, address, &database.folder.join("server.log"))?;
    let target = Target { name: peer.name.into(), server, database, path: peer.path, table: peer.table };
    // Whoever cannot register one account is not measured.
    let answer =
        Client::connect(target.address()).await?.exchange(&target.maker(Kind::Register).next()).await?;
    ensure!((200..300).contains(&answer.status), "a registration is answered {}", answer.status);
    Ok(target)
}

fn install(sources: &Path, name: &str, folder: &Path) -> anyhow::Result<()> {
    let script = std::fs::canonicalize(sources.join("install")).context("bench/peers/install")?;
    let output =
        Command::new(script).arg(name).arg(folder).output().context("running bench/peers/install")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().take(5).collect();
    ensure!(output.status.success(), "it cannot be installed: {}", last.join(" | "));
    Ok(())
}
