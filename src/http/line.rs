//! What is told of a request when it is over: the log's one line, its place in the metrics, the record of attempts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use super::caller::Caller;
use crate::app::{App, Mounted};
use crate::contract::{Circumstances, Reply};
use crate::metrics::ABANDONED;
use crate::network::Network;
use crate::store::{Attempt, Claimed};

/// What the log and the metrics will say about a request. It is said when the last one lets go of it: the handler, or the
/// registration, which goes on when its client has left. So a request has one line, whatever becomes of it.
#[derive(Debug)]
pub(super) struct Line {
    app: Arc<App>,
    request_id: Box<str>,
    at: Timestamp,
    /// Whom the client's address stands for, when it is known.
    network: Option<Network>,
    /// `None` when nothing answers there.
    contract: Option<Arc<Mounted>>,
    started: Instant,
    claimed: OnceLock<Claimed>,
    /// The public id of the account that was made.
    user: OnceLock<Uuid>,
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
            at: circumstances.now,
            network: caller.network(),
            contract: contract.cloned(),
            started: Instant::now(),
            claimed: OnceLock::new(),
            user: OnceLock::new(),
            ending: OnceLock::new(),
            answered: AtomicBool::new(false),
        }
    }

    /// It is about an account with these names.
    pub(super) fn claims(&self, names: Claimed) {
        let _ = self.claimed.set(names);
    }

    /// It made this account.
    pub(super) fn made(&self, user: Uuid) {
        let _ = self.user.set(user);
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

    fn ending(&self) -> (&str, Option<u16>) {
        self.ending.get().map_or((ABANDONED, None), |(outcome, status)| (outcome, Some(*status)))
    }

    fn contract(&self) -> &str {
        self.contract.as_ref().map_or("-", |mounted| &*mounted.name)
    }

    fn claimed(&self) -> Claimed {
        self.claimed.get().copied().unwrap_or_default()
    }

    fn log(&self, duration: Duration) {
        let duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3;
        let (outcome, status) = self.ending();
        let client_left = (!self.answered.load(Ordering::Relaxed)).then_some(true);
        let network = self.network.map(tracing::field::display);
        let user = self.user.get().map(tracing::field::display);
        let digest =
            |digest: [u8; 16]| tracing::field::display(format!("{:032x}", u128::from_be_bytes(digest)));
        let Claimed { email, username } = self.claimed();
        // The path is left out: it could hold anything.
        tracing::info!(
            request_id = %self.request_id, network, contract = self.contract(), outcome, status, user,
            email_digest = email.map(digest), username_digest = username.map(digest), client_left, duration_ms,
            "request"
        );
    }

    fn record(&self) {
        if !self.app.audit.is_stored() {
            return;
        }
        let (outcome, status) = self.ending();
        self.app.audit.record(Attempt {
            // It was made of one.
            id: self.request_id.parse().unwrap_or_default(),
            at: self.at,
            contract: self.contract().to_owned(),
            outcome: outcome.to_owned(),
            status,
            network: self.network.map(|network| network.to_string()),
            user: self.user.get().copied(),
            claimed: self.claimed(),
            attempts: 1,
        });
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        self.log(duration);
        self.record();
        let answered = self.answered.load(Ordering::Relaxed);
        let number = self.contract.as_ref().map(|mounted| self.app.number(mounted));
        self.app.metrics.count(number, self.ending().0, answered, duration);
    }
}
