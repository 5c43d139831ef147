//! From an accepted socket to the first byte of HTTP: the PROXY protocol's header, then TLS.

use std::io;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::entrance::Entrance;
use super::guest::Peer;
use super::places::Place;
use super::proxy_protocol::{self, HeaderError};
use super::tls::{ACME, HTTP_2};

/// Why a connection ends before HTTP begins.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArrivalError {
    #[error("only trusted proxies may connect here")]
    Stranger,
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("the network of the client that the proxy announces holds enough connections")]
    Surplus(TcpStream),
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    #[error("a certificate authority has seen what it asked for")]
    Challenge,
    #[error("the connection was not ready for HTTP in time")]
    TimedOut,
}

/// What carries HTTP.
pub(super) enum Wire {
    Plain(TcpStream),
    /// In a box: it is large, and plain connections should not pay for it.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Whether HTTP/2 was agreed on (RFC 9113, section 3.2).
    pub(super) fn is_http2(&self) -> bool {
        match self {
            Wire::Plain(_) => false,
            Wire::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(HTTP_2),
        }
    }
}

/// Reads what stands before HTTP, within the time of a request's head, and returns who is at the other end of it.
///
/// # Errors
/// Every [`ArrivalError`]; all but the surplus should be closed without a word, as nobody there speaks HTTP yet.
pub(super) async fn arrive(
    stream: TcpStream,
    peer: Peer,
    place: &mut Place,
    entrance: &Entrance,
) -> Result<(Wire, Peer), ArrivalError> {
    if !entrance.proxy_protocol && entrance.tls.is_none() {
        return Ok((Wire::Plain(stream), peer));
    }
    // In a box, because a handshake needs much room, and not for long.
    let prepared = Box::pin(prepared(stream, peer, place, entrance));
    let time = entrance.limits.header_timeout;
    tokio::time::timeout(time, prepared).await.map_err(|_| ArrivalError::TimedOut)?
}

async fn prepared(
    mut stream: TcpStream,
    mut peer: Peer,
    place: &mut Place,
    entrance: &Entrance,
) -> Result<(Wire, Peer), ArrivalError> {
    if entrance.proxy_protocol {
        if !entrance.proxies.trust(peer.0.ip()) {
            return Err(ArrivalError::Stranger);
        }
        peer = proxy_protocol::read(&mut stream).await?.map_or(peer, Peer::new);
        // The proxy holds no share. Whom it announces does, from before the handshake on.
        if !place.is_for(peer.0.ip()) {
            return Err(ArrivalError::Surplus(stream));
        }
    }
    let wire = match &entrance.tls {
        None => Wire::Plain(stream),
        Some(tls) => {
            let mut stream = tls.acceptor().accept(stream).await.map_err(ArrivalError::Tls)?;
            if stream.get_ref().1.alpn_protocol() == Some(ACME) {
                // The handshake was all (RFC 8737, section 3); who does not hear the farewell has left.
                let _ = stream.shutdown().await;
                return Err(ArrivalError::Challenge);
            }
            Wire::Tls(Box::new(stream))
        }
    };
    Ok((wire, peer))
}
