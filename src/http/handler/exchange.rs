//! One request and the contract that answers it: every way in which it is told that there is no account.

use crate::app::{App, Mounted};
use crate::contract::{Circumstances, Fields, Outcome, Refusal, Reply, Scene};
use crate::http::line::Line;
use crate::http::reply::problem_text;
use crate::idempotency::ReplayError;
use crate::metrics::KEY_REUSED;
use crate::register::RegisterError;
use crate::store::StoreError;
use crate::throttle::Throttled;
use http::{HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// One request and the contract that answers it.
pub(super) struct Exchange {
    pub(super) app: Arc<App>,
    pub(super) mounted: Arc<Mounted>,
    pub(super) circumstances: Arc<Circumstances>,
    pub(super) line: Line,
}

impl Exchange {
    /// The longest body that the contract takes, in bytes.
    pub(super) fn body_limit(&self) -> usize {
        self.mounted.contract.register.max_body.unwrap_or(self.app.body_limit)
    }

    pub(super) fn taken(&self, kinds: &[String], fields: Arc<Fields>) -> Reply {
        let fields = Arc::unwrap_or_clone(fields);
        self.refuse(self.mounted.contract.taken(fields, kinds, &self.circumstances))
    }

    pub(super) fn spent(&self, fields: Arc<Fields>) -> Reply {
        self.refuse(self.mounted.contract.spent(Arc::unwrap_or_clone(fields), &self.circumstances))
    }

    pub(super) fn refused(&self, error: RegisterError) -> Reply {
        match error {
            RegisterError::Throttled(throttled) => self.throttled(&throttled),
            RegisterError::Busy { retry_after } => self.later(Outcome::Busy, retry_after),
            // A mistake of ours, whichever store has caught it.
            RegisterError::Unavailable(StoreError::Panicked) => self.failed(&error),
            RegisterError::Unavailable(_) | RegisterError::Unknown(_) => {
                tracing::error!(request_id = %self.circumstances.request_id, %error, "the store did not do its part");
                self.later(Outcome::Busy, Duration::from_secs(1))
            }
            RegisterError::Replay(ReplayError::OtherRequest) => key_reused(),
            other => self.failed(&other),
        }
    }

    pub(super) fn refuse(&self, refusal: Refusal) -> Reply {
        let unproven = refusal.errors.iter().filter_map(|error| error.proof);
        unproven.for_each(|why| self.app.metrics.proofs.refused(why));
        let scene = Scene {
            fields: refusal.fields.as_ref(),
            errors: &refusal.errors,
            reason: &refusal.reason,
            retry_after: None,
        };
        self.encode(&refusal.outcome, scene)
    }

    pub(super) fn plain(&self, outcome: Outcome) -> Reply {
        self.encode(&outcome, Scene::default())
    }

    pub(super) fn later(&self, outcome: Outcome, after: Duration) -> Reply {
        self.encode(&outcome, Scene { retry_after: Some(seconds(after)), ..Scene::default() })
    }

    pub(super) fn throttled(&self, throttled: &Throttled) -> Reply {
        self.app.metrics.throttled(throttled.limit.name());
        let mut reply = self.later(Outcome::Throttled, throttled.retry_after);
        reply.headers.extend(rate_limit(throttled));
        reply
    }

    /// The unexpected: said once in the log, with the request's id, and answered as the contract's `failed`.
    pub(super) fn failed(&self, error: &(dyn std::error::Error + 'static)) -> Reply {
        tracing::error!(request_id = %self.circumstances.request_id, error, "a registration failed");
        self.plain(Outcome::Failed)
    }

    fn encode(&self, outcome: &Outcome, scene: Scene<'_>) -> Reply {
        let contract = &self.mounted.contract;
        match contract.refusal(outcome, scene, &self.circumstances) {
            Ok(reply) => reply,
            Err(error) if *outcome != Outcome::Failed => self.failed(&error),
            Err(error) => {
                tracing::error!(request_id = %self.circumstances.request_id, %error, "`failed` cannot be written");
                Reply { outcome: Outcome::Failed, status: 500, headers: Vec::new(), body: String::new() }
            }
        }
    }
}

/// No contract has words for it: clients that send the header know the problem documents of RFC 9457.
fn key_reused() -> Reply {
    const STATUS: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    let content_type = HeaderValue::from_static("application/problem+json");
    Reply {
        outcome: Outcome::Named(KEY_REUSED.into()),
        status: STATUS.as_u16(),
        headers: vec![(http::header::CONTENT_TYPE, content_type)],
        body: problem_text(STATUS, "This Idempotency-Key was used for another request; send a new one."),
    }
}

/// What was exceeded, for programs (the IETF's draft-ietf-httpapi-ratelimit-headers): the one limit that was reached.
fn rate_limit(throttled: &Throttled) -> [(HeaderName, HeaderValue); 2] {
    let name = throttled.limit.name();
    let policy = format!("\"{name}\";q={};w={}", throttled.quota, seconds(throttled.window));
    let state = format!("\"{name}\";r=0;t={}", seconds(throttled.retry_after));
    [("ratelimit-policy", policy), ("ratelimit", state)].map(|(name, value)| {
        let value = HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("\"limit\";r=0"));
        (HeaderName::from_static(name), value)
    })
}

/// In whole seconds, rounded up, and never none.
fn seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}
