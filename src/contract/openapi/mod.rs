//! The mounted contracts as an OpenAPI 3.1 document.
//!
//! `request` writes what is read, from the fields and their rules; `responses` writes what is answered, from samples
//! of every outcome. OpenAPI knows one POST per path: contracts that share one (their media types or queries differ)
//! become one operation.

mod challenge;
mod request;
mod responses;

use super::describe::curl;
use super::samples::{Answer, Example, answers, example_request};
use super::{Contract, challenge_path};
use serde_json::{Map, Value as Json, json};

/// A contract and where it is mounted.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'e> {
    /// The name under which it is listed; the operation's id is made of it.
    pub name: &'e str,
    /// The whole path, prefix included, without a query string.
    pub path: &'e str,
    /// The contract.
    pub contract: &'e Contract,
}

/// An endpoint with what it takes and answers.
struct Described<'e> {
    endpoint: Endpoint<'e>,
    example: Example,
    answers: Vec<Answer>,
    curl: String,
}

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

fn id(verb: &str, names: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("{verb}_{names}").chars().map(word).collect()
}

fn title<'d>(described: &Described<'d>) -> &'d str {
    let title = described.endpoint.contract.title.as_str();
    if title.is_empty() { described.endpoint.name } else { title }
}
