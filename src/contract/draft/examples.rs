//! What a contract is started from, and the same without the password.

use super::fields;
use super::guess;
use super::pasted::{Content, Exchange, PasteError, Pasted, blocks, message, request};
use crate::user::Meaning;
use serde_json::Value as Json;

/// A password of fewer characters is not looked for inside of other texts.
const LEAST_SCRUBBED: usize = 6;

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

/// Reads everything at once: a request, then the replies, between lines of `---`. Whole replies are told apart by
/// their statuses; bare ones are `created`, `invalid` and `taken` in turn.
///
/// # Errors
/// See [`PasteError`].
pub async fn everything(text: &str) -> Result<Examples, PasteError> {
    let blocks = blocks(text);
    let (first, rest) = blocks.split_first().ok_or(PasteError::Nothing)?;
    let mut out = Examples { request: Some(request(first).await?), ..Examples::default() };
    let mut asked = out.request.clone();
    for block in rest {
        let pasted = message(block).await?;
        if pasted.is_request() {
            asked = Some(pasted);
            continue;
        }
        let again = out.created.is_some()
            && asked.as_ref().map(|a| &a.content) == out.request.as_ref().map(|r| &r.content);
        let slot = match pasted.status {
            Some(200..300) => &mut out.created,
            Some(409) => &mut out.taken,
            Some(_) if again && asked.is_some() || out.invalid.is_some() => &mut out.taken,
            None if out.created.is_none() => &mut out.created,
            None if out.invalid.is_some() => &mut out.taken,
            _ => &mut out.invalid,
        };
        if slot.is_none() {
            *slot = Some(Exchange { request: asked.take(), reply: pasted });
        }
    }
    Ok(out)
}

impl Examples {
    /// The example request: given as such, or pasted in front of the created reply.
    pub(super) fn asked(&self) -> Option<&Pasted> {
        self.request.as_ref().or_else(|| self.created.as_ref()?.request.as_ref())
    }

    /// The same without the password: whatever a proposal comes to, that is not in it.
    pub(super) fn scrubbed(&self) -> Examples {
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
pub(super) fn scrubbed(key: &str, json: &Json, password: &str, keep: bool) -> Json {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn replies_are_told_apart_by_their_statuses_or_by_their_order() {
        let bare = everything("{\"a\":1}\n---\n{\"b\":2}\n---\n{\"c\":3}\n---\n{\"d\":4}\n").await.unwrap();
        let tree = |e: &Option<Exchange>| e.as_ref().and_then(|e| e.reply.tree().cloned());
        assert_eq!(tree(&bare.taken), Some(json!({ "d": 4 })));
        let post = "POST /u HTTP/1.1\n\n";
        let whole = format!(
            "{post}{{\"a\":1}}\n---\nHTTP/1.1 201 Created\n\n{{\"id\":1}}\n---\n{post}{{\"a\":1}}\n---\nHTTP/1.1 422 X\n\n{{\"e\":1}}\n---\n{post}{{}}\n---\nHTTP/1.1 400 Bad Request\n\n{{\"f\":1}}\n"
        );
        let whole = everything(&whole).await.unwrap();
        assert_eq!(
            (tree(&whole.taken), tree(&whole.invalid)),
            (Some(json!({ "e": 1 })), Some(json!({ "f": 1 })))
        );
        assert_eq!(tree(&whole.created), Some(json!({ "id": 1 })));
    }
}
