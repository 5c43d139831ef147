//! The built application on a real socket, with a clock that stands still and randomness that repeats.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::util::MapRequestLayer;
use vestibule::app::{App, Mounted};
use vestibule::clock::Clock;
use vestibule::contract::{Contract, Secrets};
use vestibule::http::{Caller, Ending, Limits, router, serve_counted};
use vestibule::password::{Engine, Params, Pool, PoolSettings};
use vestibule::store::Store;

const MINUTE: Duration = Duration::from_secs(60);

/// A server that serves one contract at its own path.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) app: Arc<App>,
    stop: CancellationToken,
}

impl Server {
    /// Starts it on a free port of the loopback address.
    pub(crate) async fn start(name: &str, contract: Contract, store: Store) -> Server {
        Server::with(name, contract, store, |_| ()).await
    }

    /// The same, with parts of it changed.
    pub(crate) async fn with(
        name: &str,
        contract: Contract,
        store: Store,
        change: impl FnOnce(&mut App),
    ) -> Server {
        let mut app = app(name, contract, store);
        change(&mut app);
        let app = Arc::new(app);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let router = router(app.clone()).expect("one contract collides with nothing");
        let router = router.layer(MapRequestLayer::new(from_elsewhere));
        let ending = Ending { shutdown: stop.clone(), grace: MINUTE, lent: false };
        let connections = app.metrics.connections.clone();
        tokio::spawn(async move { serve_counted(listener, router, limits(), ending, &connections).await });
        Server { address, app, stop }
    }

    /// Sends bytes and reads until the server closes.
    pub(crate) async fn exchange(&self, request: &[u8]) -> Vec<u8> {
        let exchanging = async {
            let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
            stream.write_all(request).await.expect("the server reads");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("the server answers");
            answer
        };
        tokio::time::timeout(MINUTE, exchanging).await.expect("an answer in time")
    }
}

/// The header by which a test says from where its request shall have come.
pub(crate) const PEER: &str = "x-test-peer";

fn from_elsewhere<B>(mut request: http::Request<B>) -> http::Request<B> {
    if let Some(peer) = request.headers_mut().remove(PEER) {
        let address = peer.to_str().ok().and_then(|text| text.parse().ok()).expect("an IP address");
        let mut caller = Caller::default();
        caller.address = Some(address);
        request.extensions_mut().insert(caller);
    }
    request
}

/// An application that hashes cheaply, at a time that stands still.
pub(crate) fn app(name: &str, contract: Contract, store: Store) -> App {
    let clock = Clock::fixed("2024-06-10T12:34:56.789Z".parse().expect("a time"), 7);
    let passwords = Pool::start(PoolSettings {
        engine: Engine::Fast,
        params: Params::weak_for_tests(),
        workers: 1,
        deadline: MINUTE,
    });
    let secrets = [("parse_app", "APP"), ("parse_rest", "REST"), ("registration_key", "KEY")];
    let secrets: Secrets = secrets.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let passwords = passwords.expect("the pool starts");
    let contracts = vec![Arc::new(Mounted { name: name.to_owned(), prefix: String::new(), contract })];
    App {
        secrets: Arc::new(secrets),
        base_url: "https://accounts.example.com".into(),
        ..App::plain(clock, passwords, store, contracts, b"a secret for tests that is long enough")
    }
}

/// Limits that no test runs into.
pub(crate) fn limits() -> Limits {
    Limits {
        connections: 1000,
        header_timeout: MINUTE,
        body_timeout: MINUTE,
        idle_timeout: MINUTE,
        write_timeout: MINUTE,
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
