//! A request that ends before anything is stored, and the complaints that end it.

use super::fields::Fields;
use super::outcome::Outcome;
use crate::proof::Refused;
use serde_json::Value as Json;
use std::fmt;
use std::sync::Arc;

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

/// One complaint, as a reply shows it.
#[derive(Clone, PartialEq)]
pub struct FieldError {
    /// Where it is reported.
    pub field: Arc<str>,
    /// The contract's tag, key or number.
    pub code: Json,
    /// What the rule says.
    pub message: String,
    /// The demand's own parameter.
    pub limit: Json,
    /// The refused value; none when nothing was sent and for secrets.
    pub value: Option<Json>,
    /// Whether anything was sent.
    pub sent: bool,
    /// The reply it leads to.
    pub outcome: Outcome,
    /// What is wrong with the proof of work, where that is the complaint.
    pub proof: Option<Refused>,
}

impl FieldError {
    /// The same complaint without what the client wrote.
    pub(super) fn without_values(&self) -> FieldError {
        const MOST: usize = 200;
        let message = match self.message.char_indices().nth(MOST) {
            Some((end, _)) => self.message[..end].to_owned(),
            None => self.message.clone(),
        };
        FieldError { message, value: None, sent: false, ..self.clone() }
    }
}

impl fmt::Debug for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.field, self.code, self.outcome)
    }
}
