//! The contract language: one TOML file says how one sign-up endpoint talks.
//!
//! A rule is a small JSON-Schema object with its own message. An outcome is a named reply. A body is your old
//! response, pasted, with its values replaced. [`load()`] reads and proves a file; [`Contract::decode`] turns a request
//! into [`Fields`] or a [`Refusal`]; [`Contract::created`] and
//! [`Contract::refusal`] turn a named outcome into a [`Reply`].
//!
//! Reading order: `language` (the words), `load` (file to contract), `template` (bodies and expressions), `rehearse`
//! (the dry run), `body` and `decode` (request to fields), `rules`, `encode`; then what is told about a contract:
//! `samples` (requests and replies to show), `describe` (in words), `openapi` (for programs), `schema` (for editors),
//! `explain` (a request, step by step); and `draft` (a file started from examples).

mod asked;
mod body;
mod complaint;
mod decode;
mod describe;
pub mod draft;
mod encode;
mod explain;
mod guard;
pub mod language;
mod load;
mod openapi;
mod outcome;
mod place;
mod rehearse;
mod rules;
mod samples;
mod schema;
mod shipped;
mod template;
#[cfg(test)]
mod tests;

pub use body::{Malformed, Media};
pub use complaint::{Complaint, Level, render};
pub use decode::{Fields, Refusal, Request, Secrets};
pub use describe::{curl, describe};
pub use encode::{Circumstances, EncodeError, FieldError, Mint, Minted, Registered, Reply, Scene};
pub use explain::{FieldTrace, RuleTrace, Shown, Trace};
pub use load::{Loaded, load};
pub use openapi::{Endpoint, openapi};
pub use outcome::Outcome;
pub(crate) use outcome::phrase;
pub use rules::Verdict;
pub use samples::{Example, example_request};
pub use schema::schema;
pub use shipped::{SHIPPED, Shipped, shipped};

use crate::user::{IdKind, Meaning, Recipe};
pub(crate) use place::{Place, Step, dig};
use regex::Regex;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use template::{Expr, Template};

/// One contract, read, proved and ready to answer.
#[derive(Debug)]
pub struct Contract {
    /// Its name in lists.
    pub title: String,
    /// What `user.id` is in this API.
    pub id: IdKind,
    /// The sign-up.
    pub register: Operation,
}

/// One operation of an API: where it listens, what it reads, how it complains, what it answers.
#[derive(Debug)]
pub struct Operation {
    /// The exact path, with a leading slash.
    pub path: String,
    /// Query pairs that must be present, from `path`.
    pub query: Vec<(String, String)>,
    /// The media types it reads; the first is assumed when a request names none.
    pub accepts: Vec<Media>,
    /// The exceptions to secrecy that the file asks for.
    pub reveal: Reveal,
    pub(crate) errors: Collect,
    pub(crate) unknown: Unknown,
    pub(crate) fields: Vec<Field>,
    pub(crate) says: BTreeMap<&'static str, Says>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) replies: Vec<ReplyTemplate>,
    /// Whether any template asks for `request.body`.
    pub(crate) echoes_body: bool,
}

/// The exceptions to secrecy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reveal {
    /// A refused password may stand in an error.
    pub rejected_password: bool,
    /// The SHA-256 of the submitted password may stand in the reply to its owner.
    pub password_sha256: bool,
}

/// How many complaints a request collects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collect {
    All,
    First,
    FirstPerField,
}

/// What happens to members that no field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Ignore,
    Refuse,
    Keep,
}

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Arc<str>,
    pub(crate) from: Place,
    pub(crate) into: Option<Meaning>,
    pub(crate) clean: Option<Expr>,
    pub(crate) rules: Vec<Rule>,
    /// Never written anywhere: the password, what is compared with it, credentials in headers and cookies.
    pub(crate) secret: bool,
}

impl Field {
    /// The JSON type that the field's rules ask for; text when none does.
    pub(crate) fn json_type(&self) -> JsonType {
        self.rules.iter().find_map(|r| r.json_type).unwrap_or(JsonType::String)
    }

    /// Whether its type is checked: what is neither stored nor ruled may be anything.
    pub(crate) fn is_typed(&self) -> bool {
        !self.rules.is_empty() || self.into.is_some()
    }

    /// Whether replies see this value of it.
    pub(crate) fn may_show(&self, value: &Json) -> bool {
        match self.is_typed() {
            true => value.is_null() || self.json_type().fits(value),
            false => !value.is_array() && !value.is_object(),
        }
    }

    /// Whether its value may stand in its own errors.
    pub(crate) fn is_shown(&self, operation: &Operation) -> bool {
        !self.secret || self.is_password() && operation.reveal.rejected_password
    }

    /// What is broken when the value passes every rule and yet means nothing. The catalogue's words for `format` are
    /// about addresses; they do not fit a name that is too long.
    pub(crate) fn understanding(&self) -> &'static str {
        if self.into == Some(Meaning::Email) { "format" } else { "meaning" }
    }

    pub(crate) fn is_password(&self) -> bool {
        self.into == Some(Meaning::Password)
    }

    /// Whether it takes a proof of work.
    pub(crate) fn proves(&self) -> bool {
        self.rules.iter().any(|r| r.proof)
    }

    /// Whether no two accounts may have the same value.
    pub(crate) fn identifies(&self) -> bool {
        matches!(self.into, Some(Meaning::Email | Meaning::Username | Meaning::Id))
            || self.rules.iter().any(|r| r.unique)
    }
}

/// One rule: what it demands, when, and what it says.
#[derive(Debug, Default)]
pub(crate) struct Rule {
    pub(crate) required: bool,
    pub(crate) json_type: Option<JsonType>,
    pub(crate) one_of: Option<Vec<Json>>,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) patterns: Vec<Regex>,
    pub(crate) format: Option<&'static str>,
    pub(crate) secret: Option<String>,
    pub(crate) uncommon: bool,
    pub(crate) proof: bool,
    pub(crate) check: Option<Expr>,
    pub(crate) unique: bool,
    pub(crate) says: Says,
    pub(crate) field: Option<Arc<str>>,
    pub(crate) condition: Option<Expr>,
    pub(crate) phase: i64,
    pub(crate) outcome: Option<Outcome>,
}

impl Rule {
    /// The demands that this rule makes, in the order in which they are tried.
    pub(crate) fn demands(&self) -> impl Iterator<Item = &'static str> {
        let made = [
            self.required,
            self.json_type.is_some(),
            self.one_of.is_some(),
            self.min_length.is_some(),
            self.max_length.is_some(),
            !self.patterns.is_empty(),
            self.format.is_some(),
            self.secret.is_some(),
            self.uncommon,
            self.proof,
            self.check.is_some(),
            self.unique,
        ];
        language::DEMANDS.iter().zip(made).filter(|(_, made)| *made).map(|(name, _)| *name)
    }
}

/// What a rule says when it is broken.
#[derive(Debug, Default)]
pub(crate) struct Says {
    pub(crate) message: Option<Template>,
    pub(crate) code: Option<Json>,
}

/// The types of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonType {
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
}

impl JsonType {
    pub(crate) const ALL: [(&'static str, JsonType); 6] = [
        ("string", JsonType::String),
        ("integer", JsonType::Integer),
        ("number", JsonType::Number),
        ("boolean", JsonType::Boolean),
        ("array", JsonType::Array),
        ("object", JsonType::Object),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, t)| *t == self).map_or("string", |(name, _)| name)
    }

    pub(crate) fn fits(self, json: &Json) -> bool {
        match self {
            JsonType::String => json.is_string(),
            JsonType::Integer => {
                json.is_i64() || json.is_u64() || json.as_f64().is_some_and(|f| f.fract() == 0.0)
            }
            JsonType::Number => json.is_number(),
            JsonType::Boolean => json.is_boolean(),
            JsonType::Array => json.is_array(),
            JsonType::Object => json.is_object(),
        }
    }
}

/// Something secret that is handed out with a reply.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) name: Arc<str>,
    pub(crate) make: Make,
    /// Seconds.
    pub(crate) lifetime: i64,
}

#[derive(Debug)]
pub(crate) enum Make {
    /// A JWT with these claims.
    Claims(Template),
    /// Random text, stored hashed.
    Random(Recipe),
}

/// What an outcome answers.
#[derive(Debug)]
pub(crate) struct ReplyTemplate {
    pub(crate) outcome: Outcome,
    pub(crate) status: u16,
    pub(crate) message: Arc<Template>,
    pub(crate) headers: Vec<(http::HeaderName, Arc<Template>)>,
    pub(crate) body: Arc<Template>,
    pub(crate) sees: encode::Sees,
    /// What the dry run points at when the reply as a whole is wrong.
    pub(crate) at: std::ops::Range<usize>,
}

impl ReplyTemplate {
    /// All that is written of it: its message only where something else mentions that.
    fn texts(&self) -> impl Iterator<Item = &Template> {
        let written = || self.headers.iter().map(|(_, text)| &**text).chain([&*self.body]);
        let said = written().any(|text| text.mentions(&["message"]));
        written().chain(said.then_some(&*self.message))
    }

    /// Its headers' names, and everything that is written, as the file has it.
    fn sources(&self) -> (Vec<&http::HeaderName>, Vec<&str>) {
        (self.headers.iter().map(|(name, _)| name).collect(), self.texts().map(Template::source).collect())
    }
}

impl Contract {
    /// Every outcome that this contract has a reply for.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.register.replies.iter().map(|r| &r.outcome)
    }

    /// Whether it has a field for proofs of work, and so hands out challenges.
    pub fn takes_proofs(&self) -> bool {
        self.register.fields.iter().any(Field::proves)
    }
}

/// Where challenges for proofs of work are asked for, from the path at which a contract answers.
pub fn challenge_path(path: &str) -> String {
    format!("{}/challenge", path.trim_end_matches('/'))
}

impl Operation {
    /// The path with the query string that is part of the match, as the file writes it.
    pub fn path_and_query(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        format!("{}?{query}", self.path)
    }

    pub(crate) fn reply(&self, outcome: &Outcome) -> &ReplyTemplate {
        let own = self.replies.iter().find(|r| r.outcome == *outcome);
        own.or_else(|| self.replies.iter().find(|r| r.outcome == Outcome::Failed))
            .expect("a contract has a reply for every outcome, `failed` included")
    }

    /// Whether a collision is told apart from success anyway, so that a look-up before the hash reveals nothing new.
    pub fn reveals_duplicates(&self) -> bool {
        let (taken, created) = (self.reply(&Outcome::Taken), self.reply(&Outcome::Created));
        let mut unique = self.fields.iter().flat_map(|field| &field.rules).filter(|rule| rule.unique);
        taken.status != created.status
            || taken.sources() != created.sources()
            || taken.texts().any(|text| text.mentions(&["outcome"]))
            || unique.any(|rule| rule.outcome.as_ref().is_some_and(|outcome| *outcome != Outcome::Taken))
    }
}
