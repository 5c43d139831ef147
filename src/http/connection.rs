//! One connection: its limits, its service and its end.
//!
//! Two of hyper's choices are made here on purpose. `half_close` is off: a client that ends its side is taken to
//! have left, so its request stops holding a place (work that must not stop half-way runs in a task of its own).
//! `pipeline_flush` is off: it is experimental, and it would delay a finished reply behind the next request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::{CONNECTION, RETRY_AFTER, STRICT_TRANSPORT_SECURITY};
use axum::http::{HeaderValue, Request, StatusCode, Version};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::arrival::{ArrivalError, Wire, arrive};
use super::body::RequestBody;
use super::entrance::Entrance;
use super::host;
use super::http2;
use super::linger::LINGER;
use super::pace::{HeadTimer, Pace};
use super::places::Place;
use super::reply::{guarded, problem};
use super::rest::{Waken, rested, woken};
use super::stream::Stream;

/// The longest request head, and the size to which the read buffer of a connection may grow, in bytes. A longer
/// head is answered 431, and so is one of more than 100 headers (hyper's own limit, which needs no allocation).
const HEAD_BYTES: usize = 16 * 1024;

/// Said on TLS: for a year browsers will not try without (RFC 6797).
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// How long a connection goes on reading when it should finish. A request that lies in the socket by then counts as
/// accepted, but the runtime may not know of it yet: it learns about arrivals and the end of this wait in one place,
/// so the wait need only be longer than nothing.
const ARRIVAL: Duration = Duration::from_millis(50);

/// When nothing has been going on for so long, a connection rests: hyper's buffers (16 KiB) are given back, until the client
/// says something. To make them again takes a few microseconds.
const REST: Duration = Duration::from_millis(20);

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

/// What all connections of a listener have in common.
#[derive(Clone)]
pub(super) struct House {
    pub(super) router: Router,
    pub(super) entrance: Arc<Entrance>,
    pub(super) signals: Signals,
}

/// What the requests of one connection have in common.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) peer: Peer,
    router: Router,
    pub(super) entrance: Arc<Entrance>,
    pace: Arc<Pace>,
}

/// Serves `stream` in its `place` until either side ends it. A panic in a handler ends this future with it, and no other.
/// What comes back is the stream of a client that a proxy has announced and whose network holds enough places.
pub(super) async fn run(stream: TcpStream, peer: Peer, mut place: Place, house: House) -> Option<TcpStream> {
    let House { router, entrance, signals } = house;
    let arrived = tokio::select! {
        biased;
        arrived = arrive(stream, peer, &mut place, &entrance) => arrived,
        // Who has begun a handshake has come before the end, and may finish it.
        () = async {
            signals.finish.cancelled().await;
            tokio::time::sleep(LINGER).await;
        } => return None,
    };
    let (wire, peer) = match arrived {
        Ok(arrived) => arrived,
        Err(ArrivalError::Surplus(stream)) => return Some(stream),
        Err(error) => {
            tracing::debug!(peer = %peer.0, %error, "connection refused");
            return None;
        }
    };
    let pace = Pace::new(&entrance.limits);
    let is_http2 = wire.is_http2();
    let guest = Guest { peer, router, entrance, pace };
    match wire {
        Wire::Plain(stream) => http1(stream, guest, signals).await,
        // In a box, because it is large, and other connections should not pay for it.
        Wire::Tls(stream) if is_http2 => Box::pin(http2::serve(stream, guest, place, signals)).await,
        Wire::Tls(stream) => http1(stream, guest, signals).await,
    }
    None
}

/// Serves HTTP/1 on `io`, and keeps no more of it than its socket while nobody asks for anything.
async fn http1<T>(io: T, guest: Guest, signals: Signals)
where
    T: AsyncRead + AsyncWrite + Waken + Unpin + 'static,
{
    let (limits, pace) = (guest.entrance.limits, guest.pace.clone());
    let mut stream = Stream::new(io, pace.clone(), limits.write_timeout, guest.entrance.tls.is_some());
    loop {
        let woken = tokio::select! {
            biased;
            woken = woken(stream.transport()) => woken,
            () = signals.finish.cancelled() => {
                tokio::time::timeout(ARRIVAL, woken(stream.transport())).await.unwrap_or(false)
            }
            () = tokio::time::sleep_until(pace.deadline().into()) => return,
        };
        if !woken {
            return farewell(stream, &signals).await;
        }
        // In a box, because it is large, and a connection that rests should not pay for it.
        match Box::pin(awake(stream, &guest, &signals)).await {
            Some(rests) => stream = rests,
            None => return,
        }
    }
}

/// Ends our side of a connection on which nothing goes on.
async fn farewell<T: AsyncRead + AsyncWrite + Unpin>(mut stream: Stream<T>, signals: &Signals) {
    tokio::select! {
        biased;
        _ = stream.shutdown() => {}
        () = signals.cut.cancelled() => {}
    }
}

/// Serves HTTP/1 on `stream` until nothing has been going on for the time of [`REST`]; then it comes back.
async fn awake<T>(stream: Stream<T>, guest: &Guest, signals: &Signals) -> Option<Stream<T>>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (limits, pace, peer) = (guest.entrance.limits, guest.pace.clone(), guest.peer);
    let mut http = http1::Builder::new();
    // Which of the two it is to be at a time, `HeadTimer` decides; hyper only has to know that there is one.
    http.timer(HeadTimer(pace.clone())).header_read_timeout(limits.header_timeout);
    http.max_buf_size(HEAD_BYTES).half_close(false).pipeline_flush(false);
    let finish = signals.finish.clone();
    let service = service_fn(move |request| {
        let (answer, finish) = (guest.clone().answer(request), finish.clone());
        async move { answer.await.map(|response| if finish.is_cancelled() { last(response) } else { response }) }
    });
    let mut connection = http.serve_connection(TokioIo::new(stream), service);

    let mut timer = pin!(tokio::time::sleep(REST));
    // The connection comes first, so that a request which was read is answered before anything closes.
    let end = tokio::select! {
        biased;
        end = &mut connection => end,
        () = signals.finish.cancelled() => match tokio::time::timeout(ARRIVAL, &mut connection).await {
            Ok(end) => end,
            // hyper would wait for the request of a connection that has only been woken.
            Err(_) if pace.rests_since().is_some() => {
                farewell(connection.into_parts().io.into_inner(), signals).await;
                return None;
            }
            Err(_) => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                tokio::select! {
                    biased;
                    end = connection => end,
                    () = signals.cut.cancelled() => return None,
                }
            }
        },
        () = rested(&pace, timer.as_mut(), REST) => {
            let parts = connection.into_parts();
            // Empty lines before a request mean nothing (RFC 9112, section 2.2). Anything else should not be there, and must not
            // be read as the beginning of a request.
            let nothing = parts.read_buf.iter().all(|byte| b"\r\n".contains(byte));
            let stream = parts.io.into_inner();
            return (nothing && stream.is_between_messages()).then_some(stream);
        }
    };
    if let Err(error) = end {
        let error: &dyn std::error::Error = &error;
        tracing::debug!(peer = %peer.0, error, "connection ended");
    }
    None
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
fn last(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::super::limits::Limits;
    use super::*;
    use axum::routing::get;
    use tokio::io::AsyncReadExt as _;

    const LONG: Duration = Duration::from_secs(60);
    const LIMITS: Limits = Limits {
        connections: 1,
        header_timeout: LONG,
        body_timeout: LONG,
        idle_timeout: LONG,
        write_timeout: LONG,
    };

    fn guest() -> Guest {
        Guest {
            peer: Peer(([192, 0, 2, 1], 1).into()),
            router: Router::new().route("/", get(|| async { "hello" })),
            entrance: Arc::new(LIMITS.into()),
            pace: Pace::new(&LIMITS),
        }
    }

    fn signals() -> Signals {
        Signals { finish: CancellationToken::new(), cut: CancellationToken::new() }
    }

    #[tokio::test]
    async fn h1_a_connection_rests_between_requests_and_loses_nothing() {
        let (mut client, server) = tokio::io::duplex(4096);
        let (guest, signals) = (guest(), signals());
        let mut stream = Stream::new(server, guest.pace.clone(), LONG, false);
        for request in
            ["GET / HTTP/1.1\r\nhost: here\r\n\r\n\r\n", "\r\nGET / HTTP/1.1\r\nhost: here\r\n\r\n"]
        {
            client.write_all(request.as_bytes()).await.expect("it is read");
            let asked = Instant::now();
            stream = awake(stream, &guest, &signals).await.expect("it rests");
            assert!(asked.elapsed() >= REST);
            let mut reply = [0; 4096];
            let length = client.read(&mut reply).await.expect("it was answered");
            let reply = String::from_utf8_lossy(&reply[..length]);
            assert!(reply.starts_with("HTTP/1.1 200 ") && reply.ends_with("\r\n\r\nhello"), "{reply}");
        }
        drop(client);
        assert!(awake(stream, &guest, &signals).await.is_none(), "the client has left");
    }

    /// Else what is left of it would be read as the next request.
    #[tokio::test]
    async fn h2_a_connection_that_was_refused_does_not_rest() {
        let refused = |head: &'static str| async move {
            // What follows may be there already, or yet to come.
            for more in ["GET / HTTP/1.1\r\nhost: here\r\n\r\n", ""] {
                let (mut client, server) = tokio::io::duplex(4096);
                let (guest, signals) = (guest(), signals());
                let stream = Stream::new(server, guest.pace.clone(), LONG, false);
                let request = format!("{head}\r\n\r\n{more}");
                client.write_all(request.as_bytes()).await.expect("there is room");
                assert!(awake(stream, &guest, &signals).await.is_none(), "{request}");
                let mut told = String::new();
                client.read_to_string(&mut told).await.expect("text");
                assert!(told.starts_with("HTTP/1.1 4") && !told.contains("hello"), "{request}{told}");
            }
        };
        tokio::join!(
            refused("POST /< HTTP/1.1\r\nhost: here\r\ncontent-length: 1000"),
            refused("POST / HTTP/1.0\r\nhost: here\r\ntransfer-encoding: chunked"),
            refused("POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 18446744073709551615"),
            refused("POST / HTTP/1.1\r\nhost: here\r\nbad header\r\ncontent-length: 1000"),
            refused("POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 1\r\ntransfer-encoding: chunked"),
        );
    }

    #[tokio::test]
    async fn f9_a_connection_that_was_only_woken_ends_at_once_at_a_shutdown() {
        let (mut client, server) = tokio::io::duplex(4096);
        let (guest, signals) = (guest(), signals());
        let stream = Stream::new(server, guest.pace.clone(), LONG, false);
        client.write_all(b"\r\n").await.expect("there is room");
        signals.finish.cancel();
        let end = tokio::time::timeout(LONG / 2, awake(stream, &guest, &signals)).await;
        assert!(end.expect("it ends").is_none());
    }
}
