//! The last moments of a connection whose client may still be sending.
//!
//! Closing a socket with unread bytes resets the connection, and a reset can destroy a reply (400, 408, 413) that the client
//! has not read yet (RFC 9112, section 9.6). So what still comes is read away: for a moment, and not without end, as reading
//! costs work, decryption above all.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

/// How long, and for how many bytes, a client may go on sending what we have already refused to read.
pub(super) const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// How far it has come.
#[derive(Debug)]
pub(super) struct Lingering {
    until: Pin<Box<Sleep>>,
    bytes: usize,
}

impl Lingering {
    /// It begins now.
    pub(super) fn new() -> Lingering {
        Lingering { until: Box::pin(tokio::time::sleep(LINGER)), bytes: 0 }
    }

    /// Reads away what comes, until the client has closed or has had enough.
    pub(super) fn poll<T: AsyncRead + Unpin>(&mut self, io: &mut T, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 4096];
        while self.bytes < LINGER_BYTES {
            let mut scrap = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *io).poll_read(cx, &mut scrap) {
                Poll::Ready(Ok(())) if !scrap.filled().is_empty() => self.bytes += scrap.filled().len(),
                // The client closed, or is gone: either way nobody waits for us any more.
                Poll::Ready(_) => break,
                // Only now: on a machine that stood still, what has come must not be left unread.
                Poll::Pending => return self.until.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
    }
}
