//! Who is served on a connection, and what all requests of it have in common, whatever the protocol.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::header::{CONNECTION, RETRY_AFTER, STRICT_TRANSPORT_SECURITY};
use axum::http::{HeaderValue, Request, StatusCode, Version};
use axum::response::Response;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::body::RequestBody;
use super::entrance::Entrance;
use super::host;
use super::pace::Pace;
use super::reply::{guarded, problem};

/// Said on TLS: for a year browsers will not try without (RFC 6797).
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// A request extension: the other end of the connection, which may be a proxy; [`Caller`](super::Caller) is who asks.
/// An IPv4 client of a dual-stack socket is shown as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl Peer {
    pub(super) fn new(address: SocketAddr) -> Peer {
        Peer(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

/// How a connection is told that it is time to go.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    /// Finish the request in hand, and take no other.
    pub(super) finish: CancellationToken,
    /// Stop now.
    pub(super) cut: CancellationToken,
}

/// What the requests of one connection have in common.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) peer: Peer,
    pub(super) router: Router,
    pub(super) entrance: Arc<Entrance>,
    pub(super) pace: Arc<Pace>,
}

impl Guest {
    /// Hands one request to the router, with whose it is and its body's deadline.
    pub(super) async fn answer(self, request: Request<Incoming>) -> Result<Response, Infallible> {
        let deadline = Instant::now() + self.entrance.limits.body_timeout;
        self.pace.asked();
        let caller = self.entrance.proxies.caller(self.peer.0.ip(), request.headers());
        let mut request = request.map(|body| RequestBody::new(body, deadline, self.pace.clone()));
        request.extensions_mut().insert(self.peer);
        request.extensions_mut().insert(caller);
        let version = request.version();
        let mut response = match host::is_clear(&request) {
            true => self.router.oneshot(request).await?,
            false => last(guarded(problem(StatusCode::BAD_REQUEST, "Exactly one Host must be named."), "")),
        };
        secure(&mut response, &self.entrance);
        if version == Version::HTTP_2 {
            // It has no such header (RFC 9113, section 8.2.2), and requests do not depend on each other.
            response.headers_mut().remove(CONNECTION);
        } else if self.pace.has_body_failed() {
            // The rest of that body cannot be told from a next request; the client should know that this is the end.
            response = last(response);
        }
        Ok(response)
    }

    /// Answers one request of several without looking at it, because there is no room for more.
    pub(super) fn turn_away(self) -> Response {
        tracing::debug!(peer = %self.peer.0, "request turned away: too many of its connection");
        let detail = "Too many requests are under way at once.";
        let mut response = guarded(problem(StatusCode::SERVICE_UNAVAILABLE, detail), "");
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        secure(&mut response, &self.entrance);
        response
    }
}

fn secure(response: &mut Response, entrance: &Entrance) {
    if entrance.tls.is_some() {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
}

/// A response behind which the connection ends.
pub(super) fn last(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
