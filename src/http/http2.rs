//! HTTP/2 on one connection (RFC 9113): the same requests, limits and end as HTTP/1.1 has.
//!
//! hyper has no deadline for a client that says nothing, and none for one that does not read; [`Activity`] sees both.
//! What a client can make the server remember is bounded by the constants below, and what it can make it do by
//! [`Frames`].

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;
use super::guest::{Guest, Signals};
use super::limits::Limits;
use super::linger::Lingering;
use super::patience::Patience;
use super::places::Place;

/// Requests at a time.
const STREAMS: u32 = 64;
/// The longest request head, in bytes as RFC 9113 counts them (section 6.5.2).
const HEAD_BYTES: u32 = 16 * 1024;
/// The longest frame, the least that may be said.
const FRAME_BYTES: u32 = 16 * 1024;
/// How many bytes of bodies may have been sent and not yet been read, of one request and of all together: the least that
/// RFC 9113 can say (section 6.9.2), and the longest body by default. What was read of them `Bodies` bounds.
const WINDOW: u32 = 64 * 1024;
/// How many bytes of replies wait for a client.
const REPLY_BYTES: usize = 64 * 1024;
/// Requests that were reset before they were looked at, and those that broke a rule; more of either ends the
/// connection (CVE-2023-44487, CVE-2025-8671).
const RESETS: usize = 20;
const BROKEN: usize = 64;
/// When nothing was heard for so long, the client is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);
/// How long a client that has nothing in hand may take to leave, once it was told that the connection ends.
const LEAVE: Duration = Duration::from_secs(5);

/// Serves HTTP/2 on `io` until either side ends it. A panic in a handler ends its request, and no other.
pub(super) async fn serve<T>(io: T, guest: Guest, place: Place, signals: Signals)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = guest.entrance.limits;
    let peer = guest.peer;
    let activity = Arc::new(Activity::new());
    let stream = Watched {
        io,
        frames: Frames::new(Instant::now()),
        activity: activity.clone(),
        patience: Patience::new(limits.write_timeout),
        lingering: None,
    };
    let seen = activity.clone();
    let service = service_fn(move |request| {
        let (guest, in_hand) = (guest.clone(), InHand::new(&seen, &place));
        async move {
            let response = match in_hand.room {
                Some(_) => guest.answer(request).await?,
                None => guest.turn_away(),
            };
            Ok::<_, std::convert::Infallible>(response.map(|body| Reply { body, in_hand: in_hand.replies() }))
        }
    });
    let mut connection = std::pin::pin!(builder().serve_connection(TokioIo::new(stream), service));
    let mut closing = false;
    let end = loop {
        tokio::select! {
            biased;
            end = connection.as_mut() => break end,
            () = signals.cut.cancelled() => return,
            () = signals.finish.cancelled(), if !closing => {
                closing = true;
                activity.touch();
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep_until(activity.next_look(&limits, closing).into()) => {
                match activity.verdict(&limits, closing) {
                    Verdict::Fine => {}
                    Verdict::Idle => {
                        closing = true;
                        activity.touch();
                        connection.as_mut().graceful_shutdown();
                    }
                    Verdict::Stuck => return,
                }
            }
        }
    };
    if let Err(error) = end {
        let error: &dyn std::error::Error = &error;
        tracing::debug!(peer = %peer.0, error, "connection ended");
    }
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PONG);
    http.max_concurrent_streams(STREAMS).max_header_list_size(HEAD_BYTES).max_frame_size(FRAME_BYTES);
    http.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    http.max_pending_accept_reset_streams(RESETS).max_local_error_reset_streams(BROKEN);
    http.max_send_buf_size(REPLY_BYTES);
    http
}

/// What goes on in one connection.
#[derive(Debug)]
struct Activity {
    now: Mutex<Now>,
    answered: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Now {
    /// Whether there has been a request.
    any: bool,
    /// Requests that came and whose replies are not all sent.
    in_hand: usize,
    /// Whether one of them has the connection's own place.
    own_taken: bool,
    /// Those of them whose replies have begun.
    replying: usize,
    /// When one of these numbers, or a reply, last moved.
    since: Instant,
}

enum Verdict {
    Fine,
    /// Nobody asks for anything: the connection should end in order.
    Idle,
    /// The client does not take its replies, or does not leave: it should be cut.
    Stuck,
}

impl Activity {
    fn new() -> Activity {
        let now = Now { any: false, in_hand: 0, own_taken: false, replying: 0, since: Instant::now() };
        Activity { now: Mutex::new(now), answered: AtomicU64::new(0) }
    }

    fn touch(&self) {
        self.moved(|_| ());
    }

    fn moved(&self, change: impl FnOnce(&mut Now)) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut now);
        now.since = Instant::now();
    }

    /// How long the present state of things may last; `None` when that is not the client's affair.
    fn patience(&self, limits: &Limits, closing: bool) -> (Option<Duration>, Instant) {
        let now = *self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = match now {
            Now { replying: 1.., .. } => Some(limits.write_timeout),
            Now { in_hand: 1.., .. } => None,
            _ if closing => Some(LEAVE),
            Now { any: false, .. } => Some(limits.header_timeout),
            _ => Some(limits.idle_timeout),
        };
        (patience, now.since)
    }

    /// When to ask for a verdict: when the present patience ends, or the shortest one of a state that may follow it.
    fn next_look(&self, limits: &Limits, closing: bool) -> Instant {
        let shortest = limits.write_timeout.min(if closing { LEAVE } else { limits.idle_timeout });
        let look = Instant::now() + shortest;
        match self.patience(limits, closing) {
            (Some(patience), since) => look.min(since + patience),
            (None, _) => look,
        }
    }

    fn verdict(&self, limits: &Limits, closing: bool) -> Verdict {
        match self.patience(limits, closing) {
            (Some(patience), since) if since.elapsed() >= patience => {
                let replying = self.now.lock().unwrap_or_else(PoisonError::into_inner).replying > 0;
                if closing || replying { Verdict::Stuck } else { Verdict::Idle }
            }
            _ => Verdict::Fine,
        }
    }
}

/// One request, from its head to the end of its reply.
struct InHand {
    activity: Arc<Activity>,
    replying: bool,
    /// Where it is served; `None` when there is no room for it.
    room: Option<Room>,
}

/// The connection's own place, or one more for a request beside the one that has it.
enum Room {
    Own,
    Further { _place: Place },
}

impl InHand {
    fn new(activity: &Arc<Activity>, own: &Place) -> InHand {
        let mut own_is_free = false;
        activity.moved(|now| {
            now.any = true;
            now.in_hand += 1;
            own_is_free = !std::mem::replace(&mut now.own_taken, true);
        });
        let room = match own_is_free {
            true => Some(Room::Own),
            false => own.another().map(|place| Room::Further { _place: place }),
        };
        InHand { activity: activity.clone(), replying: false, room }
    }

    fn replies(mut self) -> InHand {
        self.replying = true;
        self.activity.moved(|now| now.replying += 1);
        self
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.activity.moved(|now| {
            now.in_hand -= 1;
            now.own_taken &= !matches!(self.room, Some(Room::Own));
            now.replying -= usize::from(self.replying);
        });
    }
}

/// A reply on its way.
struct Reply {
    body: Body,
    in_hand: InHand,
}

impl http_body::Body for Reply {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // A client that resets its request is not answered; whoever got a piece of the reply is.
        self.in_hand.activity.answered.fetch_add(1, Ordering::Relaxed);
        self.in_hand.activity.touch();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The bytes of a connection, whose frames are counted and whose client must read.
struct Watched<T> {
    io: T,
    frames: Frames,
    activity: Arc<Activity>,
    patience: Patience,
    /// How long the client may go on sending, once our side has ended.
    lingering: Option<Lingering>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let answered = self.activity.answered.load(Ordering::Relaxed);
        let fed = self.frames.feed(&buf.filled()[before..], answered, Instant::now());
        Poll::Ready(fed.map_err(io::Error::other))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(cx, buf);
        self.patience.unless_stalled(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.patience.unless_stalled(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_flush(cx);
        self.patience.unless_stalled(cx, outcome)
    }

    /// Ends our side, and reads away what the client has still to say (its own GOAWAY at the least).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Watched { io, patience, lingering, .. } = &mut *self;
        if lingering.is_none() {
            let outcome = Pin::new(&mut *io).poll_shutdown(cx);
            ready!(patience.unless_stalled(cx, outcome))?;
        }
        lingering.get_or_insert_with(Lingering::new).poll(io, cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    /// A client that does not stop sending, and never waits.
    struct Endless {
        read: usize,
        ended: bool,
    }

    impl AsyncRead for Endless {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            assert!(self.read < 8 * 1024 * 1024, "it is read without end");
            self.read += buf.remaining();
            buf.initialize_unfilled();
            buf.advance(buf.remaining());
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Endless {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.ended = true;
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn h1_a_client_that_sends_on_is_not_read_without_end() {
        let mut stream = Watched {
            io: Endless { read: 0, ended: false },
            frames: Frames::new(Instant::now()),
            activity: Arc::new(Activity::new()),
            patience: Patience::new(Duration::from_secs(60)),
            lingering: None,
        };
        stream.shutdown().await.expect("an end");
        assert!(stream.io.ended && (1..=2 * 1024 * 1024).contains(&stream.io.read), "{}", stream.io.read);
    }
}
