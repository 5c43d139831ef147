//! `vestibule serve`: the server.

mod announce;
mod aside;
mod certificate;
mod open_files;
mod signals;
mod sockets;
mod upkeep;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use sd_notify::NotifyState;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Caller, Failure, ServerArgs, log};
use crate::acme::Acme;
use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::http::{self, Drained, Ending, Entrance, Limits, Proxies, Tls};
use crate::start::{Plan, StartError, Started};
use announce::announce;
use aside::{Aside, OPERATORS, REDIRECTED};
use signals::{hangup, stop_on_signal, tell_manager};
use sockets::Sockets;
use upkeep::Upkeep;

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
    let hangup = hangup()?;
    let mut upkeep = Upkeep::default();
    if let Some(tls) = &tls {
        upkeep.spawn(certificate::keep_fresh(tls.clone(), app.clone(), renewed.clone(), hangup));
    }
    let challenges = acme.as_ref().and_then(Acme::http_challenges);
    if let Some(acme) = acme {
        upkeep.spawn(acme.keep(app.clock.clone(), app.metrics.certificate.clone(), renewed));
    }
    // A reader who has closed the pipe is no reason not to serve.
    let _ = announce(&app, bound, if tls.is_some() { "https" } else { "http" });
    let report = app.passwords.report();
    tracing::info!(
        engine = %report.engine, back_end = %report.back_end, workers = report.workers,
        memory_kib = report.params.memory_kib, iterations = report.params.iterations, "password hashing is ready"
    );
    tracing::info!(%bound, database = %config.database, contracts = app.contracts.len(), "serving");
    upkeep.spawn(upkeep::purge(app.clone(), config.audit.keep));
    if app.throttle.is_shared() {
        upkeep.spawn(upkeep::tidy(app.clone()));
    }
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
    let finished = finish(&app, config.shutdown_grace, asked, upkeep).await;
    for serving in [redirect, admin].into_iter().flatten() {
        serving.end().await;
    }
    close(&app, config.shutdown_grace, asked).await;
    let Drained { finished: connections, cut } = drained;
    tracing::info!(connections, cut, registrations_finished = finished, "stopped");
    Ok(())
}

/// Waits for the sign-ups under way, and ends what goes on beside them. Whether all were finished within the grace.
async fn finish(app: &App, grace: Duration, asked: Instant, upkeep: Upkeep) -> bool {
    app.tasks.close();
    let finished = tokio::time::timeout(grace.saturating_sub(asked.elapsed()), app.tasks.wait()).await;
    upkeep.end();
    finished.is_ok()
}

/// Closes what the sign-ups needed.
async fn close(app: &App, grace: Duration, asked: Instant) {
    let left = grace.saturating_sub(asked.elapsed());
    if !app.audit.close(left.max(LAST_WORDS)).await {
        tracing::warn!("not all attempts could be recorded before the end");
    }
    app.store.clone().close().await;
    app.passwords.close();
}

/// How long the record of attempts may take for its last rows when the grace is over.
const LAST_WORDS: Duration = Duration::from_secs(1);

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
