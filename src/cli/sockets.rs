//! Where the listening sockets come from: from systemd, which has bound them already, or bound here.

use std::net::SocketAddr;

use anyhow::Context as _;
use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket};

use super::Failure;

/// As many connections wait in the system's queue at the most; the same as tokio's own.
const BACKLOG: u32 = 1024;

/// The sockets that were handed over (sd_listen_fds(3)), in the order of the unit: the main one, then the one of
/// `tls.redirect_listen`. None when nobody handed any over.
pub(super) struct Sockets(ListenFd);

impl Sockets {
    pub(super) fn of_process() -> Sockets {
        Sockets(ListenFd::from_env())
    }

    /// The one at this place (the first is 0; there is none at `usize::MAX`), or a new one at `address`, which `key` names; and
    /// whether it was handed over. With `shared` other processes may listen at a new one's address at the same time.
    pub(super) fn listen(
        &mut self,
        place: usize,
        address: SocketAddr,
        key: &str,
        shared: bool,
    ) -> anyhow::Result<(TcpListener, bool)> {
        let handed = self.0.take_tcp_listener(place).map_err(anyhow::Error::from).and_then(|handed| {
            let Some(handed) = handed else { return Ok(None) };
            // systemd leaves that to us, and a blocking accept would stop the whole runtime.
            handed.set_nonblocking(true)?;
            Ok(Some(TcpListener::from_std(handed)?))
        });
        let handed = handed
            .with_context(|| format!("the socket number {place} from systemd cannot be used for `{key}`"))
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
    socket.listen(BACKLOG)
}
