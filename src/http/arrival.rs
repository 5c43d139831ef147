//! From an accepted socket to the first byte of HTTP: what proxies put in front of it.

use tokio::net::TcpStream;

use super::connection::Peer;
use super::entrance::Entrance;
use super::proxy_protocol::{self, HeaderError};

/// Why a connection ends before HTTP begins.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArrivalError {
    #[error("only trusted proxies may connect here")]
    Stranger,
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("the connection was not ready for HTTP in time")]
    TimedOut,
}

/// Reads what stands before HTTP, within the time of a request's head, and returns who is at the other end of it.
///
/// # Errors
/// Every [`ArrivalError`]; the connection should be closed without a word, as nobody there speaks HTTP yet.
pub(super) async fn arrive(
    stream: TcpStream,
    peer: Peer,
    entrance: &Entrance,
) -> Result<(TcpStream, Peer), ArrivalError> {
    if !entrance.proxy_protocol {
        return Ok((stream, peer));
    }
    let time = entrance.limits.header_timeout;
    tokio::time::timeout(time, introduced(stream, peer, entrance))
        .await
        .map_err(|_| ArrivalError::TimedOut)?
}

async fn introduced(
    mut stream: TcpStream,
    peer: Peer,
    entrance: &Entrance,
) -> Result<(TcpStream, Peer), ArrivalError> {
    if !entrance.proxies.trust(peer.0.ip()) {
        return Err(ArrivalError::Stranger);
    }
    let source = proxy_protocol::read(&mut stream).await?;
    Ok((stream, source.map_or(peer, Peer::new)))
}
