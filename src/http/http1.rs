//! HTTP/1 on one connection (RFC 9112): its limits, its rests and its end.
//!
//! Two of hyper's choices are made here on purpose. `half_close` is off: a client that ends its side is taken to
//! have left, so its request stops holding a place (work that must not stop half-way runs in a task of its own).
//! `pipeline_flush` is off: it is experimental, and it would delay a finished reply behind the next request.

use std::pin::pin;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::guest::{Guest, Signals, last};
use super::pace::HeadTimer;
use super::rest::{Waken, rested, woken};
use super::stream::Stream;

/// The longest request head, and the size to which the read buffer of a connection may grow, in bytes. A longer
/// head is answered 431, and so is one of more than 100 headers (hyper's own limit, which needs no allocation).
const HEAD_BYTES: usize = 16 * 1024;

/// How long a connection goes on reading when it should finish. A request that lies in the socket by then counts as
/// accepted, but the runtime may not know of it yet: it learns about arrivals and the end of this wait in one place,
/// so the wait need only be longer than nothing.
const ARRIVAL: Duration = Duration::from_millis(50);

/// When nothing has been going on for so long, a connection rests: hyper's buffers (16 KiB) are given back, until the client
/// says something. To make them again takes a few microseconds.
const REST: Duration = Duration::from_millis(20);

/// Serves HTTP/1 on `io`, and keeps no more of it than its socket while nobody asks for anything.
pub(super) async fn serve<T>(io: T, guest: Guest, signals: Signals)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::super::guest::Peer;
    use super::super::limits::Limits;
    use super::super::pace::Pace;
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use tokio::io::AsyncReadExt as _;
    use tokio_util::sync::CancellationToken;

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
