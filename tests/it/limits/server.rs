//! The server under test and the client that tests it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vestibule::http::{BodyError, Drained, Limits, Peer, collect, serve};

use crate::harness::process::GUARD;

pub(super) const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_secs(60);
const BODY_BYTES: usize = 64 * 1024;

pub(super) const LIMITS: Limits = Limits {
    connections: 100,
    header_timeout: LONG,
    body_timeout: LONG,
    idle_timeout: LONG,
    write_timeout: LONG,
};

pub(super) const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
pub(super) const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";

/// What the handlers of the test router and the tests tell each other.
pub(super) struct Signals {
    /// `/wait` has begun.
    pub(super) entered: Notify,
    /// `/wait` may answer; never granted, it is stuck.
    pub(super) release: Semaphore,
    /// `/endless` was dropped.
    dropped: mpsc::Sender<()>,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) signals: Arc<Signals>,
    pub(super) endless_dropped: mpsc::Receiver<()>,
    pub(super) shutdown: CancellationToken,
    running: JoinHandle<Drained>,
}

impl Server {
    pub(super) async fn start(limits: Limits) -> Server {
        Server::start_with_grace(limits, LONG).await
    }

    pub(super) async fn start_with_grace(limits: Limits, grace: Duration) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (dropped, endless_dropped) = mpsc::channel(1);
        let signals = Arc::new(Signals { entered: Notify::new(), release: Semaphore::new(0), dropped });
        let shutdown = CancellationToken::new();
        let router = router(signals.clone());
        let running = tokio::spawn(serve(listener, router, limits, shutdown.clone(), grace));
        Server { address, signals, endless_dropped, shutdown, running }
    }

    pub(super) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.expect("a connection"))
    }

    /// Connects and sends at once.
    pub(super) async fn send(&self, request: &str) -> Client {
        let mut client = self.connect().await;
        client.write(request).await;
        client
    }

    pub(super) async fn drained(self) -> Drained {
        within(self.running).await.expect("the server does not panic")
    }
}

pub(super) struct Client(pub(super) TcpStream);

impl Client {
    pub(super) async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("the server takes it");
    }

    /// Everything up to the orderly end of the stream; a reset, which can destroy a reply on its way, fails.
    pub(super) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        within(self.0.read_to_end(&mut bytes)).await.expect("no reset");
        String::from_utf8(bytes).expect("UTF-8")
    }

    /// One reply whose body has a length.
    pub(super) async fn reply(&mut self) -> String {
        let mut text = String::new();
        loop {
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() == length.expect("a length").parse::<usize>().expect("a number") {
                    return text;
                }
            }
            let byte = within(self.0.read_u8()).await.expect("a whole reply");
            text.push(char::from(byte));
        }
    }

    /// Sends `text` byte by byte, as a slow client would, until the server ends the stream; returns what it said.
    pub(super) async fn drip(mut self, text: &str) -> String {
        let (mut reader, mut writer) = self.0.split();
        let mut said = Vec::new();
        let dripping = async {
            let mut pace = tokio::time::interval(SHORT / 6);
            for byte in text.bytes().cycle() {
                pace.tick().await;
                if writer.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = within(reader.read_to_end(&mut said)) => {}
            () = dripping => {}
        }
        String::from_utf8(said).expect("UTF-8")
    }
}

pub(super) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(GUARD, future).await.expect("it hangs")
}

fn router(signals: Arc<Signals>) -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/peer", get(async |Extension(Peer(address)): Extension<Peer>| address.to_string()))
        .route("/echo", post(echo))
        .route("/panic", get(panicking))
        .route("/wait", get(wait))
        .route("/endless", get(async |State(signals): State<Arc<Signals>>| Body::new(Endless(signals))))
        .with_state(signals)
}

async fn echo(body: Body) -> Result<Bytes, StatusCode> {
    collect(body, BODY_BYTES).await.map_err(|error| match error {
        BodyError::TimedOut => StatusCode::REQUEST_TIMEOUT,
        BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Crowded => StatusCode::SERVICE_UNAVAILABLE,
        BodyError::Broken(_) => StatusCode::BAD_REQUEST,
    })
}

async fn panicking() -> &'static str {
    panic!("a handler that panics, on purpose")
}

async fn wait(State(signals): State<Arc<Signals>>) -> &'static str {
    signals.entered.notify_one();
    signals.release.acquire().await.expect("it stays open").forget();
    "waited"
}

/// A reply without an end.
struct Endless(Arc<Signals>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(&[b'x'; 4096])))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.dropped.try_send(()).expect("somebody waits for it");
    }
}
