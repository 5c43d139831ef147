//! `GET PATH/challenge`: what a client has to solve before it may sign up. Nothing is looked up and nothing remembered.

use super::body::drained;
use super::reply::{guarded, problem};
use crate::app::{App, Mounted};
use axum::body::Body;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

/// Whether it is the method of somebody who asks for a challenge.
pub(super) fn is_read_of(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// A new challenge, for this contract alone.
pub(super) async fn answer(app: &App, mounted: &Mounted, parts: Parts, body: Body) -> Response<Body> {
    let mut response = if is_read_of(&parts.method) {
        app.metrics.proofs.challenges.inc();
        let load = app.passwords.fullness();
        let challenge = app.proofs.challenge(&mounted.path_and_query(), load, &app.clock);
        let text = serde_json::to_string(&challenge).expect("texts and a number can be written");
        let mut response = Response::new(Body::from(text));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    } else {
        let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "Challenges are asked for with GET.");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,HEAD"));
        response
    };
    if !drained(&parts, body, app.body_limit).await {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    guarded(response, "")
}
