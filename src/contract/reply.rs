//! What an outcome answers: its templates in the contract.

use super::encode::Sees;
use super::outcome::Outcome;
use super::template::Template;
use std::sync::Arc;

/// What an outcome answers.
#[derive(Debug)]
pub(crate) struct ReplyTemplate {
    pub(crate) outcome: Outcome,
    pub(crate) status: u16,
    pub(crate) message: Arc<Template>,
    pub(crate) headers: Vec<(http::HeaderName, Arc<Template>)>,
    pub(crate) body: Arc<Template>,
    pub(crate) sees: Sees,
    /// What the dry run points at when the reply as a whole is wrong.
    pub(crate) at: std::ops::Range<usize>,
}
