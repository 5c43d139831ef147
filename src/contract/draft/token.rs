//! Tokens of a created reply on their way into the file, and what they look like.

use super::guess::folded;
use super::tree::Node;
use serde_json::Value as Json;

/// A token on its way into the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TokenDraft {
    pub(super) name: String,
    /// A JWT's claims, or a recipe.
    pub(super) make: Make,
    /// As `lifetime` holds it.
    pub(super) lifetime: Option<String>,
    pub(super) note: String,
    /// What the example shows.
    pub(super) text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Make {
    Claims(Node),
    Random(String),
}

/// A token without its scheme.
pub(super) fn bearer(text: &str) -> (&str, &str) {
    ["Bearer ", "bearer ", "JWT ", "Token "]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme).map(|rest| (&text[..scheme.len()], rest)))
        .unwrap_or(("", text))
}

pub(super) fn is_lifetime(key: &str) -> bool {
    let folded = folded(key);
    ["expiresin", "expirein", "expirationtime", "ttl", "maxage", "lifetime", "tokenlifetime"]
        .contains(&folded.as_str())
        || folded.ends_with("expiresin")
}

/// A number of seconds that a token could live.
pub(super) fn whole(value: &Json) -> Option<i64> {
    let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    (1..=400 * 86_400).contains(&seconds).then_some(seconds)
}
