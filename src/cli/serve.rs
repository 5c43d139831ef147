//! `vestibule serve`: the server.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Caller, Failure, ServerArgs, log, table};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Config, Loaded};
use crate::contract;
use crate::http::{self, Drained, Ending, Limits};
use crate::start::{StartError, Started, start};

/// Run the server
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule serve
  vestibule serve --contract express --database postgres://vestibule@db/accounts
  vestibule serve --contract knex@/v1 --contract ./ours.toml@/v2
  vestibule serve --set passwords.workers=2 --set log.format=json

SIGTERM and SIGINT finish what was accepted, and exit with 0.")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: ServeArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let loaded = args.server.load(caller)?;
    let clock = Clock::system();
    let logging = log::start(&loaded.config.log, caller, move || clock.now())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(serve(&loaded, caller))?;
    runtime.shutdown_background();
    drop(logging);
    Ok(ExitCode::SUCCESS)
}

async fn serve(loaded: &Loaded, caller: &Caller) -> anyhow::Result<()> {
    let config = &loaded.config;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another server running there?", config.listen))
        .map_err(Failure::unavailable);
    let bound = listener.as_ref().ok().and_then(|l| l.local_addr().ok()).unwrap_or(config.listen);
    // A refused configuration is told before a port that is in use: it is the one that a restart cannot mend.
    let Started { app, warnings } = start(loaded, bound, caller.colour).await.map_err(refused)?;
    let listener = listener?;
    let admin = Admin::open(config, &app).await?;
    let router = http::router(app.clone()).map_err(|_| anyhow::anyhow!("two contracts share a route"))?;
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    announce(&app, bound)?;
    let report = app.passwords.report();
    tracing::info!(
        engine = %report.engine, back_end = %report.back_end, workers = report.workers,
        memory_kib = report.params.memory_kib, iterations = report.params.iterations, "password hashing is ready"
    );
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone())?);
    tracing::info!(%bound, database = %config.database, contracts = app.contracts.len(), "serving");
    let ending = Ending { shutdown: stop, grace: config.shutdown_grace };
    let connections = app.metrics.connections.clone();
    let drained = http::serve_counted(listener, router, limits(&config.limits), ending, &connections).await;
    app.tasks.close();
    let finished = tokio::time::timeout(config.shutdown_grace, app.tasks.wait()).await.is_ok();
    if let Some(admin) = admin {
        admin.close().await;
    }
    app.store.clone().close().await;
    app.passwords.close();
    tracing::info!(
        connections = drained.finished,
        cut = drained.cut,
        registrations_finished = finished,
        "stopped"
    );
    Ok(())
}

/// The listener for operators. It outlives the other one, so that the end of the server can be watched too.
struct Admin {
    stop: CancellationToken,
    serving: JoinHandle<Drained>,
}

impl Admin {
    /// How many may ask at once: monitoring, and a curious person.
    const CONNECTIONS: usize = 64;

    async fn open(config: &Config, app: &Arc<App>) -> anyhow::Result<Option<Admin>> {
        let Some(address) = config.admin_listen else { return Ok(None) };
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} (admin_listen)"))
            .map_err(Failure::unavailable)?;
        tracing::info!(bound = %listener.local_addr().unwrap_or(address), "GET /metrics is served");
        let stop = CancellationToken::new();
        let limits = Limits { connections: Admin::CONNECTIONS, ..limits(&config.limits) };
        let router = http::admin(app.clone());
        let serving = tokio::spawn(http::serve(listener, router, limits, stop.clone(), Duration::ZERO));
        Ok(Some(Admin { stop, serving }))
    }

    async fn close(self) {
        self.stop.cancel();
        // A panic in it has been printed, and it holds nothing that must be saved.
        let _ = self.serving.await;
    }
}

fn refused(error: StartError) -> anyhow::Error {
    match error {
        StartError::Refused(_) | StartError::Pool(_) => Failure::refused(error),
        StartError::Store(_) | StartError::Secret { .. } => Failure::unavailable(error),
    }
}

fn limits(limits: &config::Limits) -> Limits {
    Limits {
        connections: limits.connections,
        header_timeout: limits.header_timeout,
        body_timeout: limits.body_timeout,
        idle_timeout: limits.idle_timeout,
        write_timeout: limits.write_timeout,
    }
}

/// Resolves when SIGTERM or SIGINT arrives, and cancels `stop`.
fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{name}: finishing what was accepted");
        stop.cancel();
    })
}

/// Prints what is served: a table, and for each contract a line that works when pasted.
fn announce(app: &App, bound: SocketAddr) -> anyhow::Result<()> {
    let mut table = table(["METHOD", "PATH", "CONTRACT"]);
    for mounted in &app.contracts {
        let title = match mounted.contract.title.as_str() {
            "" => mounted.name.clone(),
            title => format!("{} ({title})", mounted.name),
        };
        table.add_row(["POST".to_owned(), mounted.path_and_query(), title]);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "Vestibule serves on http://{bound}\n\n{}\n\nTry it:", table.trim_fmt())?;
    for mounted in &app.contracts {
        let line = contract::curl(&mounted.contract, &app.base_url, &mounted.path());
        writeln!(out, "  {}", line.replace('\n', "\n  "))?;
    }
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
