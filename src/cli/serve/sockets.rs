//! Where the listening sockets come from: from systemd, which has bound them already, or bound here.

use std::net::SocketAddr;

use anyhow::Context as _;
use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket};

use crate::cli::Failure;
use crate::http::BACKLOG;

/// The sockets that were handed over (sd_listen_fds(3)), in the order of the unit: the main one, then the one of
/// `tls.redirect_listen`. None when nobody handed any over.
pub(super) struct Sockets(ListenFd);

impl Sockets {
    pub(super) fn of_process() -> Sockets {
        Sockets(ListenFd::from_env())
    }

    /// The one at this place, if it has one there (the first is 0), or a new one at `address`, which `key` names; and
    /// whether it was handed over. With `shared` other processes may listen at a new one's address at the same time.
    pub(super) fn listen(
        &mut self,
        place: Option<usize>,
        address: SocketAddr,
        key: &str,
        shared: bool,
    ) -> anyhow::Result<(TcpListener, bool)> {
        let handed = place.map_or(Ok(None), |place| self.0.take_tcp_listener(place));
        let handed = handed.map_err(anyhow::Error::from).and_then(|handed| {
            let Some(handed) = handed else { return Ok(None) };
            // systemd leaves that to us, and a blocking accept would stop the whole runtime.
            handed.set_nonblocking(true)?;
            Ok(Some(TcpListener::from_std(handed)?))
        });
        let handed = handed
            .with_context(|| {
                format!(
                    "the socket number {} from systemd cannot be used for `{key}`",
                    place.unwrap_or_default()
                )
            })
            .map_err(Failure::unavailable)?;
        match handed {
            Some(listener) => Ok((listener, true)),
            None => bind(address, shared)
                .map(|listener| (listener, false))
                .with_context(|| {
                    format!("cannot listen on {address} ({key}); is another server running there?")
                })
                .map_err(Failure::unavailable),
        }
    }
}

/// Binds an address that nobody else uses, or nobody but those who share it as well.
fn bind(address: SocketAddr, shared: bool) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of an earlier run may linger there.
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(shared)?;
    socket.bind(address)?;
    socket.listen(BACKLOG.into())
}
