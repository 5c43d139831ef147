//! An endpoint that is described, and what all parts of the description know of it.

use crate::contract::Contract;
use crate::contract::samples::{Answer, Example};

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
pub(super) struct Described<'e> {
    pub(super) endpoint: Endpoint<'e>,
    pub(super) example: Example,
    pub(super) answers: Vec<Answer>,
    pub(super) curl: String,
}

/// The id of an operation: a verb and what it is about, as one word.
pub(super) fn id(verb: &str, names: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("{verb}_{names}").chars().map(word).collect()
}
