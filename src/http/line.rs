//! The log's one line per request.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::contract::{Circumstances, Reply};

/// What the log will say about a request. It is said when the last one lets go of it: the handler, or the
/// registration, which goes on when its client has left. So a request has one line, whatever becomes of it.
#[derive(Debug)]
pub(super) struct Line {
    request_id: Box<str>,
    contract: Box<str>,
    started: Instant,
    /// Outcome and status.
    ending: OnceLock<(Box<str>, u16)>,
    answered: AtomicBool,
}

impl Line {
    /// A request has arrived for this contract.
    pub(super) fn new(circumstances: &Circumstances, contract: &str) -> Line {
        Line {
            request_id: (*circumstances.request_id).into(),
            contract: contract.into(),
            started: Instant::now(),
            ending: OnceLock::new(),
            answered: AtomicBool::new(false),
        }
    }

    /// It came to this. Only the first call counts.
    pub(super) fn ends(&self, outcome: &str, status: u16) {
        let _ = self.ending.set((outcome.into(), status));
    }

    /// It came to this reply.
    pub(super) fn ends_with(&self, reply: &Reply) {
        self.ends(reply.outcome.name(), reply.status);
    }

    /// The client was still there when the answer was ready.
    pub(super) fn answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration_ms = self.started.elapsed().as_secs_f64() * 1e3;
        let duration_ms = (duration_ms * 1e3).round() / 1e3;
        let (outcome, status) = match self.ending.get() {
            Some((outcome, status)) => (&**outcome, Some(*status)),
            None => ("abandoned", None),
        };
        let client_left = (!self.answered.load(Ordering::Relaxed)).then_some(true);
        // The path is left out: it could hold anything.
        tracing::info!(
            request_id = %self.request_id, contract = %self.contract, outcome, status, client_left, duration_ms,
            "request"
        );
    }
}
