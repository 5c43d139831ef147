//! A bare axum that parses the same JSON and answers 400: what a refusal cannot be faster than.

use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::{Json, Router, routing::post};
use serde_json::{Value, json};

pub async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let refuse = |Json(body): Json<Value>| async move {
        let _ = body;
        (StatusCode::BAD_REQUEST, Json(json!({ "errors": [{ "field": "email", "message": "no" }] })))
    };
    let router = Router::new().route("/users", post(refuse));
    axum::serve(tokio::net::TcpListener::bind(listen).await?, router).await?;
    Ok(())
}
