//! A contract file started from examples: a request, and the replies to it.
//!
//! Reading order: `pasted` (what somebody pastes), `fields` (the request), `guess` (what a value probably is), `created`
//! and `errors` (the replies), `lessons` and `sentence` (what their messages say about the rules), `tree` (a body with
//! holes in it), `file` and `toml` (everything as a file). [`draft`] loads what it wrote before it hands it out, and proposes less where the proof or
//! the dry run objects.

mod created;
mod errors;
mod fields;
mod file;
mod guess;
mod lessons;
mod pasted;
mod sentence;
mod toml;
mod tree;

pub use pasted::{Content, Exchange, PasteError, Pasted, everything, exchange, request};

use super::{Circumstances, Complaint, Contract, Level, Media, Mint, Registered, Request, load};
use crate::user::{IdKind, Meaning};
use bytes::Bytes;
use file::{File, Part};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// What a contract is started from. Everything may be missing.
#[derive(Debug, Clone, Default)]
pub struct Examples {
    /// The contract's title.
    pub title: Option<String>,
    /// Where it listens; else the request line says so, else it is `/users`.
    pub path: Option<String>,
    /// A request that is answered with `created`.
    pub request: Option<Pasted>,
    /// The reply to it.
    pub created: Option<Exchange>,
    /// A reply to a request that breaks rules.
    pub invalid: Option<Exchange>,
    /// The reply to the same request, sent again.
    pub taken: Option<Exchange>,
    /// Statuses by outcome, where the examples do not tell them.
    pub statuses: Vec<(String, u16)>,
}

/// A contract file that loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The file.
    pub text: String,
    /// What it answers to the example request.
    pub tried: Tried,
}

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

/// No proposal loads: a mistake in this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no proposal for these examples loads")]
pub struct DraftError {
    /// The plainest proposal.
    pub text: String,
    /// What is wrong with it.
    pub complaints: Vec<Complaint>,
}

/// How boldly a part of the file is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Caution {
    /// Everything that looks likely.
    #[default]
    None,
    /// Whole values only.
    Careful,
    /// As pasted, but for secrets.
    Literal,
}

/// The caution of each part.
#[derive(Debug, Clone, Copy, Default)]
struct Cautions {
    head: Caution,
    created: Caution,
    invalid: Caution,
    taken: Caution,
    default: Caution,
}

impl Cautions {
    fn of(&mut self, part: Part) -> &mut Caution {
        match part {
            Part::Head => &mut self.head,
            Part::Created => &mut self.created,
            Part::Invalid => &mut self.invalid,
            Part::Taken => &mut self.taken,
            Part::Default => &mut self.default,
        }
    }

    /// More caution for the parts that complaints point at; false when there is no more.
    fn raise(&mut self, parts: &[Part]) -> bool {
        let mut raised = false;
        for part in parts {
            let caution = self.of(*part);
            let more = match caution {
                Caution::None => Caution::Careful,
                Caution::Careful => Caution::Literal,
                Caution::Literal => continue,
            };
            *caution = more;
            raised = true;
        }
        raised
    }
}

/// Starts a contract file.
///
/// # Errors
/// [`DraftError`], never for examples that the tests have seen.
pub async fn draft(examples: &Examples) -> Result<Draft, DraftError> {
    let scrubbed = examples.scrubbed();
    let mut cautions = Cautions::default();
    loop {
        let (text, parts) = File::propose(&scrubbed, &cautions).write();
        let loaded = load(&text);
        if let Some(contract) = &loaded.contract {
            let tried = tried(contract, examples).await;
            return Ok(Draft { text, tried });
        }
        let wrong = loaded.complaints.iter().filter(|c| c.level == Level::Error);
        let at =
            |c: &Complaint| parts.iter().rev().find(|(start, _)| *start <= c.span.start).map(|(_, p)| *p);
        let mut wrong: Vec<Part> = wrong.filter_map(at).collect();
        wrong.sort_unstable();
        wrong.dedup();
        // What a token is made of stands at the top, but comes from the created reply.
        if !cautions.raise(&wrong) && !cautions.raise(&[Part::Created, Part::Invalid, Part::Taken]) {
            return Err(DraftError { text, complaints: loaded.complaints });
        }
    }
}

/// Sends the example request to the draft.
async fn tried(contract: &Contract, examples: &Examples) -> Tried {
    let Some(request) = examples.asked() else { return Tried::Not };
    let Some((media, body)) = bytes(request) else { return Tried::Not };
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    let now = circumstances(contract);
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
    let registered =
        Registered { id: sample_id(&contract.id), at: now.now, password_sha256: Some("0".repeat(64)) };
    let mint = Mint {
        sign: Arc::new(|_| "header.claims.signature".to_owned()),
        fill: Arc::new(|bytes| bytes.fill(7)),
    };
    let body = match contract.created(&fields, &registered, &mint, &now) {
        Ok((reply, _)) => serde_json::from_str(&reply.body).unwrap_or_default(),
        Err(error) => return Tried::Created(vec![error.to_string()]),
    };
    let mut out = Vec::new();
    differences("", expected, &body, &mut out);
    Tried::Created(out)
}

impl Examples {
    /// The example request: given as such, or pasted in front of the created reply.
    fn asked(&self) -> Option<&Pasted> {
        self.request.as_ref().or_else(|| self.created.as_ref()?.request.as_ref())
    }
}

/// A request body as it goes over the wire; multipart is not rebuilt.
fn bytes(request: &Pasted) -> Option<(Media, Bytes)> {
    match &request.content {
        Content::Json(json) => Some((Media::Json, Bytes::from(json.to_string()))),
        Content::Form(Media::Form, tree) => {
            let mut out = form_urlencoded::Serializer::new(String::new());
            pairs("", tree, &mut out);
            Some((Media::Form, Bytes::from(out.finish())))
        }
        _ => None,
    }
}

fn pairs(key: &str, json: &Json, out: &mut form_urlencoded::Serializer<'_, String>) {
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                let key = if key.is_empty() { name.clone() } else { format!("{key}[{name}]") };
                pairs(&key, value, out);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| pairs(&format!("{key}[]"), item, out)),
        value => drop(out.append_pair(key, value.as_str().unwrap_or_default())),
    }
}

fn circumstances(contract: &Contract) -> Circumstances {
    Circumstances {
        breached: None,
        proof: None,
        now: jiff::Timestamp::from_millisecond(1_718_022_896_789).unwrap_or_default(),
        random: uuid::Uuid::nil(),
        request_id: "01900224-fc95-76c6-ae66-8eff0a257fc5".into(),
        path: contract.register.path.as_str().into(),
        base_url: "https://example.com".into(),
        secrets: Arc::default(),
    }
}

fn sample_id(kind: &IdKind) -> Json {
    match kind {
        IdKind::Integer => json!(1),
        _ => json!("1"),
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

impl Examples {
    /// The same without the password: whatever a proposal comes to, that is not in it.
    fn scrubbed(&self) -> Examples {
        let mut out = self.clone();
        let password = |request: Option<&Pasted>| {
            let (fields, _) = fields::fields(request?.tree()?);
            let password = fields.iter().find(|f| f.means(&Meaning::Password))?.sample.as_str()?.to_owned();
            // Shorter ones stand inside of other words.
            Some(password).filter(|p| p.chars().count() >= LEAST_SCRUBBED)
        };
        let first = password(self.asked());
        for (reply, keep) in [(&mut out.created, true), (&mut out.invalid, false), (&mut out.taken, false)] {
            let Some(exchange) = reply else { continue };
            let own = password(exchange.request.as_ref());
            for password in first.iter().chain(&own) {
                exchange.reply.scrub(password, keep);
            }
        }
        out
    }
}

/// A password of fewer characters is not looked for inside of other texts.
const LEAST_SCRUBBED: usize = 6;

impl Pasted {
    fn scrub(&mut self, password: &str, keep: bool) {
        match &mut self.content {
            Content::Json(json) | Content::Form(_, json) => *json = scrubbed("", json, password, keep),
            Content::Text(text) => *text = text.replace(password, ""),
            Content::Empty => {}
        }
        for (_, value) in &mut self.headers {
            *value = value.replace(password, "");
        }
    }
}

/// With `keep`, the password stays under a key that is about passwords, to be recognised there.
fn scrubbed(key: &str, json: &Json, password: &str, keep: bool) -> Json {
    match json {
        Json::String(text) if keep && text == password && guess::folded(key).contains("pass") => json.clone(),
        Json::String(text) => text.replace(password, "").into(),
        Json::Array(items) => items.iter().map(|item| scrubbed(key, item, password, keep)).collect(),
        Json::Object(members) => {
            let clean = |(key, value): (&String, &Json)| {
                (key.replace(password, ""), scrubbed(key, value, password, keep))
            };
            members.iter().map(clean).collect()
        }
        other => other.clone(),
    }
}

/// A value in a remark: shortened, on one line.
fn short(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(48) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
