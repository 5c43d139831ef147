//! Request bodies with a deadline.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::BoxError;
use bytes::{Bytes, BytesMut};
use http::header::EXPECT;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::pace::Pace;

/// Why a request body could not be read. Whoever reads it answers 408, 413, 503 and 400, in this order.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The body was not complete at its deadline, [`Limits::body_timeout`](super::Limits::body_timeout).
    #[error("the request body was not received in time")]
    TimedOut,
    /// The body is longer than its reader takes.
    #[error("the request body is longer than {max} bytes")]
    TooLarge {
        /// The longest body that would have been taken, in bytes.
        max: usize,
    },
    /// It is a long one, and others are under way on its connection.
    #[error("too many long request bodies are under way on this connection")]
    Crowded,
    /// The client broke the framing (a bad chunk) or left in the middle.
    #[error("the request body could not be read")]
    Broken(#[source] BoxError),
}

impl BodyError {
    /// Finds out what an error met while reading a body stands for, however many layers (axum, multer) wrapped it.
    pub fn of(error: BoxError) -> BodyError {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
        while let Some(inner) = cause {
            match inner.downcast_ref::<BodyError>() {
                Some(BodyError::TimedOut) => return BodyError::TimedOut,
                Some(&BodyError::TooLarge { max }) => return BodyError::TooLarge { max },
                Some(BodyError::Crowded) => return BodyError::Crowded,
                Some(BodyError::Broken(_)) | None => cause = inner.source(),
            }
        }
        BodyError::Broken(error)
    }
}

/// Reads a whole body of at most `max` bytes.
///
/// # Errors
/// Every [`BodyError`]. A body that announces a length above `max` is refused before a byte of it is read.
pub async fn collect<B>(body: B, max: usize) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let announced = body.size_hint();
    if announced.lower() > max as u64 {
        return Err(BodyError::TooLarge { max });
    }
    let mut whole = BytesMut::new();
    let mut body = std::pin::pin!(body);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::of(error.into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > max - whole.len() {
            return Err(BodyError::TooLarge { max });
        }
        if whole.is_empty() && announced.exact() == Some(data.len() as u64) {
            // The usual case: one frame is the body, and nothing needs copying.
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Reads the body of a request that is refused without it, so that the connection can be used again. A client that
/// asks before it sends, and a body that is too long, are spared the transfer: their connection ends.
pub(super) async fn drained(parts: &Parts, body: axum::body::Body, limit: usize) -> bool {
    !parts.headers.contains_key(EXPECT) && collect(body, limit).await.is_ok()
}

/// A body that must be complete at an instant, else it ends with [`BodyError::TimedOut`].
///
/// The deadline is a total, counted from the end of the head, so that sending a byte a second does not help.
#[derive(Debug)]
pub struct RequestBody<B = Incoming> {
    inner: B,
    deadline: Instant,
    /// Made only when the body is not there yet, which for a sign-up form it nearly always is.
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    /// How many bytes have come.
    read: usize,
    pace: Arc<Pace>,
}

impl<B> RequestBody<B> {
    pub(super) fn new(inner: B, deadline: Instant, pace: Arc<Pace>) -> RequestBody<B> {
        RequestBody { inner, deadline, sleep: None, read: 0, pace }
    }

    /// Counts a piece of it, if there is room.
    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        let more = frame.data_ref().map_or(0, Bytes::len);
        let room = self.pace.bodies.grow(self.read, more);
        self.read += more;
        if room { Ok(frame) } else { Err(BodyError::Crowded) }
    }
}

impl<B> Drop for RequestBody<B> {
    fn drop(&mut self) {
        self.pace.bodies.ended(self.read);
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            let counted = frame.map(|frame| match frame {
                Ok(frame) => self.count(frame),
                Err(error) => Err(BodyError::Broken(error.into())),
            });
            if let Some(Err(_)) = &counted {
                self.pace.body_failed();
            }
            return Poll::Ready(counted);
        }
        let deadline = self.deadline;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        if !sleep.is_elapsed() && sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.pace.body_failed();
        Poll::Ready(Some(Err(BodyError::TimedOut)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[tokio::test]
    async fn a_body_is_taken_up_to_its_limit() {
        let body = || Full::new(Bytes::from_static(b"12345"));
        assert_eq!(collect(body(), 5).await.expect("it fits"), "12345");
        assert!(matches!(collect(body(), 4).await, Err(BodyError::TooLarge { max: 4 })));
    }

    #[test]
    fn the_reason_is_found_under_other_errors() {
        let wrapped = axum::Error::new(axum::Error::new(BodyError::TimedOut));
        assert!(matches!(BodyError::of(wrapped.into()), BodyError::TimedOut));
        assert!(matches!(BodyError::of("gone".into()), BodyError::Broken(_)));
    }
}
