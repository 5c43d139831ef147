//! A complaint about a place in a template.

use std::ops::Range;

/// A complaint about a place in a template (byte offsets into the template's text).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bad {
    pub(crate) at: Range<usize>,
    pub(crate) what: String,
    pub(crate) help: Option<String>,
    /// Whether the template is well formed and only its JSON is not.
    pub(crate) not_json: bool,
}

impl Bad {
    pub(crate) fn new(at: Range<usize>, what: impl Into<String>) -> Self {
        Bad { at, what: what.into(), help: None, not_json: false }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
