//! What an operation answers: one response per status, with an example of every outcome that answers with it, and a
//! schema that is read off all samples.

use super::described::Described;
use crate::contract::{Outcome, Reply};
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// One outcome of one contract.
struct Ending<'e> {
    /// As examples name it.
    name: String,
    outcome: &'e Outcome,
    replies: &'e [Reply],
}

/// All responses, by status.
pub(super) fn responses(here: &[&Described<'_>]) -> Json {
    let mut by_status: BTreeMap<u16, Vec<Ending<'_>>> = BTreeMap::new();
    for described in here {
        for answer in &described.answers {
            let name = match here.len() {
                1 => answer.outcome.name().to_owned(),
                _ => format!("{}.{}", described.endpoint.name, answer.outcome),
            };
            let Some(first) = answer.replies.first() else { continue };
            let ending = Ending { name, outcome: &answer.outcome, replies: &answer.replies };
            by_status.entry(first.status).or_default().push(ending);
        }
    }
    let mut out: BTreeMap<u16, Json> =
        by_status.iter().map(|(status, endings)| (*status, response(endings))).collect();
    for (status, about) in PROBLEMS {
        problem(out.entry(status).or_insert_with(|| json!({ "description": "" })), about);
    }
    out.into_iter().map(|(status, response)| (status.to_string(), response)).collect()
}

/// The answers that are no contract's: problem documents (RFC 9457).
const PROBLEMS: [(u16, &str); 6] = [
    (400, "it named no host, or several."),
    (403, "a browser sent it for a page of another site."),
    (408, "the body was not received in time."),
    (422, "the Idempotency-Key was used for another request."),
    (431, "the head of the request is too large."),
    (503, "too many requests of one HTTP/2 connection are under way."),
];

/// What any request may be answered with.
pub(super) fn head_too_large() -> Json {
    let mut response = json!({ "description": "" });
    PROBLEMS.iter().filter(|(status, _)| *status == 431).for_each(|(_, about)| problem(&mut response, about));
    response
}

fn problem(response: &mut Json, about: &str) {
    let before = response["description"].as_str().filter(|text| !text.is_empty());
    response["description"] = before.map_or(about.to_owned(), |text| format!("{text}\n{about}")).into();
    let text = json!({ "type": "string" });
    let plain = json!({
        "type": "object",
        "properties": { "type": text, "title": text, "status": { "type": "integer" }, "detail": text },
        "required": ["type", "title", "status", "detail"],
    });
    if response["content"].is_null() {
        response["content"] = json!({});
    }
    let entry = &mut response["content"]["application/problem+json"];
    match entry["schema"].take() {
        Json::Null => *entry = json!({ "schema": plain }),
        own if own == plain => entry["schema"] = plain,
        // The contract's own answer is a problem document, too, of another shape.
        own => entry["schema"] = json!({ "anyOf": [own, plain] }),
    }
}

fn response(endings: &[Ending<'_>]) -> Json {
    let about = endings.iter().map(|e| format!("`{}`: {}", e.name, about(e.outcome)));
    let mut out = json!({ "description": about.collect::<Vec<_>>().join("\n") });
    let headers = headers(endings);
    if !headers.is_empty() {
        out["headers"] = headers.into();
    }
    let mut content: Map<String, Json> = Map::new();
    for ending in endings {
        for (i, reply) in ending.replies.iter().enumerate() {
            let Some(media) = media(reply) else { continue };
            // Samples are gathered under `schema` and become one when all are there.
            let entry = content.entry(media).or_insert_with(|| json!({ "schema": [], "examples": {} }));
            let value = serde_json::from_str(&reply.body).unwrap_or_else(|_| Json::from(reply.body.as_str()));
            if i == 0 {
                entry["examples"][&ending.name] = json!({ "value": value });
            }
            if let Some(samples) = entry["schema"].as_array_mut() {
                samples.push(value);
            }
        }
    }
    for (_, entry) in &mut content {
        let samples = entry["schema"].take();
        entry["schema"] = infer(&samples.as_array().into_iter().flatten().collect::<Vec<_>>());
    }
    if !content.is_empty() {
        out["content"] = content.into();
    }
    out
}

/// What an outcome means, whoever tells about it.
fn about(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "the account exists now.",
        Outcome::Invalid => "a rule was broken.",
        Outcome::Taken => "a value that only one account may have is in use.",
        Outcome::Malformed => "the body could not be read.",
        Outcome::MethodNotAllowed => "the method is not POST.",
        Outcome::UnsupportedMediaType => "the content type is not one that is read.",
        Outcome::TooLarge => "the body is too large.",
        Outcome::Throttled => "too many requests.",
        Outcome::Busy => "the server has more to do than it can do in time.",
        Outcome::Failed => "something unexpected happened.",
        Outcome::Closed => "sign-up is closed.",
        Outcome::Named(_) => "the request was refused.",
    }
}

/// The headers beside `Content-Type`, which OpenAPI tells as the media type.
fn headers(endings: &[Ending<'_>]) -> Map<String, Json> {
    let mut out: Map<String, Json> = Map::new();
    for reply in endings.iter().filter_map(|e| e.replies.first()) {
        for (name, value) in reply.headers.iter().filter(|(name, _)| *name != CONTENT_TYPE) {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            out.entry(name.as_str())
                .or_insert_with(|| json!({ "schema": { "type": "string" }, "example": value }));
        }
    }
    out
}

/// The media type of a reply with a body.
fn media(reply: &Reply) -> Option<String> {
    let content_type = reply.headers.iter().find(|(name, _)| *name == CONTENT_TYPE);
    let essence = content_type.and_then(|(_, value)| value.to_str().ok()).unwrap_or("text/plain");
    (!reply.body.is_empty()).then(|| essence.split(';').next().unwrap_or(essence).trim().to_owned())
}

/// A schema that every sample meets, and that says no more than all samples show.
fn infer(samples: &[&Json]) -> Json {
    let mut types: Vec<&str> = Vec::new();
    for name in samples.iter().map(|sample| type_of(sample)) {
        if !types.contains(&name) {
            types.push(name);
        }
    }
    if types.contains(&"number") {
        types.retain(|name| *name != "integer");
    }
    // A value that is text here and a list there is whatever the client sent.
    if types.iter().filter(|name| **name != "null").count() > 3 {
        return json!({});
    }
    let mut out = Map::new();
    out.insert("type".to_owned(), if let [one] = types.as_slice() { json!(one) } else { json!(types) });
    if types.contains(&"object") {
        out.extend(object(samples));
    }
    if types.contains(&"array") {
        let items: Vec<&Json> = samples.iter().filter_map(|s| s.as_array()).flatten().collect();
        if !items.is_empty() {
            out.insert("items".to_owned(), infer(&items));
        }
    }
    out.into()
}

fn object(samples: &[&Json]) -> Map<String, Json> {
    let objects: Vec<&Map<String, Json>> = samples.iter().filter_map(|s| s.as_object()).collect();
    let mut keys: Vec<&String> = Vec::new();
    for key in objects.iter().flat_map(|object| object.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let members = |key: &str| objects.iter().filter_map(|o| o.get(key)).collect::<Vec<_>>();
    let properties: Map<String, Json> =
        keys.iter().map(|key| ((*key).clone(), infer(&members(key)))).collect();
    let required: Vec<&String> =
        keys.into_iter().filter(|key| objects.iter().all(|o| o.contains_key(*key))).collect();
    let mut out = Map::new();
    out.insert("properties".to_owned(), properties.into());
    if !required.is_empty() {
        out.insert("required".to_owned(), json!(required));
    }
    out
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_read_off_samples() {
        let samples = [json!({ "id": 1, "tags": [] }), json!({ "id": "x", "tags": ["a"], "note": null })];
        assert_eq!(
            infer(&samples.iter().collect::<Vec<_>>()),
            json!({
                "type": "object",
                "properties": {
                    "id": { "type": ["integer", "string"] },
                    "tags": { "type": "array", "items": { "type": "string" } },
                    "note": { "type": "null" },
                },
                "required": ["id", "tags"],
            })
        );
    }
}
