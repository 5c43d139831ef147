//! `vestibule serve`: the server.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Caller, Failure, ServerArgs, log, open_files, table};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::contract;
use crate::http::{self, Drained, Ending, Limits};
use crate::start::{Plan, StartError, Started};

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
    let (loaded, problems) = args.server.read(caller)?;
    let plan = Plan::of(&loaded, problems, caller.colour).map_err(refused)?;
    let clock = Clock::system();
    let logging = log::start(&loaded.config.log, caller, move || clock.now())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(serve(&loaded.config, plan))?;
    runtime.shutdown_background();
    drop(logging);
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: &Config, plan: Plan<'_>) -> anyhow::Result<()> {
    // First of all: a server that cannot listen leaves no database behind.
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another server running there?", config.listen))
        .map_err(Failure::unavailable)?;
    let bound = listener.local_addr().context("asking for the listener's address")?;
    let admin = Admin::listen(config).await?;
    let Started { app, notes, mut warnings } = plan.start(bound).await.map_err(refused)?;
    let router = http::router(app.clone()).map_err(|_| anyhow::anyhow!("two contracts share a route"))?;
    warnings.extend(open_files::warning(config.limits.connections));
    notes.iter().for_each(|note| tracing::info!("{note}"));
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    // Whoever reads the announcement may ask for the end at once, so the signals are listened to before it.
    let stop = CancellationToken::new();
    let asked = tokio::spawn(stop_on_signal(stop.clone())?);
    // A reader who has closed the pipe is no reason not to serve.
    let _ = announce(&app, bound);
    let report = app.passwords.report();
    tracing::info!(
        engine = %report.engine, back_end = %report.back_end, workers = report.workers,
        memory_kib = report.params.memory_kib, iterations = report.params.iterations, "password hashing is ready"
    );
    tracing::info!(%bound, database = %config.database, contracts = app.contracts.len(), "serving");
    let purging = tokio::spawn(purge(app.clone()));
    let admin = admin.map(|admin| admin.serve(&config.limits, &app));
    let ending = Ending { shutdown: stop, grace: config.shutdown_grace };
    let connections = app.metrics.connections.clone();
    let drained = http::serve_counted(listener, router, limits(&config.limits), ending, &connections).await;
    let left = config.shutdown_grace.saturating_sub(asked.await.context("waiting for a signal")?.elapsed());
    app.tasks.close();
    let finished = tokio::time::timeout(left, app.tasks.wait()).await.is_ok();
    if let Some(serving) = admin {
        serving.end().await;
    }
    purging.abort();
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

/// Removes what has expired, now and then. Nothing depends on it but the size of the database.
async fn purge(app: Arc<App>) {
    const PAUSE: Duration = Duration::from_secs(600);
    loop {
        match app.store.purge(app.clock.now()).await {
            // More may be left.
            Ok(1..) => {}
            Ok(0) => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                tracing::warn!(%error, "expired idempotency keys cannot be removed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The listener for operators. It outlives the other one, so that the end of the server can be watched too.
struct Admin(TcpListener);

struct Serving {
    stop: CancellationToken,
    task: JoinHandle<Drained>,
}

impl Admin {
    /// How many may ask at once: monitoring, and a curious person.
    const CONNECTIONS: usize = 64;

    async fn listen(config: &Config) -> anyhow::Result<Option<Admin>> {
        let Some(address) = config.admin_listen else { return Ok(None) };
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} (admin_listen)"))
            .map_err(Failure::unavailable)?;
        Ok(Some(Admin(listener)))
    }

    fn serve(self, given: &config::Limits, app: &Arc<App>) -> Serving {
        if let Ok(bound) = self.0.local_addr() {
            tracing::info!(%bound, "GET /metrics is served");
        }
        let stop = CancellationToken::new();
        let limits = Limits { connections: Admin::CONNECTIONS, ..limits(given) };
        let router = http::admin(app.clone());
        let task = tokio::spawn(http::serve(self.0, router, limits, stop.clone(), Duration::ZERO));
        Serving { stop, task }
    }
}

impl Serving {
    async fn end(self) {
        self.stop.cancel();
        // A panic in it has been printed, and it holds nothing that must be saved.
        let _ = self.task.await;
    }
}

fn refused(error: StartError) -> anyhow::Error {
    match error {
        StartError::Refused(report) => Failure::Report(report).into(),
        StartError::Pool(_) => Failure::refused(error),
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

/// Resolves when SIGTERM or SIGINT arrives, to that moment, and cancels `stop`. From the call on neither ends the
/// process by itself, and further ones change nothing.
fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<impl Future<Output = Instant>> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{name}: finishing what was accepted");
        stop.cancel();
        Instant::now()
    })
}

/// All contracts fill one table of users, so each example registers somebody else. The names are as long as the one
/// in the examples, whose length may be what a contract asks for.
const PEOPLE: [&str; 24] = [
    "jane", "ruth", "anna", "emma", "nina", "vera", "olga", "rosa", "lucy", "mary", "irma", "cora", "elsa",
    "hana", "joan", "kira", "lena", "maya", "noor", "sara", "tara", "yuki", "zora", "edda",
];

/// A command for another person than Jane. Its first line is left alone: there is nothing but the address.
fn as_person(command: &str, person: &str) -> String {
    let Some((address, rest)) = command.split_once('\n') else { return command.to_owned() };
    let capital = person[..1].to_uppercase() + &person[1..];
    format!("{address}\n{}", rest.replace("jane", person).replace("Jane", &capital))
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
    for (mounted, person) in app.contracts.iter().zip(PEOPLE.iter().cycle()) {
        let command = contract::curl(&mounted.contract, &app.base_url, &mounted.path());
        writeln!(out, "  {}", as_person(&command, person).replace('\n', "\n  "))?;
    }
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_about_somebody_else_of_the_same_length() {
        let command = "curl 'http://jane.example/'\n -d '{\"name\":\"Jane\",\"email\":\"jane@example.com\"}'";
        let other = "curl 'http://jane.example/'\n -d '{\"name\":\"Ruth\",\"email\":\"ruth@example.com\"}'";
        assert_eq!(as_person(command, "ruth"), other);
        let mut people = PEOPLE.to_vec();
        people.sort_unstable();
        people.dedup();
        assert!(people.len() == PEOPLE.len() && people.iter().all(|name| name.len() == "jane".len()));
    }
}
