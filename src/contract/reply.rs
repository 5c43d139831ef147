//! What an outcome answers: its templates in the contract, and the reply that is made of them.

use super::outcome::Outcome;
use super::template::{RenderError, Template};
use http::{HeaderName, HeaderValue};
use std::sync::Arc;

/// What an outcome answers.
#[derive(Debug)]
pub(crate) struct ReplyTemplate {
    pub(crate) outcome: Outcome,
    pub(crate) status: u16,
    pub(crate) message: Arc<Template>,
    pub(crate) headers: Vec<(HeaderName, Arc<Template>)>,
    pub(crate) body: Arc<Template>,
    pub(crate) sees: Sees,
    /// What the dry run points at when the reply as a whole is wrong.
    pub(crate) at: std::ops::Range<usize>,
}

impl ReplyTemplate {
    /// All that is written of it: its message only where something else mentions that.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Template> {
        let written = || self.headers.iter().map(|(_, text)| &**text).chain([&*self.body]);
        let said = written().any(|text| text.mentions(&["message"]));
        written().chain(said.then_some(&*self.message))
    }

    /// Its headers' names, and everything that is written, as the file has it.
    pub(super) fn sources(&self) -> (Vec<&HeaderName>, Vec<&str>) {
        (self.headers.iter().map(|(name, _)| name).collect(), self.texts().map(Template::source).collect())
    }
}

/// Which of the names that cost something to make a reply's templates mention; for others they are not made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sees {
    pub(super) now: bool,
    pub(super) random: bool,
    pub(super) request: bool,
    pub(super) input: bool,
}

impl Sees {
    pub(super) fn of(templates: &[&Template]) -> Sees {
        let mentioned = |name| templates.iter().any(|template| template.mentions(&[name]));
        Sees {
            now: mentioned("now"),
            random: mentioned("random"),
            request: mentioned("request"),
            input: mentioned("input"),
        }
    }
}

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// How the request ended.
    pub outcome: Outcome,
    /// 200 to 599.
    pub status: u16,
    /// In the contract's order.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Empty for an empty answer.
    pub body: String,
}

/// A reply that could not be written: its data did not fit what the file's proof and dry run allow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the {part} of `{outcome}` cannot be written: {reason}")]
pub struct EncodeError {
    /// The outcome.
    pub outcome: Outcome,
    /// `body`, `message`, a header or a token.
    pub part: String,
    /// What the template engine says.
    pub reason: String,
    /// The byte range in the part's template.
    pub(crate) at: std::ops::Range<usize>,
    /// Where that template stands in the contract file.
    pub(crate) origin: std::ops::Range<usize>,
}

impl EncodeError {
    pub(super) fn new(
        outcome: &Outcome,
        part: String,
        error: RenderError,
        origin: std::ops::Range<usize>,
    ) -> EncodeError {
        EncodeError { outcome: outcome.clone(), part, reason: error.what, at: error.at, origin }
    }
}
