//! From a request to [`Fields`]: what was written, cleaned and checked in the contract's order.

use super::body::{self, Malformed, Media};
use super::encode::{Circumstances, FieldError};
use super::place::{Place, Step, dig};
use super::template::{Room, Time, seen};
use super::{Contract, Field, JsonType, Operation, Outcome, Unknown, guard, rules};
use crate::proof::Refused;
use crate::user::{Meaning, Submitted};
use bytes::Bytes;
use http::HeaderMap;
use minijinja::Value;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::{Zeroize as _, Zeroizing};

/// A request as the contract reads it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// The query string, without the question mark.
    pub query: Option<&'r str>,
    /// All headers.
    pub headers: &'r HeaderMap,
    /// The whole body.
    pub body: &'r Bytes,
}

/// The deployment's named secrets, with which a contract's `secret` rules compare.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// The secret of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Secrets(pairs.into_iter().collect())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a client wrote, after `clean`: one value per field of the contract, in the contract's order.
#[derive(Clone)]
pub struct Fields {
    pub(crate) inputs: Vec<Option<Json>>,
    pub(crate) body: Json,
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields(..)") // It holds the password.
    }
}

/// A request that ends before anything is stored.
#[derive(Debug)]
pub struct Refusal {
    /// How it ended.
    pub outcome: Outcome,
    /// The complaints, in the contract's order.
    pub errors: Vec<FieldError>,
    /// Why the body could not be read; empty otherwise.
    pub reason: String,
    /// What could be read.
    pub fields: Option<Fields>,
}

impl Refusal {
    /// Whether nothing is wrong but a proof of work that may have passed, or not have been asked for, once.
    pub fn may_have_passed(&self) -> bool {
        let once = |error: &FieldError| error.proof.is_some_and(Refused::may_have_passed);
        !self.errors.is_empty() && self.errors.iter().all(once)
    }

    /// An ending without complaints about fields.
    pub fn plain(outcome: Outcome) -> Refusal {
        Refusal { outcome, errors: Vec::new(), reason: String::new(), fields: None }
    }
}

impl Contract {
    /// Whether this contract listens at `path?query` (the path without its mount prefix).
    pub fn matches_query(&self, query: Option<&str>) -> bool {
        let given = |name: &str, value: &str| {
            form_urlencoded::parse(query.unwrap_or_default().as_bytes()).any(|(n, v)| n == name && v == value)
        };
        self.register.query.iter().all(|(name, value)| given(name, value))
    }

    /// The media type as which a body is read: named, or the first of `accepts` when none is named.
    pub fn media(&self, headers: &HeaderMap) -> Option<Media> {
        let accepts = &self.register.accepts;
        match headers.get(http::header::CONTENT_TYPE) {
            None => accepts.first().copied(),
            Some(value) => Media::of(value.to_str().ok()?).filter(|media| accepts.contains(media)),
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

    /// The first step of [`Contract::decode`]: the body as a tree.
    pub(super) async fn body(&self, request: Request<'_>) -> Result<(Media, Json), Refusal> {
        let media = match self.media(request.headers) {
            Some(media) => media,
            None if request.body.is_empty() => Media::Json,
            None => return Err(Refusal::plain(Outcome::UnsupportedMediaType)),
        };
        let content_type = header(request.headers, &http::header::CONTENT_TYPE).unwrap_or_default();
        let body = body::read(media, &content_type, request.body)
            .await
            .map_err(|Malformed(reason)| Refusal { reason, ..Refusal::plain(Outcome::Malformed) })?;
        Ok((media, body))
    }

    /// What a client wrote as one text, the same whenever the same is written again: the whole body, and the fields
    /// that come from elsewhere. The spacing of JSON and the boundary of a multipart body make no difference. The
    /// password is in it.
    pub fn written(&self, request: Request<'_>, fields: &Fields) -> Zeroizing<String> {
        let elsewhere = self.register.fields.iter().map(|field| match &field.from {
            Place::Body(_) => Json::Null,
            Place::Query(name) => query(request.query, name).unwrap_or_default(),
            Place::Header(name) => header(request.headers, name).into(),
            Place::Cookie(name) => cookie(request.headers, name).into(),
        });
        let elsewhere: Json = elsewhere.collect();
        Zeroizing::new(format!("{}{elsewhere}", fields.body))
    }

    /// What is still needed once everything was understood: the fields, and of the body only what replies show. A request
    /// waits for its hash together with this, and a tree of small values takes far more memory than the text it was. The
    /// password and what only rules see go before that wait; their memory is wiped, and that of the body.
    pub fn kept(&self, mut fields: Fields) -> Fields {
        let empty = || Json::Object(Map::new());
        let body = if self.register.echoes_body { echo(&self.register, &fields.body) } else { empty() };
        wipe(&mut fields.body);
        for (field, input) in self.register.fields.iter().zip(&mut fields.inputs) {
            let is_stored = field.into.is_some() && !field.is_password();
            if field.secret && !is_stored && !field.proves() {
                input.iter_mut().for_each(wipe);
                *input = None;
            }
        }
        Fields { body, ..fields }
    }

    /// The refusal for values that are in use.
    pub fn taken(&self, fields: Fields, kinds: &[String], now: &Circumstances) -> Refusal {
        rules::taken(&self.register, fields, kinds, now)
    }

    /// The refusal for a proof of work that was used before.
    pub fn spent(&self, fields: Fields, now: &Circumstances) -> Refusal {
        rules::spent(&self.register, fields, now)
    }

    /// What was sent as a proof of work.
    pub fn proof<'f>(&self, fields: &'f Fields) -> Option<&'f str> {
        let mut pairs = self.register.fields.iter().zip(&fields.inputs);
        pairs.find(|(field, _)| field.proves()).and_then(|(_, input)| input.as_ref()?.as_str())
    }

    /// The refusal for values whose meaning could not be understood.
    pub fn misunderstood(
        &self,
        fields: Fields,
        problems: &[crate::user::Problem],
        now: &Circumstances,
    ) -> Refusal {
        rules::misunderstood(&self.register, fields, problems, now)
    }

    /// What the fields mean; the rest of the body too, when the contract keeps it.
    pub fn submitted(&self, fields: &Fields) -> Submitted {
        let mut out = Submitted::default();
        for (field, input) in self.register.fields.iter().zip(&fields.inputs) {
            let Some(meaning) = &field.into else { continue };
            let Some(value) = input.as_ref().filter(|v| !v.is_null()) else { continue };
            let text = || value.as_str().map(str::to_owned);
            match meaning {
                Meaning::Email => out.email = text(),
                Meaning::Username => out.username = text(),
                Meaning::Password => out.password = text(),
                Meaning::Name => out.name = text(),
                Meaning::FirstName => out.first_name = text(),
                Meaning::LastName => out.last_name = text(),
                Meaning::Id => out.id = text().filter(|id| !id.is_empty()),
                Meaning::Extra(name) => drop(out.extra.insert(name.clone(), value.clone())),
            }
        }
        if self.register.unknown == Unknown::Keep {
            let kept = unknown_members(&self.register, &fields.body)
                .filter(|(key, value)| self.may_keep(key, value, out.password.as_deref()));
            for (key, value) in kept {
                out.extra.entry(key).or_insert_with(|| value.clone());
            }
        }
        out
    }

    /// Neither a privilege nor a password is kept under a name that the contract does not know.
    fn may_keep(&self, key: &str, value: &Json, password: Option<&str>) -> bool {
        let copy = value.is_string() && value.as_str() == password;
        !copy && !guard::is_privilege(key) && !guard::is_password(key)
    }

    /// The names of the deployment's secrets that this contract compares with.
    pub fn secrets(&self) -> Vec<&str> {
        self.register.fields.iter().flat_map(|f| &f.rules).filter_map(|r| r.secret.as_deref()).collect()
    }

    /// The unique claims that these fields will make: kinds and values, for an early look-up. Only values whose
    /// normalised form is the value itself are listed here; addresses and names are claimed by their own types.
    pub fn unique_extras(&self, fields: &Fields) -> Vec<(String, String)> {
        let unique = self.register.fields.iter().zip(&fields.inputs);
        unique
            .filter(|(field, _)| {
                matches!(field.into, Some(Meaning::Extra(_))) && field.rules.iter().any(|r| r.unique)
            })
            .filter_map(|(field, input)| {
                let value = match input.as_ref()? {
                    Json::Null => return None,
                    Json::String(text) => text.clone(),
                    other => other.to_string(),
                };
                Some((field.into.as_ref()?.to_string(), value))
            })
            .collect()
    }
}

/// Overwrites every text in it.
fn wipe(tree: &mut Json) {
    match tree {
        Json::String(text) => text.zeroize(),
        Json::Array(items) => items.iter_mut().for_each(wipe),
        Json::Object(members) => members.values_mut().for_each(wipe),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// The members of the body that no field names.
pub(super) fn unknown_members<'b>(
    operation: &'b Operation,
    body: &'b Json,
) -> impl Iterator<Item = (&'b String, &'b Json)> {
    let named = |key: &str| operation.fields.iter().any(|f| f.from.first_key() == Some(key));
    body.as_object().into_iter().flatten().filter(move |(key, _)| !named(key))
}

/// What the client wrote, field by field, before `clean`.
pub(super) fn read(operation: &Operation, request: Request<'_>, body: Json, media: Media) -> Fields {
    let inputs = operation
        .fields
        .iter()
        .map(|field| {
            let (value, textual) = match &field.from {
                Place::Body(steps) => (dig(&body, steps).cloned(), media != Media::Json),
                Place::Query(name) => (query(request.query, name), true),
                Place::Header(name) => (header(request.headers, name).map(Json::String), true),
                Place::Cookie(name) => (cookie(request.headers, name).map(Json::String), true),
            };
            if textual { value.map(|v| typed(v, field.json_type())) } else { value }
        })
        .collect();
    Fields { inputs, body }
}

/// The same after `clean`.
pub(super) fn cleaned(operation: &Operation, mut fields: Fields, now: &Circumstances) -> Fields {
    for (field, input) in operation.fields.iter().zip(&mut fields.inputs) {
        clean(field, input, now);
    }
    fields
}

/// `clean` sees the value alone. When it cannot be applied (a number is not trimmed), the value stays as it is and
/// the rules say what is wrong with it.
pub(super) fn clean(field: &Field, input: &mut Option<Json>, now: &Circumstances) {
    let Some(clean) = &field.clean else { return };
    let Ok(value) = clean.eval(&clean_scene(input.as_ref(), now), &[]) else { return };
    if let Some(json) = to_json(&value) {
        *input = Some(json);
    }
}

/// Whether `clean` makes a value where none was sent, as a default does.
pub(super) fn has_default(field: &Field, now: &Circumstances) -> bool {
    let mut input = None;
    clean(field, &mut input, now);
    input.is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
}

/// What `clean` sees.
pub(super) fn clean_scene(input: Option<&Json>, now: &Circumstances) -> Value {
    Room::value(
        "clean",
        vec![
            ("value".into(), seen(input)),
            ("now".into(), Time::value(now.now)),
            ("random".into(), now.random()),
        ],
    )
}

/// A template value as JSON; what was not sent has none.
pub(super) fn to_json(value: &Value) -> Option<Json> {
    let mut text = String::new();
    super::template::write_json(&mut text, value).ok()?;
    let absent = value.is_undefined() || value.downcast_object_ref::<super::template::Absent>().is_some();
    if absent { None } else { serde_json::from_str(&text).ok() }
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

fn query(query: Option<&str>, name: &str) -> Option<Json> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| Json::String(value.into_owned()))
}

/// A header as text; one that is not UTF-8 counts as absent.
pub(super) fn header(headers: &HeaderMap, name: &http::HeaderName) -> Option<String> {
    headers.get(name).and_then(|v| std::str::from_utf8(v.as_bytes()).ok()).map(str::to_owned)
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = headers.get_all(http::header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    let mut pairs = pairs.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| {
        let value = value.trim_matches('"');
        percent_encoding::percent_decode_str(value)
            .decode_utf8()
            .map_or_else(|_| value.to_owned(), Into::into)
    })
}

/// The body cut down to what is stored, without the password: what `request.body` shows.
pub(super) fn echo(operation: &Operation, body: &Json) -> Json {
    let stored = operation.fields.iter().filter(|f| f.into.is_some() && !f.secret);
    let paths: Vec<&[Step]> = stored
        .filter_map(|f| if let Place::Body(steps) = &f.from { Some(steps.as_slice()) } else { None })
        .collect();
    prune(body, &paths).unwrap_or_else(|| Json::Object(Map::new()))
}

fn prune(json: &Json, paths: &[&[Step]]) -> Option<Json> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(json.clone());
    }
    let mut out = Map::new();
    for (key, value) in json.as_object()? {
        let inner: Vec<&[Step]> = paths
            .iter()
            .filter(|path| matches!(path.first(), Some(Step::Key(k)) if k == key))
            .map(|path| &path[1..])
            .collect();
        if inner.is_empty() {
            continue;
        }
        if let Some(value) = prune(value, &inner) {
            out.insert(key.clone(), value);
        }
    }
    Some(Json::Object(out))
}
