//! From a request to [`Fields`]: what was written, cleaned and checked in the contract's order.

use super::body::{self, Malformed, Media};
use super::circumstances::Circumstances;
use super::clean::cleaned;
use super::field::Field;
use super::fields::Fields;
use super::json_type::JsonType;
use super::operation::{Contract, Operation};
use super::outcome::Outcome;
use super::place::{Place, dig};
use super::refusal::Refusal;
use super::request::{Request, header};
use super::rules;
use http::HeaderMap;
use serde_json::Value as Json;

impl Contract {
    /// Whether this contract listens at `path?query` (the path without its mount prefix).
    pub fn matches_query(&self, query: Option<&str>) -> bool {
        let given = |name: &str, value: &str| {
            form_urlencoded::parse(query.unwrap_or_default().as_bytes()).any(|(n, v)| n == name && v == value)
        };
        self.register.query.iter().all(|(name, value)| given(name, value))
    }

    /// The media type as which a body is read: named, once, or the first of `accepts` when none is named.
    pub fn media(&self, headers: &HeaderMap) -> Option<Media> {
        let accepts = &self.register.accepts;
        let mut named = headers.get_all(http::header::CONTENT_TYPE).iter();
        match (named.next(), named.next()) {
            (None, _) => accepts.first().copied(),
            (Some(value), None) => Media::of(value.to_str().ok()?).filter(|media| accepts.contains(media)),
            (Some(_), Some(_)) => None,
        }
    }

    /// Reads a request and runs every rule that needs no store.
    pub async fn decode(&self, request: Request<'_>, now: &Circumstances) -> Result<Fields, Refusal> {
        let (media, body) = self.body(request).await?;
        let fields = cleaned(&self.register, read(&self.register, request, body, media), now);
        let errors = rules::check(&self.register, &fields, now, None);
        match errors.first() {
            None => Ok(fields),
            Some(first) => Err(rules::refuse(first.outcome.clone(), errors, fields)),
        }
    }

    /// What stands in each field, in the contract's order, uncleaned and unjudged; `None` when the body cannot be read.
    pub(crate) async fn values(&self, request: Request<'_>) -> Option<Vec<Option<Json>>> {
        let (media, body) = self.body(request).await.ok()?;
        Some(read(&self.register, request, body, media).inputs)
    }

    /// The first step of [`Contract::decode`]: the body as a tree. What stands twice beside it is refused, too.
    pub(super) async fn body(&self, request: Request<'_>) -> Result<(Media, Json), Refusal> {
        let media = match self.media(request.headers) {
            Some(media) => media,
            None if request.body.is_empty() => Media::Json,
            None => return Err(Refusal::plain(Outcome::UnsupportedMediaType)),
        };
        let content_type = header(request.headers, &http::header::CONTENT_TYPE).unwrap_or_default();
        let malformed = |reason| Refusal { reason, ..Refusal::plain(Outcome::Malformed) };
        let body = body::read(media, &content_type, request.body).await;
        let body = body.map_err(|Malformed(reason)| malformed(reason))?;
        match self.register.fields.iter().find(|field| request.is_twofold(&field.from)) {
            Some(Field { from, .. }) => Err(malformed(format!("{from} stands twice"))),
            None => Ok((media, body)),
        }
    }
}

/// What the client wrote, field by field, before `clean`.
pub(super) fn read(operation: &Operation, request: Request<'_>, body: Json, media: Media) -> Fields {
    let inputs = operation
        .fields
        .iter()
        .map(|field| {
            let (value, textual) = match &field.from {
                Place::Body(steps) => (dig(&body, steps).cloned(), media != Media::Json),
                place => (request.beside_body(place), true),
            };
            if textual { value.map(|v| typed(v, field.json_type())) } else { value }
        })
        .collect();
    Fields { inputs, body }
}

/// Forms, queries and headers may write booleans and integers as text.
fn typed(value: Json, json_type: JsonType) -> Json {
    let Json::String(text) = &value else { return value };
    match json_type {
        JsonType::Boolean => match text.as_str() {
            "true" | "1" | "on" => Json::Bool(true),
            "false" | "0" | "off" | "" => Json::Bool(false),
            _ => value,
        },
        JsonType::Integer => text.parse::<i64>().map_or(value, Json::from),
        JsonType::Number => {
            text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or(value, Json::Number)
        }
        _ => value,
    }
}
