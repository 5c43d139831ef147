//! The five steps of a registration, written once for all contracts.

use super::body::{BodyError, collect};
use super::reply::{guarded, problem, respond};
use super::routes::{Routes, by_media};
use crate::app::{App, Mounted};
use crate::contract::{Circumstances, Fields, Outcome, Refusal, Reply, Request, Scene};
use crate::metrics::{BODY_TIMEOUT, CLIENT_LEFT};
use crate::password::Claim;
use crate::register::{RegisterError, SignUp, register};
use crate::token;
use crate::user::{NewUser, uuid_v7};
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let circumstances = circumstances(&server.app, &parts);
    let here = server.routes.at(parts.uri.path(), parts.uri.query());
    let Some(mounted) = by_media(&here, &parts.headers).cloned() else {
        log(&circumstances, "-", "not_found", 404, started.elapsed());
        server.app.metrics.not_found.inc();
        return guarded(problem(StatusCode::NOT_FOUND, "Nothing answers here."), &circumstances.request_id);
    };
    let attempt = Attempt { app: &server.app, mounted: &mounted, circumstances: &circumstances, started };
    let request = Exchange { app: &server.app, mounted: &mounted, circumstances: &circumstances };
    let response = match request.run(&parts, body).await {
        Ok(reply) => {
            attempt.ends(reply.outcome.name(), reply.status);
            respond(reply)
        }
        Err(BodyGone) => {
            attempt.ends(BODY_TIMEOUT, 408);
            problem(StatusCode::REQUEST_TIMEOUT, "The request body was not received in time.")
        }
    };
    guarded(response, &circumstances.request_id)
}

fn circumstances(app: &App, parts: &Parts) -> Circumstances {
    let now = app.clock.now();
    Circumstances {
        now,
        random: uuid_v7(now, app.clock.random()),
        request_id: uuid_v7(now, app.clock.random()).to_string().into(),
        path: parts.uri.path().into(),
        base_url: app.base_url.clone(),
        secrets: app.secrets.clone(),
    }
}

/// One request, which ends once: with an answer, or when it is dropped because its client has left.
struct Attempt<'a> {
    app: &'a App,
    mounted: &'a Arc<Mounted>,
    circumstances: &'a Circumstances,
    started: Instant,
}

impl Attempt<'_> {
    fn ends(self, outcome: &str, status: u16) {
        self.tell(outcome, status);
        std::mem::forget(self);
    }

    fn tell(&self, outcome: &str, status: u16) {
        let time = self.started.elapsed();
        log(self.circumstances, &self.mounted.name, outcome, status, time);
        self.app.metrics.count(self.app.number(self.mounted), outcome, time);
    }
}

impl Drop for Attempt<'_> {
    /// 499 is what web servers write into their logs for it.
    fn drop(&mut self) {
        self.tell(CLIENT_LEFT, 499);
    }
}

/// One line per request. The path is left out: it could hold anything.
fn log(circumstances: &Circumstances, contract: &str, outcome: &str, status: u16, time: Duration) {
    let duration_ms = time.as_secs_f64() * 1e3;
    let duration_ms = (duration_ms * 1e3).round() / 1e3;
    tracing::info!(request_id = %circumstances.request_id, contract, outcome, status, duration_ms, "request");
}

/// Registers, and says so when nobody will hear of the account.
async fn finish(app: Arc<App>, sign_up: SignUp, claim: Claim) -> Result<Reply, RegisterError> {
    let request_id = sign_up.circumstances.request_id.clone();
    let result = register(&app, sign_up, claim.clone()).await;
    if claim.is_unheard() && result.is_ok() {
        app.metrics.unheard.inc();
        tracing::info!(%request_id, "the account was made, and its client had left");
    }
    result
}

/// The body did not come in time; no contract has words for it.
struct BodyGone;

/// One request and the contract that answers it.
struct Exchange<'e> {
    app: &'e Arc<App>,
    mounted: &'e Arc<Mounted>,
    circumstances: &'e Circumstances,
}

impl Exchange<'_> {
    async fn run(&self, parts: &Parts, body: Body) -> Result<Reply, BodyGone> {
        if parts.method != Method::POST {
            let mut reply = self.plain(Outcome::MethodNotAllowed);
            reply.headers.push((http::header::ALLOW, HeaderValue::from_static("POST")));
            return Ok(reply);
        }
        let body = match collect(body, self.app.body_limit).await {
            Ok(body) => body,
            Err(BodyError::TooLarge { .. }) => return Ok(self.plain(Outcome::TooLarge)),
            Err(BodyError::TimedOut) => return Err(BodyGone),
            Err(BodyError::Broken(_)) => {
                let reason = "the body ended too early".to_owned();
                return Ok(self.refuse(Refusal { reason, ..Refusal::plain(Outcome::Malformed) }));
            }
        };
        Ok(match self.understand(parts, &body).await {
            Err(refusal) => self.refuse(refusal),
            Ok(sign_up) => self.register(sign_up).await,
        })
    }

    /// Steps 2 and 3: what was written, and what it means.
    async fn understand(&self, parts: &Parts, body: &Bytes) -> Result<SignUp, Refusal> {
        let contract = &self.mounted.contract;
        let request = Request { query: parts.uri.query(), headers: &parts.headers, body };
        let fields = contract.decode(request, self.circumstances).await?;
        let submitted = contract.submitted(&fields);
        let reveal = contract.register.reveal.password_sha256;
        let password_sha256 = submitted.password.as_deref().filter(|_| reveal).map(token::digest);
        let extras = contract.unique_extras(&fields);
        match NewUser::parse(submitted) {
            Ok(user) => Ok(SignUp {
                mounted: self.mounted.clone(),
                fields: Arc::new(fields),
                user,
                extras,
                password_sha256,
                circumstances: self.circumstances.clone(),
            }),
            Err(problems) => Err(contract.misunderstood(fields, &problems, self.circumstances)),
        }
    }

    /// Step 4, in a task of its own: a client that leaves cannot cut it in half, and a panic in it is an answer. Its
    /// presence stays here, where a client that leaves takes it along.
    async fn register(&self, sign_up: SignUp) -> Reply {
        let (app, fields) = (self.app.clone(), sign_up.fields.clone());
        let presence = self.app.passwords.presence();
        let task = self.app.tasks.spawn(finish(app, sign_up, presence.claim()));
        match task.await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => self.refused(error, &fields),
            Err(error) => self.failed(&error),
        }
    }

    fn refused(&self, error: RegisterError, fields: &Fields) -> Reply {
        match error {
            RegisterError::Taken(kinds) => {
                let contract = &self.mounted.contract;
                let refusal = contract.taken(fields.clone(), &kinds, self.circumstances);
                self.refuse(refusal)
            }
            RegisterError::Busy { retry_after } => self.later(Outcome::Busy, retry_after),
            // Nobody is there to read it.
            RegisterError::Left => self.plain(Outcome::Busy),
            RegisterError::Unavailable(error) => {
                tracing::error!(request_id = %self.circumstances.request_id, %error, "the store is not available");
                self.later(Outcome::Busy, Duration::from_secs(1))
            }
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
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.encode(&outcome, Scene { retry_after: Some(seconds.max(1)), ..Scene::default() })
    }

    /// The unexpected: said once in the log, with the request's id, and answered as the contract's `failed`.
    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> Reply {
        tracing::error!(request_id = %self.circumstances.request_id, error, "a registration failed");
        self.plain(Outcome::Failed)
    }

    fn encode(&self, outcome: &Outcome, scene: Scene<'_>) -> Reply {
        let contract = &self.mounted.contract;
        match contract.refusal(outcome, scene, self.circumstances) {
            Ok(reply) => reply,
            Err(error) if *outcome != Outcome::Failed => self.failed(&error),
            Err(error) => {
                tracing::error!(request_id = %self.circumstances.request_id, %error, "`failed` cannot be written");
                Reply { outcome: Outcome::Failed, status: 500, headers: Vec::new(), body: String::new() }
            }
        }
    }
}
