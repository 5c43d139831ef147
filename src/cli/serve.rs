//! `vestibule serve`: the server.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use clap::Args;
use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::sockets::Sockets;
use super::{Caller, Failure, ServerArgs, certificate, log, open_files, table};
use crate::acme::Acme;
use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::contract;
use crate::http::{self, Drained, Ending, Entrance, Limits, Proxies, Tls};
use crate::start::{Plan, StartError, Started};
use crate::store::StoreError;
use crate::user::least_uuid_v7;

/// Run the server
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule serve
  vestibule serve --contract express --database postgres://vestibule@db/accounts
  vestibule serve --contract knex@/v1 --contract ./ours.toml@/v2
  vestibule serve --set passwords.workers=2 --set log.format=json

SIGTERM and SIGINT finish what was accepted, and exit with 0. SIGHUP reads the TLS certificate again.")]
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
    runtime.block_on(serve(&loaded.config, plan, Sockets::of_process()))?;
    runtime.shutdown_background();
    drop(logging);
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: &Config, plan: Plan<'_>, mut sockets: Sockets) -> anyhow::Result<()> {
    // First of all: a server that cannot listen leaves no database behind.
    let shared = config.reuse_port;
    let (listener, lent) = sockets.listen(Some(0), config.listen, "listen", shared)?;
    let bound = listener.local_addr().context("asking for the listener's address")?;
    let admin = config.admin_listen.map(|address| sockets.listen(None, address, "admin_listen", shared));
    let admin = admin.transpose()?.map(Aside::on);
    let redirect = config
        .tls
        .redirect_listen
        .map(|address| sockets.listen(Some(1), address, "tls.redirect_listen", shared));
    let redirect = redirect.transpose()?.map(Aside::on);
    let Started { app, tls, acme, notes, mut warnings } = plan.start(bound).await.map_err(refused)?;
    let router = http::router(app.clone()).map_err(|_| anyhow::anyhow!("two contracts share a route"))?;
    warnings.extend(open_files::warning(config.limits.connections));
    notes.iter().for_each(|note| tracing::info!("{note}"));
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    // Whoever reads the announcement may ask for the end at once, so the signals are listened to before it.
    let stop = CancellationToken::new();
    let asked = tokio::spawn(stop_on_signal(stop.clone())?);
    let renewed = Arc::new(Notify::new());
    // It ends the process of nobody, also where there is no certificate to be read again.
    let hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let fresh = tls.clone().map(|tls| certificate::keep_fresh(tls, app.clone(), renewed.clone(), hangup));
    let fresh = fresh.map(tokio::spawn);
    let challenges = acme.as_ref().and_then(Acme::http_challenges);
    let ordering = acme.map(|acme| acme.keep(app.clock.clone(), app.metrics.certificate.clone(), renewed));
    let ordering = ordering.map(tokio::spawn);
    // A reader who has closed the pipe is no reason not to serve.
    let _ = announce(&app, bound, if tls.is_some() { "https" } else { "http" });
    let report = app.passwords.report();
    tracing::info!(
        engine = %report.engine, back_end = %report.back_end, workers = report.workers,
        memory_kib = report.params.memory_kib, iterations = report.params.iterations, "password hashing is ready"
    );
    tracing::info!(%bound, database = %config.database, contracts = app.contracts.len(), "serving");
    let purging = tokio::spawn(purge(app.clone(), config.audit.keep));
    let tidying = app.throttle.is_shared().then(|| tokio::spawn(tidy(app.clone())));
    tell_manager(NotifyState::Ready);
    let limits = limits(&config.limits);
    let admin =
        admin.map(|aside| aside.serve("GET /metrics is served", http::admin(app.clone()), limits, OPERATORS));
    let redirect = redirect
        .map(|aside| (aside, http::redirect(&app.base_url, challenges)))
        .map(|(aside, router)| aside.serve("redirecting to HTTPS", router, limits, REDIRECTED));
    let ending = Ending { shutdown: stop, grace: config.shutdown_grace, lent };
    let connections = app.metrics.connections.clone();
    let drained =
        http::serve_counted(listener, router, entrance(config, limits, tls), ending, &connections).await;
    let asked = asked.await.context("waiting for a signal")?;
    let left = config.shutdown_grace.saturating_sub(asked.elapsed());
    app.tasks.close();
    let finished = tokio::time::timeout(left, app.tasks.wait()).await.is_ok();
    for task in [fresh, tidying, ordering].into_iter().flatten() {
        task.abort();
    }
    for serving in [redirect, admin].into_iter().flatten() {
        serving.end().await;
    }
    purging.abort();
    let left = config.shutdown_grace.saturating_sub(asked.elapsed());
    if !app.audit.close(left.max(LAST_WORDS)).await {
        tracing::warn!("not all attempts could be recorded before the end");
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

/// How long the record of attempts may take for its last rows when the grace is over.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Removes what has expired, now and then. Nothing depends on it but the size of the database. Not at once: many a machine starts
/// with a wrong clock, and would find everything expired.
async fn purge(app: Arc<App>, keep: Duration) {
    const FIRST: Duration = Duration::from_secs(60);
    const PAUSE: Duration = Duration::from_secs(600);
    tokio::time::sleep(FIRST).await;
    loop {
        let now = app.clock.now();
        let oldest = least_uuid_v7(now.checked_sub(keep).unwrap_or(Timestamp::UNIX_EPOCH));
        let purged = async { Ok(app.store.purge(now).await? + app.store.purge_attempts(oldest).await?) };
        match purged.await {
            // More may be left.
            Ok(1..) => {}
            Ok(0) => tokio::time::sleep(PAUSE).await,
            // The server is stopping.
            Err(StoreError::Closed) => return,
            Err::<_, StoreError>(error) => {
                tracing::warn!(%error, "expired idempotency keys and attempts cannot be removed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Keeps what the processes share of rate limits small.
async fn tidy(app: Arc<App>) {
    const PAUSE: Duration = Duration::from_secs(5);
    loop {
        match app.throttle.tidy().await {
            Ok(()) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "expired rate limits cannot be removed"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How many may ask at once beside the main listener: monitoring and a curious person; and browsers, which are sent away
/// at once.
const OPERATORS: usize = 64;
const REDIRECTED: usize = 1024;

/// A listener beside the main one: for operators, or for those who come without TLS. It outlives the main one, so that
/// the end of the server can be watched too.
struct Aside {
    listener: TcpListener,
    lent: bool,
}

struct Serving {
    stop: CancellationToken,
    task: JoinHandle<Drained>,
}

impl Aside {
    fn on((listener, lent): (TcpListener, bool)) -> Aside {
        Aside { listener, lent }
    }

    fn serve(self, what: &str, router: Router, limits: Limits, connections: usize) -> Serving {
        if let Ok(bound) = self.listener.local_addr() {
            tracing::info!(%bound, "{what}");
        }
        let stop = CancellationToken::new();
        let limits = Limits { connections, ..limits };
        let ending = Ending { shutdown: stop.clone(), grace: Duration::ZERO, lent: self.lent };
        let serving = async move {
            http::serve_counted(
                self.listener,
                router,
                limits,
                ending,
                &crate::metrics::Connections::default(),
            )
            .await
        };
        Serving { stop, task: tokio::spawn(serving) }
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
        StartError::Store(_) | StartError::Secret { .. } | StartError::Acme { .. } => {
            Failure::unavailable(error)
        }
    }
}

fn entrance(config: &Config, limits: Limits, tls: Option<Tls>) -> Entrance {
    Entrance {
        limits,
        proxies: Proxies::new(&config.trusted_proxies, config.proxy_header),
        proxy_protocol: config.proxy_protocol,
        tls,
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

/// Tells systemd, where it has started us (sd_notify(3)).
fn tell_manager(state: NotifyState) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told how we are");
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
        tell_manager(NotifyState::Stopping);
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
fn announce(app: &App, bound: SocketAddr, scheme: &str) -> anyhow::Result<()> {
    let mut table = table(["METHOD", "PATH", "CONTRACT"]);
    for mounted in &app.contracts {
        let title = match mounted.contract.title.as_str() {
            "" => mounted.name.clone(),
            title => format!("{} ({title})", mounted.name),
        };
        table.add_row(["POST".to_owned(), mounted.path_and_query(), title]);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "Vestibule serves on {scheme}://{bound}\n\n{}\n\nTry it:", table.trim_fmt())?;
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
