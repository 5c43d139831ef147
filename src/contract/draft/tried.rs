//! A draft, asked its own example.

use super::examples::Examples;
use super::pasted::{Content, Pasted};
use crate::contract::{Circumstances, Contract, Media, Request, samples, wire};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::Value as Json;

/// What a draft answers to its own example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// There is no example to try.
    Not,
    /// `created`, and where that differs from the example in its keys or its types.
    Created(Vec<String>),
    /// Another outcome, and the messages.
    Refused(String, Vec<String>),
}

/// Sends the example request to the draft.
pub(super) async fn tried(contract: &Contract, examples: &Examples) -> Tried {
    let Some(request) = examples.asked() else { return Tried::Not };
    let Some((media, body)) = bytes(request) else { return Tried::Not };
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    let now = Circumstances { path: contract.register.path.as_str().into(), ..samples::circumstances() };
    let query = contract.register.path_and_query();
    let query = query.split_once('?').map(|(_, query)| query);
    let fields = match contract.decode(Request { query, headers: &headers, body: &body }, &now).await {
        Ok(fields) => fields,
        Err(refusal) => {
            let messages = refusal.errors.into_iter().map(|e| e.message).collect();
            return Tried::Refused(refusal.outcome.to_string(), messages);
        }
    };
    let Some(expected) = examples.created.as_ref().and_then(|e| e.reply.tree()) else {
        return Tried::Created(Vec::new());
    };
    let (registered, mint) = (samples::registered(contract), samples::mint());
    let body = match contract.created(&fields, &registered, &mint, &now) {
        Ok((reply, _)) => serde_json::from_str(&reply.body).unwrap_or_default(),
        Err(error) => return Tried::Created(vec![error.to_string()]),
    };
    let mut out = Vec::new();
    differences("", expected, &body, &mut out);
    Tried::Created(out)
}

/// A request body as it goes over the wire; multipart is not rebuilt.
fn bytes(request: &Pasted) -> Option<(Media, Bytes)> {
    match &request.content {
        Content::Json(json) => Some((Media::Json, Bytes::from(json.to_string()))),
        Content::Form(Media::Form, tree) => {
            Some((Media::Form, Bytes::from(wire::write(Media::Form, tree, "").1)))
        }
        _ => None,
    }
}

/// Where two answers differ in their keys or in the types of their values.
fn differences(path: &str, expected: &Json, answer: &Json, out: &mut Vec<String>) {
    match (expected, answer) {
        (Json::Object(expected), Json::Object(answer)) => {
            for (key, value) in expected {
                let path = format!("{path}/{key}");
                match answer.get(key) {
                    Some(other) => differences(&path, value, other, out),
                    None => out.push(format!("{path} is missing")),
                }
            }
            let more = answer.keys().filter(|key| !expected.contains_key(*key));
            out.extend(more.map(|key| format!("{path}/{key} is not in the example")));
        }
        (Json::Array(expected), Json::Array(answer)) if expected.len() == answer.len() => {
            for (i, (expected, answer)) in expected.iter().zip(answer).enumerate() {
                differences(&format!("{path}/{i}"), expected, answer, out);
            }
        }
        _ if std::mem::discriminant(expected) == std::mem::discriminant(answer) && !expected.is_array() => {}
        _ => out.push(format!("{path} is of another type")),
    }
}
