//! What a contract file comes to: the [`Contract`] and its one [`Operation`], read, proved and ready to answer.

use super::body::Media;
use super::field::{Field, Says};
use super::outcome::Outcome;
use super::reply::ReplyTemplate;
use super::token::Token;
use crate::user::IdKind;
use std::collections::BTreeMap;

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
    /// The longest body in bytes, if it is not the deployment's.
    pub max_body: Option<usize>,
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

impl Contract {
    /// Every outcome that this contract has a reply for.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.register.replies.iter().map(|r| &r.outcome)
    }

    /// Whether it has a field for proofs of work, and so hands out challenges.
    pub fn takes_proofs(&self) -> bool {
        self.register.fields.iter().any(Field::proves)
    }

    /// The names of the deployment's secrets that this contract compares with.
    pub fn secrets(&self) -> Vec<&str> {
        self.register.fields.iter().flat_map(|f| &f.rules).filter_map(|r| r.secret.as_deref()).collect()
    }
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

    /// Whether a field's value may stand in its own errors.
    pub(crate) fn shows(&self, field: &Field) -> bool {
        !field.secret || field.is_password() && self.reveal.rejected_password
    }

    /// The templates of an outcome's answer.
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

/// Where challenges for proofs of work are asked for, from the path at which a contract answers.
pub fn challenge_path(path: &str) -> String {
    format!("{}/challenge", path.trim_end_matches('/'))
}
