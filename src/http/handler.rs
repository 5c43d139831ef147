//! The five steps of a registration, written once for all contracts.

mod exchange;
mod receive;

use super::body::drained;
use super::caller::Caller;
use super::caught::{Panicked, caught};
use super::line::Line;
use super::proof_challenge;
use super::reply::{guarded, problem, respond};
use super::routes::{Routes, by_media};
use crate::app::App;
use crate::contract::{Circumstances, Outcome, Reply};
use crate::idempotency::Repeatable;
use crate::metrics::BODY_TIMEOUT;
use crate::register::{Answer, RegisterError, SignUp, register, repeated, settle};
use crate::steps::Step;
use crate::throttle::Tries;
use crate::user::uuid_v7;
use axum::body::Body;
use axum::extract::State;
use exchange::Exchange;
use http::header::{ALLOW, CONNECTION};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use receive::Stop;
use std::net::IpAddr;
use std::pin::pin;
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
        if !drained(&parts, body, app.body_limit).await {
            response.headers_mut().insert(CONNECTION, CLOSE);
        }
        line.answered();
        return guarded(response, &request_id);
    };
    let line = Line::new(&app, &circumstances, caller, Some(&mounted));
    circumstances.proof = app.proof(&mounted);
    let exchange = Arc::new(Exchange { app, mounted, circumstances: Arc::new(circumstances), line });
    // A panic is an answer, too.
    let ran = caught(pin!(exchange.run(&parts, body))).await;
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

pub(super) fn circumstances(app: &App, parts: &Parts) -> Circumstances {
    let now = app.clock.now();
    // Asking the system takes longer than what it gives.
    let [random, request_id] = app.clock.random_pair();
    Circumstances {
        now,
        random: uuid_v7(now, random),
        request_id: uuid_v7(now, request_id).to_string().into(),
        path: parts.uri.path().into(),
        base_url: app.base_url.clone(),
        secrets: app.secrets.clone(),
        breached: app.breached.clone(),
        proof: None,
    }
}

/// The body did not come in time; no contract has words for it.
struct BodyGone;

impl Exchange {
    async fn run(self: &Arc<Self>, parts: &Parts, body: Body) -> Result<Reply, BodyGone> {
        if parts.method != Method::POST {
            let mut reply = self.plain(Outcome::MethodNotAllowed);
            reply.headers.push((ALLOW, HeaderValue::from_static("POST")));
            if !drained(parts, body, self.body_limit()).await {
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
                if !drained(parts, body, self.body_limit()).await {
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
            Stop::Unproven(refusal, repeatable) => {
                Ok(self.kept(&repeatable).await.unwrap_or_else(|| self.refuse(*refusal)))
            }
            Stop::Closed(repeatable) => {
                let kept = match &repeatable {
                    Some(repeatable) => self.kept(repeatable).await,
                    None => None,
                };
                Ok(kept.unwrap_or_else(|| self.plain(Outcome::Closed)))
            }
            Stop::TooLate => Err(BodyGone),
            Stop::Crowded => Ok(self.later(Outcome::Busy, Duration::from_secs(1))),
            Stop::TooLarge => {
                let mut reply = self.plain(Outcome::TooLarge);
                reply.headers.push((CONNECTION, CLOSE));
                Ok(reply)
            }
        }
    }

    /// The repetition of a request under its idempotency key gets its answer, though its proof of work has expired since, or was
    /// not asked for then, or sign-up was switched off meanwhile.
    async fn kept(&self, repeatable: &Repeatable) -> Option<Reply> {
        repeated(&self.app, repeatable).await.unwrap_or_else(|error| Some(self.refused(error)))
    }

    /// Step 4, in a task of its own: a client that leaves cannot cut it in half, and a panic in it is an answer. Its
    /// presence stays here, where a client that leaves takes it along.
    async fn register(self: &Arc<Self>, sign_up: SignUp, tries: Tries) -> Reply {
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
                Err(RegisterError::Taken(kinds)) => exchange.taken(&kinds, fields),
                Err(RegisterError::Spent) => exchange.spent(fields),
                Err(error) => exchange.refused(error),
            };
            // Also when nobody is left to hear it.
            exchange.line.ends_with(&reply);
            reply
        });
        // What a panic says is not repeated: it could quote what was sent.
        task.await.unwrap_or_else(|_| self.failed(&Panicked))
    }
}

/// Where a request comes from.
fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<Caller>().and_then(|caller| caller.address)
}
