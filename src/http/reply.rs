//! From a contract's reply to bytes, and the answers that belong to no contract (RFC 9457).

use crate::contract::{Reply, phrase};
use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::ext::ReasonPhrase;

/// The header that names a request in the log.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A contract's reply with all that the server adds to it, short of what the connection decides (`date`,
/// `content-length`).
pub fn whole(reply: Reply, request_id: &str) -> Response<Body> {
    guarded(respond(reply), request_id)
}

/// Writes a contract's reply.
pub(super) fn respond(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body));
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.canonical_reason().is_none() {
        // Without one of its own, a status that is not registered (419) would go out as `<none>`.
        if let Ok(phrase) = ReasonPhrase::try_from(phrase(reply.status).as_bytes()) {
            response.extensions_mut().insert(phrase);
        }
    }
    *response.status_mut() = status;
    for (name, value) in reply.headers {
        response.headers_mut().append(name, value);
    }
    response
}

/// An answer without a contract: a problem document with nothing but the status in it.
pub(super) fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(problem_text(status, detail)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

pub(super) fn problem_text(status: StatusCode, detail: &str) -> String {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    });
    body.to_string()
}

/// What every answer carries, unless its contract says otherwise: nobody caches it, sniffs it or leaks its address.
/// Answers that are not logged have no request id.
pub(super) fn guarded(mut response: Response<Body>, request_id: &str) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in
        [(CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (REFERRER_POLICY, "no-referrer")]
    {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Some(id) = HeaderValue::from_str(request_id).ok().filter(|id| !id.is_empty()) {
        headers.entry(X_REQUEST_ID).or_insert(id);
    }
    response
}
