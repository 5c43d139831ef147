//! The door: sockets become requests here, and replies become bytes. Our own accept loop over hyper, because a
//! server that strangers talk to needs a limit on everything a stranger can hold: connections, heads, bodies,
//! idle time, unread replies, and the length of a shutdown.
//!
//! In reading order: [`serve`] accepts and counts connections (and turns the surplus away), `connection` runs one
//! of them, `stream` watches its bytes with `framing`, `pace` times the request heads and `body` the bodies. Above
//! that, [`router`] knows which contract answers where (`routes`), `handler` is the five steps of a registration, and
//! `reply` writes the answers.

mod listener;
mod refusal;

mod connection;
mod stream;

mod body;
mod framing;
mod limits;
mod pace;

mod handler;
mod reply;
mod routes;

pub use body::{BodyError, RequestBody, collect};
pub use connection::Peer;
pub use limits::Limits;
pub use listener::{Drained, serve};
pub use reply::whole;
pub use routes::{Collision, Routes};

use crate::app::App;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use std::sync::Arc;

/// The server as a router: the contracts of `app`, `GET /healthz` (the process serves) and `GET /readyz` (the store
/// answers). It can be mounted in another axum application.
///
/// # Errors
/// All contracts that would answer the same request.
pub fn router(app: Arc<App>) -> Result<axum::Router, Vec<Collision>> {
    let routes = Routes::build(&app.contracts)?;
    let server = Arc::new(handler::Server { app, routes });
    Ok(axum::Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(handler::answer)
        .with_state(server))
}

async fn ready(State(server): State<Arc<handler::Server>>) -> (StatusCode, &'static str) {
    match server.app.store.ping().await {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::warn!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}
