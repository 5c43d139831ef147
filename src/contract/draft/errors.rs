//! Error replies: folded into the loops and names of the contract language, and what they say about the rules.

mod fold;
mod listing;

pub(super) use fold::fold;

use super::caution::Caution;
use super::fields::FieldDraft;
use super::tree::Node;
use serde_json::Value as Json;

/// One error of an example.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Told {
    /// The field's name, if it is known.
    pub(super) field: Option<String>,
    pub(super) message: String,
    /// When the reply shows codes.
    pub(super) code: Option<Json>,
}

/// What an error reply came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Folded {
    pub(super) node: Option<Node>,
    pub(super) told: Vec<Told>,
    /// Only one message per field fits the shape.
    pub(super) first_per_field: bool,
    /// Only one message fits the shape.
    pub(super) single: bool,
    pub(super) notes: Vec<String>,
}

/// What is known when an error reply is read.
pub(super) struct Context<'c> {
    pub(super) fields: &'c [FieldDraft],
    /// The address and the user name of the example, which a `taken` reply may repeat.
    pub(super) values: Vec<String>,
    pub(super) caution: Caution,
    /// The name that stands for a single message: `errors[0].message`, or `message` in `default`.
    pub(super) message: &'static str,
}

struct Folder<'f> {
    context: &'f Context<'f>,
    out: Folded,
    listed: bool,
}
