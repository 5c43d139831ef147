//! The five steps of a registration, written once for all contracts.

mod receive;

use super::body::collect;
use super::caller::Caller;
use super::caught::{Panicked, caught};
use super::line::Line;
use super::proof_challenge;
use super::reply::{guarded, problem, problem_text, respond};
use super::routes::{Routes, by_media};
use crate::app::{App, Mounted};
use crate::contract::{Circumstances, Fields, Outcome, Refusal, Reply, Scene};
use crate::idempotency::{Repeatable, ReplayError};
use crate::metrics::{BODY_TIMEOUT, KEY_REUSED};
use crate::register::{Answer, RegisterError, SignUp, register, repeated, settle};
use crate::steps::Step;
use crate::store::StoreError;
use crate::throttle::{Throttled, Tries};
use crate::user::uuid_v7;
use axum::body::Body;
use axum::extract::State;
use http::header::{ALLOW, CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use receive::Stop;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Said when the connection cannot be used for another request.
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What the handlers share.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) app: Arc<App>,
    pub(super) routes: Routes,
}

/// Answers whatever is not a route of the server's own.
pub(super) async fn answer(
    State(server): State<Arc<Server>>,
    request: http::Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let app = server.app.clone();
    let mut circumstances = circumstances(&app, &parts);
    let request_id = circumstances.request_id.clone();
    let caller = parts.extensions.get::<Caller>().copied().unwrap_or_default();
    let here = server.routes.at(parts.uri.path(), parts.uri.query());
    let challenging = server.routes.challenge(parts.uri.path(), parts.uri.query());
    if let Some(mounted) =
        challenging.filter(|_| here.is_empty() || proof_challenge::is_read_of(&parts.method))
    {
        return proof_challenge::answer(&app, mounted, parts, body).await;
    }
    let Some(mounted) = by_media(&here, &parts.headers).cloned() else {
        let line = Line::new(&app, &circumstances, caller, None);
        line.ends("not_found", 404);
        let mut response = problem(StatusCode::NOT_FOUND, "Nothing answers here.");
        if !is_read(&parts, body, app.body_limit).await {
            response.headers_mut().insert(CONNECTION, CLOSE);
        }
        line.answered();
        return guarded(response, &request_id);
    };
    let line = Arc::new(Line::new(&app, &circumstances, caller, Some(&mounted)));
    circumstances.proof = app.proof(&mounted);
    let exchange = Exchange { app, mounted, circumstances, line };
    // A panic is an answer, too.
    let ran = caught(exchange.run(&parts, body)).await;
    let response = match ran.unwrap_or_else(|panicked| Ok(exchange.failed(&panicked))) {
        Ok(reply) => {
            exchange.line.ends_with(&reply);
            respond(reply)
        }
        Err(BodyGone) => {
            exchange.line.ends(BODY_TIMEOUT, 408);
            problem(StatusCode::REQUEST_TIMEOUT, "The request body was not received in time.")
        }
    };
    exchange.line.answered();
    guarded(response, &request_id)
}

/// Reads the body of a request that is refused without it, so that the connection can be used again. A client that
/// asks before it sends, and a body that is too long, are spared the transfer: their connection ends.
pub(super) async fn is_read(parts: &Parts, body: Body, limit: usize) -> bool {
    !parts.headers.contains_key(EXPECT) && collect(body, limit).await.is_ok()
}

pub(super) fn circumstances(app: &App, parts: &Parts) -> Circumstances {
    let now = app.clock.now();
    Circumstances {
        now,
        random: uuid_v7(now, app.clock.random()),
        request_id: uuid_v7(now, app.clock.random()).to_string().into(),
        path: parts.uri.path().into(),
        base_url: app.base_url.clone(),
        secrets: app.secrets.clone(),
        breached: app.breached.clone(),
        proof: None,
    }
}

/// The body did not come in time; no contract has words for it.
struct BodyGone;

/// One request and the contract that answers it.
#[derive(Clone)]
struct Exchange {
    app: Arc<App>,
    mounted: Arc<Mounted>,
    circumstances: Circumstances,
    line: Arc<Line>,
}

impl Exchange {
    async fn run(&self, parts: &Parts, body: Body) -> Result<Reply, BodyGone> {
        if parts.method != Method::POST {
            let mut reply = self.plain(Outcome::MethodNotAllowed);
            reply.headers.push((ALLOW, HeaderValue::from_static("POST")));
            if !is_read(parts, body, self.app.body_limit).await {
                reply.headers.push((CONNECTION, CLOSE));
            }
            return Ok(reply);
        }
        let throttle = &self.app.throttle;
        let arrival = throttle.arrival(&self.mounted.name, address(parts), self.app.clock.uptime());
        let tries = match arrival {
            Ok(tries) => tries,
            Err(throttled) => {
                let mut reply = self.throttled(&throttled);
                if !is_read(parts, body, self.app.body_limit).await {
                    reply.headers.push((CONNECTION, CLOSE));
                }
                return Ok(reply);
            }
        };
        match self.receive(parts, body).await {
            Ok(sign_up) => {
                self.app.steps.pass(Step::Understood);
                Ok(self.register(sign_up, tries).await)
            }
            // What is refused is a try all the same, and whether it was one too many is said first.
            Err(stop) => match settle(&self.app, tries).await {
                Ok(()) => self.stopped(stop).await,
                Err(error) => {
                    let mut reply = self.refused(error);
                    if matches!(stop, Stop::TooLarge | Stop::TooLate) {
                        reply.headers.push((CONNECTION, CLOSE));
                    }
                    Ok(reply)
                }
            },
        }
    }

    async fn stopped(&self, stop: Stop) -> Result<Reply, BodyGone> {
        match stop {
            Stop::Refused(refusal) => Ok(self.refuse(refusal)),
            Stop::Unproven(refusal, repeatable) => Ok(self.unproven(*refusal, &repeatable).await),
            Stop::TooLate => Err(BodyGone),
            Stop::Crowded => Ok(self.later(Outcome::Busy, Duration::from_secs(1))),
            Stop::TooLarge => {
                let mut reply = self.plain(Outcome::TooLarge);
                reply.headers.push((CONNECTION, CLOSE));
                Ok(reply)
            }
        }
    }

    /// The repetition of a request under its idempotency key gets its answer, though its proof of work has expired since, or
    /// was not asked for then.
    async fn unproven(&self, refusal: Refusal, repeatable: &Repeatable) -> Reply {
        match repeated(&self.app, repeatable).await {
            Ok(Some(reply)) => reply,
            Ok(None) => self.refuse(refusal),
            Err(error) => self.refused(error),
        }
    }

    /// Step 4, in a task of its own: a client that leaves cannot cut it in half, and a panic in it is an answer. Its
    /// presence stays here, where a client that leaves takes it along.
    async fn register(&self, sign_up: SignUp, tries: Tries) -> Reply {
        let (exchange, fields) = (self.clone(), sign_up.fields.clone());
        let presence = self.app.passwords.presence();
        let claim = presence.claim();
        let task = self.app.tasks.spawn(async move {
            let reply = match register(&exchange.app, sign_up, tries, claim).await {
                Ok(Answer { reply, user }) => {
                    user.into_iter().for_each(|user| exchange.line.made(user));
                    reply
                }
                // Nobody is there to read it, and nothing was done.
                Err(RegisterError::Left) => return exchange.plain(Outcome::Busy),
                Err(RegisterError::Taken(kinds)) => exchange.taken(&kinds, &fields),
                Err(RegisterError::Spent) => exchange.spent(&fields),
                Err(error) => exchange.refused(error),
            };
            // Also when nobody is left to hear it.
            exchange.line.ends_with(&reply);
            reply
        });
        // What a panic says is not repeated: it could quote what was sent.
        task.await.unwrap_or_else(|_| self.failed(&Panicked))
    }

    fn taken(&self, kinds: &[String], fields: &Fields) -> Reply {
        self.refuse(self.mounted.contract.taken(fields.clone(), kinds, &self.circumstances))
    }

    fn spent(&self, fields: &Fields) -> Reply {
        self.refuse(self.mounted.contract.spent(fields.clone(), &self.circumstances))
    }

    fn refused(&self, error: RegisterError) -> Reply {
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

    fn refuse(&self, refusal: Refusal) -> Reply {
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

    fn plain(&self, outcome: Outcome) -> Reply {
        self.encode(&outcome, Scene::default())
    }

    fn later(&self, outcome: Outcome, after: Duration) -> Reply {
        self.encode(&outcome, Scene { retry_after: Some(seconds(after)), ..Scene::default() })
    }

    fn throttled(&self, throttled: &Throttled) -> Reply {
        self.app.metrics.throttled(throttled.limit.name());
        let mut reply = self.later(Outcome::Throttled, throttled.retry_after);
        reply.headers.extend(rate_limit(throttled));
        reply
    }

    /// The unexpected: said once in the log, with the request's id, and answered as the contract's `failed`.
    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> Reply {
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

/// Where a request comes from.
fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<Caller>().and_then(|caller| caller.address)
}
