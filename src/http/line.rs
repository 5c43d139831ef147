//! The log's one line per request, and its place in the metrics.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::caller::Caller;
use crate::app::{App, Mounted};
use crate::contract::{Circumstances, Reply};
use crate::metrics::ABANDONED;
use crate::network::Network;

/// What the log and the metrics will say about a request. It is said when the last one lets go of it: the handler, or the
/// registration, which goes on when its client has left. So a request has one line, whatever becomes of it.
#[derive(Debug)]
pub(super) struct Line {
    app: Arc<App>,
    request_id: Box<str>,
    /// Whom the client's address stands for, when it is known.
    network: Option<Network>,
    /// `None` when nothing answers there.
    contract: Option<Arc<Mounted>>,
    started: Instant,
    /// Outcome and status.
    ending: OnceLock<(Box<str>, u16)>,
    answered: AtomicBool,
}

impl Line {
    /// A request has arrived for this contract, or for none.
    pub(super) fn new(
        app: &Arc<App>,
        circumstances: &Circumstances,
        caller: Caller,
        contract: Option<&Arc<Mounted>>,
    ) -> Line {
        Line {
            app: app.clone(),
            request_id: (*circumstances.request_id).into(),
            network: caller.network(),
            contract: contract.cloned(),
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
        let duration = self.started.elapsed();
        let duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3;
        let (outcome, status) = match self.ending.get() {
            Some((outcome, status)) => (&**outcome, Some(*status)),
            None => (ABANDONED, None),
        };
        let answered = self.answered.load(Ordering::Relaxed);
        let client_left = (!answered).then_some(true);
        let contract = self.contract.as_ref().map_or("-", |mounted| &*mounted.name);
        let network = self.network.map(tracing::field::display);
        // The path is left out: it could hold anything.
        tracing::info!(
            request_id = %self.request_id, network, contract, outcome, status, client_left, duration_ms,
            "request"
        );
        let number = self.contract.as_ref().map(|mounted| self.app.number(mounted));
        self.app.metrics.count(number, outcome, answered, duration);
    }
}
