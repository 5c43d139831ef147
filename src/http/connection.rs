//! One connection, from its socket to the protocol that is spoken on it.

use std::sync::Arc;

use axum::Router;
use tokio::net::TcpStream;

use super::arrival::{ArrivalError, Wire, arrive};
use super::entrance::Entrance;
use super::guest::{Guest, Peer, Signals};
use super::linger::LINGER;
use super::pace::Pace;
use super::places::Place;
use super::{http1, http2};

/// What all connections of a listener have in common.
#[derive(Clone)]
pub(super) struct House {
    pub(super) router: Router,
    pub(super) entrance: Arc<Entrance>,
    pub(super) signals: Signals,
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
        Wire::Plain(stream) => http1::serve(stream, guest, signals).await,
        // In a box, because it is large, and other connections should not pay for it.
        Wire::Tls(stream) if is_http2 => Box::pin(http2::serve(stream, guest, place, signals)).await,
        Wire::Tls(stream) => http1::serve(stream, guest, signals).await,
    }
    None
}
