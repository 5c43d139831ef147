//! The routes that are no contract's, asked by a method that is not theirs.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::ALLOW;

use super::handler::{self, Server};
use super::reply;

/// A contract may be mounted at the same path; it answers to POST.
pub(super) async fn other_method(State(server): State<Arc<Server>>, request: Request) -> Response {
    if !server.routes.at(request.uri().path(), request.uri().query()).is_empty() {
        return handler::answer(State(server), request).await;
    }
    let refusal = reply::problem(StatusCode::METHOD_NOT_ALLOWED, "This method is not allowed here.");
    reply::guarded(([(ALLOW, "GET,HEAD")], refusal).into_response(), "")
}
