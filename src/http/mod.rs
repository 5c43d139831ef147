//! The door: sockets become requests here, and replies become bytes. Our own accept loop over hyper, because a
//! server that strangers talk to needs a limit on everything a stranger can hold: connections, heads, bodies,
//! idle time, unread replies, and the length of a shutdown.
//!
//! In reading order: [`serve`] accepts and counts connections (and turns the surplus away, with `places` and their `shares`),
//! `arrival` reads what stands before HTTP, `connection` runs one of them with `http1` (which lets it `rest`) or `http2`, for a
//! `guest`; `caller` says whose requests they are and `host` whom they ask. `stream` watches its bytes with `framing`, `pace` times
//! the request heads and `body` the bodies (of which `bodies` bounds what is held). Above that, [`router`] knows which contract
//! answers where (`routes`), `handler` is the five steps of a registration, `line` its line in the log, `reply` writes the answers,
//! `proof_challenge` asks for proofs of work, `acme_challenge` answers certificate authorities, and `docs` tells about the
//! contracts. `cross_site` stands before all of them.

mod handover;
mod listener;
mod places;
mod refusal;
mod shares;

mod acme_challenge;
mod arrival;
mod caller;
mod certificate;
mod connection;
mod entrance;
mod forwarded;
mod frames;
mod guest;
mod host;
mod http1;
mod http2;
mod linger;
mod proof_challenge;
mod proxy_protocol;
mod rest;
mod stream;
mod tls;

mod bare;
mod bodies;
mod body;
mod framing;
mod limits;
mod pace;
mod patience;

mod caught;
mod cross_site;
mod docs;
mod handler;
mod line;
mod other_method;
mod redirect;
mod reply;
mod routes;

pub use acme_challenge::Challenges;
pub use body::{BodyError, RequestBody, collect};
pub use caller::{Caller, Proxies};
pub use certificate::{CertificateError, FileError, read as read_certificate};
pub use entrance::Entrance;
pub use guest::Peer;
pub use limits::Limits;
pub(crate) use listener::BACKLOG;
pub use listener::{Drained, Ending, serve, serve_counted};
/// For fuzzing.
#[doc(hidden)]
pub use proxy_protocol::{HeaderError, read as read_proxy_header};
pub use redirect::redirect;
pub use reply::whole;
pub use routes::{Collision, Routes};
pub use tls::Tls;

use self::other_method::other_method;
use crate::app::App;
use axum::extract::State;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use std::sync::Arc;

/// The server as a router: the contracts of `app`, `GET /healthz` (the process serves) and `GET /readyz` (the store
/// answers); with [`App::docs`] also `GET /openapi.json` and `GET /docs`. It can be mounted in another axum
/// application.
///
/// # Errors
/// All contracts that would answer the same request.
pub fn router(app: Arc<App>) -> Result<axum::Router, Vec<Collision>> {
    let routes = Routes::build(&app.contracts)?;
    let docs = if app.docs { docs::routes(&app) } else { axum::Router::new() };
    let server = Arc::new(handler::Server { app, routes });
    let guard = from_fn_with_state(server.clone(), cross_site::guard);
    Ok(docs
        .route("/healthz", get(|| async { told(StatusCode::OK, "ok\n") }).fallback(other_method))
        .route("/readyz", get(ready).fallback(other_method))
        .fallback(handler::answer)
        .layer(guard)
        .with_state(server))
}

/// What operators ask, for an address of its own: `GET /metrics` (OpenMetrics), `/healthz` and `/readyz`.
pub fn admin(app: Arc<App>) -> axum::Router {
    axum::Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { told(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(|State(app): State<Arc<App>>| async move { readiness(&app).await }))
        .layer(map_response(async |response: Response| reply::guarded(response, "")))
        .with_state(app)
}

/// The format that OpenMetrics 1.0 names.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.metrics.encode() {
        Ok(text) => reply::guarded(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(), ""),
        Err(_) => told(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
    }
}

async fn ready(State(server): State<Arc<handler::Server>>) -> Response {
    readiness(&server.app).await
}

async fn readiness(app: &App) -> Response {
    let (store, clock) = (app.store.clone(), app.clock.clone());
    let probe = async move {
        let answer = store.ping().await;
        answer.inspect_err(|error| tracing::warn!(%error, "the store does not answer")).is_ok()
    };
    match app.readiness.ask(move || clock.uptime(), probe).await {
        true => told(StatusCode::OK, "ok\n"),
        false => told(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}

fn told(status: StatusCode, text: &'static str) -> Response {
    reply::guarded((status, text).into_response(), "")
}
