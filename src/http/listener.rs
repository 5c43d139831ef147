//! The accept loop: it admits, counts and turns away connections, and ends them all at shutdown.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, House};
use super::entrance::Entrance;
use super::guest::{Peer, Signals};
use super::handover;
use super::limits::Limits;
use super::places::Places;
use super::refusal::Refusals;
use crate::metrics::Connections;

/// How long to wait when the system has no room for another connection (a full file table, no memory). Long
/// enough not to spin, short enough that nobody notices once there is room again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// As many connections wait in the system's queue at the most, and are taken from it at the end; as tokio has it.
pub(crate) const BACKLOG: u16 = 1024;

/// Accept errors closer together than this are one burst, and are logged once.
const BURST: Duration = Duration::from_secs(1);

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open when the shutdown began and ended by themselves.
    pub finished: usize,
    /// Connections that were still busy after the grace period and were cut.
    pub cut: usize,
}

/// [`serve_counted`] for those who do not look at the numbers.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
    grace: Duration,
) -> Drained {
    serve_counted(listener, router, limits, Ending { shutdown, grace, lent: false }, &Connections::default())
        .await
}

/// How serving ends.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Cancelled when it is to begin.
    pub shutdown: CancellationToken,
    /// How long it waits for requests in hand.
    pub grace: Duration,
    /// Whether the listening socket is somebody else's, who has only lent it (systemd), and goes on without us: newcomers wait in it
    /// for the next process.
    pub lent: bool,
}

/// Serves `router` on `listener` until the shutdown begins, counting `connections`.
///
/// Then the listening socket closes (half a second later when another process may share its port), idle connections close at once, busy ones finish the request in hand, and
/// whatever is left after `grace` is cut. Every request carries [`Peer`] and [`Caller`](super::Caller) extensions and a
/// body that fails with [`BodyError`](super::BodyError) at its deadline.
pub async fn serve_counted(
    listener: TcpListener,
    router: Router,
    entrance: impl Into<Entrance>,
    Ending { shutdown, grace, lent }: Ending,
    connections: &Connections,
) -> Drained {
    let signals = Signals { finish: shutdown.clone(), cut: CancellationToken::new() };
    let entrance = Arc::new(entrance.into());
    let door = Door {
        places: Places::new(
            entrance.limits.connections,
            entrance.proxies.clone(),
            connections.refused.clone(),
        ),
        refusals: Refusals::new(connections.refused.clone(), entrance.tls.is_none()),
        open: TaskTracker::new(),
        house: House { router, entrance, signals },
        connections: connections.clone(),
    };
    let mut trouble = Trouble::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => door.admit(stream, Peer::new(address)),
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                connections.failed.inc();
                trouble.note(&error);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    match if lent { Ok(false) } else { handover::begin(&listener) } {
        Ok(false) => {}
        Ok(true) => door.empty(&listener).await,
        Err(error) => tracing::warn!(%error, "clients may be lost between this process and the next one"),
    }
    for (stream, address) in still_queued(listener) {
        door.admit(stream, Peer::new(address));
    }
    door.drain(grace).await
}

/// Closes the listener and gives out those whom the system had already connected: as far as they know, they are our
/// clients, and may have sent their request.
fn still_queued(listener: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    let listener = listener.into_std().ok();
    let accept = move || listener.as_ref()?.accept().ok();
    std::iter::from_fn(accept).take(BACKLOG.into()).filter_map(|(stream, address)| {
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, address))
    })
}

/// What every admission needs.
struct Door {
    places: Places,
    refusals: Refusals,
    open: TaskTracker,
    house: House,
    connections: Connections,
}

impl Door {
    /// Starts a task for a connection, or refuses it when all places are taken, or too many by its network. Never waits.
    fn admit(&self, stream: TcpStream, peer: Peer) {
        let Some(place) = self.places.take(peer.0.ip()) else { return self.refusals.refuse(stream) };
        self.connections.accepted.inc();
        let open = Open::count(&self.connections.open);
        // A reply is written whole, so Nagle's algorithm could only delay it. Where this fails, the client is
        // gone, and the first read will say so.
        let _ = stream.set_nodelay(true);
        let connection = connection::run(stream, peer, place, self.house.clone());
        let refusals = self.refusals.clone();
        self.open.spawn(async move {
            let surplus = connection.await;
            drop(open);
            surplus.into_iter().for_each(|stream| refusals.refuse(stream));
        });
    }

    /// Takes in those who are on their way to a port that is left to another process.
    async fn empty(&self, listener: &TcpListener) {
        let queued = async {
            while let Ok((stream, address)) = listener.accept().await {
                self.admit(stream, Peer::new(address));
            }
        };
        let _ = tokio::time::timeout(handover::ON_THEIR_WAY, queued).await;
    }

    /// Waits up to `grace` for all connections to end, then cuts the rest.
    async fn drain(self, grace: Duration) -> Drained {
        self.open.close();
        let open = self.open.len();
        let _ = tokio::time::timeout(grace, self.open.wait()).await;
        let cut = self.open.len();
        self.house.signals.cut.cancel();
        self.open.wait().await;
        Drained { finished: open - cut, cut }
    }
}

/// One connection in the gauge, also when its task panics.
struct Open(Gauge);

impl Open {
    fn count(gauge: &Gauge) -> Open {
        gauge.inc();
        Open(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Whether an accept error is the fault of the one connection it concerns, so that the next can be tried at once.
/// Linux passes errors of the new socket's network through `accept` (accept(2), "Error handling").
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::Interrupted
            | Kind::WouldBlock
    )
}

/// Remembers when an accept error was last seen, so that a burst fills one line of the log and not all of it.
#[derive(Debug, Default)]
struct Trouble {
    last: Option<Instant>,
}

impl Trouble {
    fn note(&mut self, error: &io::Error) {
        if self.is_new(Instant::now()) {
            tracing::warn!(%error, "cannot accept connections; trying again until it works");
        }
    }

    fn is_new(&mut self, now: Instant) -> bool {
        let last = self.last.replace(now);
        last.is_none_or(|last| now.duration_since(last) > BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_the_system_slow_the_loop_down() {
        let system = [libc_code::ENFILE, libc_code::EMFILE, libc_code::ENOMEM, libc_code::ENOBUFS];
        assert!(system.iter().all(|&code| !concerns_one_connection(&io::Error::from_raw_os_error(code))));
        let client = [libc_code::ECONNABORTED, libc_code::ENETUNREACH, libc_code::EINTR];
        assert!(client.iter().all(|&code| concerns_one_connection(&io::Error::from_raw_os_error(code))));
    }

    #[test]
    fn a_burst_is_one_burst_however_long_it_lasts() {
        let (mut trouble, start) = (Trouble::default(), Instant::now());
        assert!(trouble.is_new(start));
        assert!((1..500).all(|step| !trouble.is_new(start + ACCEPT_PAUSE * step)));
        assert!(trouble.is_new(start + ACCEPT_PAUSE * 499 + BURST * 2));
    }

    #[tokio::test]
    async fn h1_one_network_cannot_take_the_places_of_others() {
        let long = Duration::from_secs(60);
        let limits = Limits {
            connections: 8,
            header_timeout: long,
            body_timeout: long,
            idle_timeout: long,
            write_timeout: long,
        };
        let proxies = super::super::Proxies::new(
            &["192.0.2.100".parse().expect("a network")],
            crate::config::ProxyHeader::XForwardedFor,
        );
        let connections = Connections::default();
        let door = Door {
            places: Places::new(limits.connections, proxies.clone(), connections.refused.clone()),
            refusals: Refusals::new(connections.refused.clone(), true),
            open: TaskTracker::new(),
            house: House {
                router: Router::new(),
                entrance: Arc::new(Entrance { proxies, ..limits.into() }),
                signals: Signals { finish: CancellationToken::new(), cut: CancellationToken::new() },
            },
            connections,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut clients = Vec::new();
        for (from, open) in [
            ("192.0.2.1", 1),
            ("192.0.2.1", 1),
            ("::ffff:192.0.2.1", 1),
            ("192.0.2.2", 2),
            ("192.0.2.100", 3),
            ("192.0.2.100", 4),
            ("127.0.0.1", 5),
            ("127.0.0.1", 6),
            ("192.0.2.1", 6),
            ("192.0.2.3", 7),
            ("127.0.0.1", 8),
            ("192.0.2.4", 8),
        ] {
            let client = TcpStream::connect(address).await.expect("a connection");
            let (stream, _) = listener.accept().await.expect("a connection");
            door.admit(stream, Peer::new(SocketAddr::new(from.parse().expect("an address"), 1)));
            assert_eq!(door.open.len(), open, "{from}");
            clients.push(client);
        }
        assert_eq!(door.connections.refused.get(), 4);
    }

    /// Linux's numbers (errno(3)); a dependency for seven of them would be too much.
    mod libc_code {
        pub(super) const EINTR: i32 = 4;
        pub(super) const ENOMEM: i32 = 12;
        pub(super) const ENFILE: i32 = 23;
        pub(super) const EMFILE: i32 = 24;
        pub(super) const ENETUNREACH: i32 = 101;
        pub(super) const ECONNABORTED: i32 = 103;
        pub(super) const ENOBUFS: i32 = 105;
    }
}
