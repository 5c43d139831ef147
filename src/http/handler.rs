//! The five steps of a registration, written once for all contracts.

use super::body::{BodyError, collect};
use super::caller::Caller;
use super::caught::{Panicked, caught};
use super::line::Line;
use super::reply::{guarded, problem, problem_text, respond};
use super::routes::{Routes, by_media};
use crate::app::{App, Mounted};
use crate::contract::{Circumstances, Fields, Outcome, Refusal, Reply, Request, Scene};
use crate::idempotency::{IdempotencyKey, KeyError, Repeatable, ReplayError};
use crate::metrics::{BODY_TIMEOUT, KEY_REUSED};
use crate::register::{RegisterError, SignUp, register};
use crate::steps::Step;
use crate::store::StoreError;
use crate::throttle::Throttled;
use crate::token;
use crate::user::{Key, Meaning, NewUser, Problem, uuid_v7};
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
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
    let circumstances = circumstances(&app, &parts);
    let request_id = circumstances.request_id.clone();
    let caller = parts.extensions.get::<Caller>().copied().unwrap_or_default();
    let here = server.routes.at(parts.uri.path(), parts.uri.query());
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
        if let Err(throttled) = throttle.arrival(&self.mounted.name, address(parts), self.app.clock.uptime())
        {
            let mut reply = self.throttled(&throttled);
            if !is_read(parts, body, self.app.body_limit).await {
                reply.headers.push((CONNECTION, CLOSE));
            }
            return Ok(reply);
        }
        let body = match collect(body, self.app.body_limit).await {
            Ok(body) => body,
            Err(BodyError::TooLarge { .. }) => {
                let mut reply = self.plain(Outcome::TooLarge);
                reply.headers.push((CONNECTION, CLOSE));
                return Ok(reply);
            }
            Err(BodyError::TimedOut) => return Err(BodyGone),
            Err(BodyError::Broken(_)) => {
                let reason = "the body ended too early".to_owned();
                return Ok(self.refuse(Refusal { reason, ..Refusal::plain(Outcome::Malformed) }));
            }
        };
        Ok(match self.understand(parts, &body).await {
            Err(refusal) => self.refuse(refusal),
            Ok(sign_up) => {
                self.app.steps.pass(Step::Understood);
                self.register(sign_up).await
            }
        })
    }

    /// Steps 2 and 3: what was written, and what it means.
    async fn understand(&self, parts: &Parts, body: &Bytes) -> Result<SignUp, Refusal> {
        let contract = &self.mounted.contract;
        let request = Request { query: parts.uri.query(), headers: &parts.headers, body };
        let fields = contract.decode(request, &self.circumstances).await?;
        let repeatable = self
            .repeatable(parts, request, &fields)
            .map_err(|error| Refusal { reason: error.to_string(), ..Refusal::plain(Outcome::Malformed) })?;
        let submitted = contract.submitted(&fields);
        let reveal = contract.register.reveal.password_sha256;
        let password_sha256 = submitted.password.as_deref().filter(|_| reveal).map(token::digest);
        let mut extras = contract.unique_extras(&fields);
        let understood = NewUser::parse(submitted).and_then(|user| {
            indexable(&extras)?;
            let looks = self.app.names.judge(&user)?;
            extras.extend(looks.into_iter().map(|key| (key.kind, key.value)));
            Ok(user)
        });
        match understood {
            Ok(user) => Ok(SignUp {
                mounted: self.mounted.clone(),
                fields: Arc::new(fields),
                user,
                extras,
                password_sha256,
                circumstances: self.circumstances.clone(),
                repeatable,
            }),
            Err(problems) => Err(contract.misunderstood(fields, &problems, &self.circumstances)),
        }
    }

    /// How the request is recognised when it comes again. A contract that asks for a secret is called by other servers,
    /// whose addresses mean nothing; otherwise a key is only good for the network that it came from.
    fn repeatable(
        &self,
        parts: &Parts,
        request: Request<'_>,
        fields: &Fields,
    ) -> Result<Option<Repeatable>, KeyError> {
        let key = IdempotencyKey::of(&parts.headers)?;
        if key.is_none() && !self.app.idempotency.has_window() {
            return Ok(None);
        }
        let contract = &self.mounted.contract;
        // Servers are told apart by their contract's secret, and people by their network.
        let caller = parts.extensions.get::<Caller>().filter(|_| contract.secrets().is_empty());
        let network = caller.and_then(Caller::network).map(|network| network.to_string()).unwrap_or_default();
        let written = contract.written(request, fields);
        let scope = [self.mounted.name.as_str(), &network];
        Ok(self.app.idempotency.repeatable(key.as_ref(), &scope, &written, self.circumstances.now))
    }

    /// Step 4, in a task of its own: a client that leaves cannot cut it in half, and a panic in it is an answer. Its
    /// presence stays here, where a client that leaves takes it along.
    async fn register(&self, sign_up: SignUp) -> Reply {
        let (exchange, fields) = (self.clone(), sign_up.fields.clone());
        let presence = self.app.passwords.presence();
        let claim = presence.claim();
        let task = self.app.tasks.spawn(async move {
            let reply = match register(&exchange.app, sign_up, claim).await {
                Ok(reply) => reply,
                // Nobody is there to read it, and nothing was done.
                Err(RegisterError::Left) => return exchange.plain(Outcome::Busy),
                Err(error) => exchange.refused(error, &fields),
            };
            // Also when nobody is left to hear it.
            exchange.line.ends_with(&reply);
            reply
        });
        // What a panic says is not repeated: it could quote what was sent.
        task.await.unwrap_or_else(|_| self.failed(&Panicked))
    }

    fn refused(&self, error: RegisterError, fields: &Fields) -> Reply {
        match error {
            RegisterError::Taken(kinds) => {
                let contract = &self.mounted.contract;
                let refusal = contract.taken(fields.clone(), &kinds, &self.circumstances);
                self.refuse(refusal)
            }
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

/// Unique values must fit the store's index.
fn indexable(extras: &[(String, String)]) -> Result<(), Vec<Problem>> {
    let too_long = extras.iter().filter(|(_, value)| value.len() > Key::MAX_BYTES);
    let problems: Vec<Problem> = too_long
        .filter_map(|(kind, _)| kind.parse::<Meaning>().ok())
        .map(|meaning| Problem {
            meaning,
            reason: format!("the value is longer than {} bytes", Key::MAX_BYTES),
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
