//! A connection rests when nothing has been going on for a moment, and is woken when the client says something.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncBufRead as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::pace::Pace;

/// A transport that can tell when there is something to read.
pub(super) trait Waken {
    /// Whether there are bytes to be read; `false` when the client has ended its side. Nothing is taken.
    ///
    /// # Errors
    /// The transport's.
    fn poll_waken(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>>;
}

impl Waken for TcpStream {
    fn poll_waken(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut first = [0];
        self.poll_peek(cx, &mut ReadBuf::new(&mut first)).map_ok(|bytes| bytes > 0)
    }
}

impl Waken for Box<TlsStream<TcpStream>> {
    fn poll_waken(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        Pin::new(&mut **self).poll_fill_buf(cx).map_ok(|bytes| !bytes.is_empty())
    }
}

/// Waits until nothing has been going on for so long. It has to be polled whenever the connection was.
pub(super) async fn rested(pace: &Pace, mut timer: Pin<&mut Sleep>, long: Duration) {
    poll_fn(|cx| {
        let Some(since) = pace.rests_since() else { return Poll::Pending };
        let until = (since + long).into();
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    })
    .await
}

/// Waits until there is something to read; `false` when there never will be.
pub(super) async fn woken(transport: &mut impl Waken) -> bool {
    poll_fn(|cx| transport.poll_waken(cx)).await.unwrap_or(false)
}
