//! The bytes of one connection on their way to and from hyper: ambiguous framing is refused, a client that does
//! not read is cut, and a refused client gets to read its refusal. It wraps any transport, so TLS fits below it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::bare::Dressed;
use super::framing::Framing;
use super::linger::Lingering;
use super::pace::Pace;
use super::patience::Patience;

/// What hyper reads in place of the line feed that would end an ambiguous header. A NUL is allowed nowhere in a
/// head, and the empty line makes hyper look at once, so the answer is its own 400 and the end of the connection.
const SPOILER: &[u8] = b"\0\r\n\r\n";

/// A transport under watch.
#[derive(Debug)]
pub(super) struct Stream<T> {
    io: T,
    framing: Framing,
    pace: Arc<Pace>,
    /// What is left of the [`SPOILER`], once the framing was found ambiguous.
    spoiling: Option<&'static [u8]>,
    patience: Patience,
    tls: bool,
    /// One of hyper's own replies, under way with the headers that it lacks.
    dressed: Option<Dressed>,
    /// Once our side has ended.
    lingering: Option<Lingering>,
}

impl<T> Stream<T> {
    /// `tls` says whether `io` is encrypted.
    pub(super) fn new(io: T, pace: Arc<Pace>, write_timeout: Duration, tls: bool) -> Stream<T> {
        Stream {
            io,
            framing: Framing::new(),
            pace,
            spoiling: None,
            patience: Patience::new(write_timeout),
            tls,
            dressed: None,
            lingering: None,
        }
    }

    /// Whether what was read so far ends with a whole request, as far as it could be told.
    pub(super) fn is_between_messages(&self) -> bool {
        self.spoiling.is_none() && self.framing.between_messages()
    }

    /// The transport itself.
    pub(super) fn transport(&mut self) -> &mut T {
        &mut self.io
    }

    /// Follows the bytes that were just read into `buf`, and spoils them from the first ambiguity on.
    fn inspect(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        match self.framing.feed(&buf.filled()[before..]) {
            Ok(ended) => self.pace.heads_read(ended, self.framing.in_head()),
            Err(ambiguous) => {
                buf.set_filled(before + ambiguous.at);
                self.spoiling = Some(spoil(SPOILER, buf));
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(rest) = self.spoiling {
            self.spoiling = Some(spoil(rest, buf));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.inspect(buf, before);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Stream { io, dressed, tls, patience, pace, .. } = &mut *self;
        pace.sends(true);
        if dressed.is_none() {
            *dressed = Dressed::of(buf, *tls);
        }
        let outcome = match dressed {
            Some(reply) => reply.poll_write(io, cx),
            None => Pin::new(io).poll_write(cx, buf),
        };
        if outcome.is_ready() {
            *dressed = None;
        }
        patience.unless_stalled(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = bufs {
            // It may be one of hyper's own.
            return self.poll_write(cx, only);
        }
        self.pace.sends(true);
        let outcome = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.patience.unless_stalled(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_flush(cx);
        if outcome.is_ready() {
            self.pace.sends(false);
        }
        self.patience.unless_stalled(cx, outcome)
    }

    /// Ends our side; and when the client may still be sending, reads that away for a moment.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stream { io, patience, lingering, spoiling, framing, pace, .. } = &mut *self;
        pace.ends();
        if lingering.is_none() {
            let outcome = Pin::new(&mut *io).poll_shutdown(cx);
            ready!(patience.unless_stalled(cx, outcome))?;
            if spoiling.is_none() && framing.between_messages() {
                return Poll::Ready(Ok(()));
            }
        }
        lingering.get_or_insert_with(Lingering::new).poll(io, cx).map(Ok)
    }
}

/// Writes as much of `bytes` as fits, and returns the rest.
fn spoil(bytes: &'static [u8], buf: &mut ReadBuf<'_>) -> &'static [u8] {
    let (now, later) = bytes.split_at(bytes.len().min(buf.remaining()));
    buf.put_slice(now);
    later
}

#[cfg(test)]
mod tests {
    use super::super::limits::Limits;
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn pace() -> Arc<Pace> {
        let long = Duration::from_secs(60);
        Pace::new(&Limits {
            connections: 1,
            header_timeout: long,
            body_timeout: long,
            idle_timeout: long,
            write_timeout: long,
        })
    }

    #[tokio::test]
    async fn an_ambiguous_head_is_spoiled_even_when_it_comes_in_single_bytes() {
        for pipe in [1, 4096] {
            let (mut client, server) = tokio::io::duplex(pipe);
            let mut stream = Stream::new(server, pace(), Duration::from_secs(60), false);
            let client = tokio::spawn(async move {
                let head =
                    b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
                // The rest of the head finds no reader any more.
                client.write_all(head).await.unwrap_or_default();
            });
            let mut read = String::new();
            stream.read_to_string(&mut read).await.expect("the spoiled head");
            drop(stream);
            client.await.expect("the client");
            let spoiled = "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\0\r\n\r\n";
            assert_eq!(read, spoiled);
        }
    }

    #[tokio::test]
    async fn a_stuck_write_ends_in_an_error() {
        let (_client, server) = tokio::io::duplex(1);
        let mut stream = Stream::new(server, pace(), Duration::from_millis(5), false);
        let error = stream.write_all(b"12").await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
