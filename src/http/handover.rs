//! Leaving a port that another process shares (`SO_REUSEPORT`), so that no client falls between the two.
//!
//! The system gives each listener of such a port its own queue, and a queue that is closed takes its clients along. So
//! the leaving listener first has the system drop new clients' first packets, which they send again a second later and
//! then reach the other process, and meanwhile takes in those who were already on their way.

use std::io;
use std::time::Duration;

use socket2::{SockFilter, SockRef};
use tokio::net::TcpListener;

/// As long as the answer of a client on its way may take, and shorter than the second after which others come again.
pub(super) const ON_THEIR_WAY: Duration = Duration::from_millis(500);

/// A program for the packet filter (`linux/filter.h`) that drops what opens a connection: of the flags of the TCP header
/// (RFC 9293, section 3.1, byte 13), SYN without ACK.
const DROP_NEWCOMERS: [SockFilter; 5] = [
    // Load byte 13; keep SYN and ACK; is it SYN alone?
    SockFilter::new(0x30, 0, 0, 13),
    SockFilter::new(0x54, 0, 0, 0x12),
    SockFilter::new(0x15, 0, 1, 0x02),
    // Keep nothing of the packet, or all of it.
    SockFilter::new(0x06, 0, 0, 0),
    SockFilter::new(0x06, 0, 0, u32::MAX),
];

/// Whether the listener shares its port. Then no newcomer gets in its queue any more, and it should be emptied for
/// [`ON_THEIR_WAY`] before it is closed.
pub(super) fn begin(listener: &TcpListener) -> io::Result<bool> {
    let socket = SockRef::from(listener);
    if !socket.reuse_port()? {
        return Ok(false);
    }
    socket.attach_filter(&DROP_NEWCOMERS)?;
    Ok(true)
}
