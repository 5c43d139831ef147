//! A panic in a handler ends its request with an answer, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// The work panicked. What it said went to the panic hook.
#[derive(Debug, thiserror::Error)]
#[error("a handler panicked")]
pub(super) struct Panicked;

/// Runs a future to its end or to its panic. What it shared must be whole after a panic: here that is the [`App`],
/// whose parts guard themselves. The future is pinned by the caller, so that there is room for it only once.
///
/// [`App`]: crate::app::App
pub(super) async fn caught<F: Future>(mut future: Pin<&mut F>) -> Result<F::Output, Panicked> {
    std::future::poll_fn(move |context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}
