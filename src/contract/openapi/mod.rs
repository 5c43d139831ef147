//! The mounted contracts as an OpenAPI 3.1 document.
//!
//! `request` writes what is read, from the fields and their rules; `responses` writes what is answered, from samples
//! of every outcome. OpenAPI knows one POST per path: contracts that share one (their media types or queries differ)
//! become one operation.

mod challenge;
mod described;
mod request;
mod responses;

use super::challenge_path;
use super::describe::curl;
use super::samples::{answers, example_request};
pub use described::Endpoint;
use described::{Described, id};
use serde_json::{Map, Value as Json, json};

/// The OpenAPI 3.1.1 document of a server at `base_url`. The same contracts make the same text.
pub fn openapi(mounted: &[Endpoint<'_>], base_url: &str) -> Json {
    let described: Vec<Described<'_>> = mounted
        .iter()
        .map(|&endpoint| Described {
            endpoint,
            example: example_request(endpoint.contract),
            answers: answers(endpoint.contract, endpoint.path, base_url),
            curl: curl(endpoint.contract, base_url, endpoint.path),
        })
        .collect();
    let mut paths: Map<String, Json> = Map::new();
    for first in &described {
        let path = first.endpoint.path;
        if !paths.contains_key(path) {
            let here: Vec<&Described<'_>> = described.iter().filter(|d| d.endpoint.path == path).collect();
            paths.insert(path.to_owned(), json!({ "post": operation(&here) }));
        }
    }
    for proving in described.iter().filter(|d| d.endpoint.contract.takes_proofs()) {
        // A contract may answer to POST there.
        let here = paths.entry(challenge_path(proving.endpoint.path)).or_insert_with(|| json!({}));
        if here["get"].is_null() {
            here["get"] = challenge::operation(proving);
        }
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Sign-up",
            "description": "The sign-up endpoints of this server, as their contracts describe them.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": base_url }],
        "paths": paths,
    })
}

fn operation(here: &[&Described<'_>]) -> Json {
    let names: Vec<&str> = here.iter().map(|d| d.endpoint.name).collect();
    let titles: Vec<&str> = here.iter().map(|d| title(d)).collect();
    let id = id("register", &names.join("_"));
    let mut out = Map::new();
    out.insert("operationId".to_owned(), id.into());
    out.insert("summary".to_owned(), titles.join("; ").into());
    out.insert("tags".to_owned(), names.into());
    out.insert("parameters".to_owned(), request::parameters(here).into());
    out.insert("requestBody".to_owned(), request::body(here));
    out.insert("responses".to_owned(), responses::responses(here));
    // An extension that most viewers show.
    let sample = |d: &&Described<'_>| json!({ "lang": "Shell", "label": d.endpoint.name, "source": d.curl });
    out.insert("x-codeSamples".to_owned(), here.iter().map(sample).collect());
    out.into()
}

fn title<'d>(described: &Described<'d>) -> &'d str {
    let title = described.endpoint.contract.title.as_str();
    if title.is_empty() { described.endpoint.name } else { title }
}
