//! The reply to a successful sign-up: which of its values are whose.

mod headers;
mod tokens;

use super::caution::Caution;
use super::fields::{FieldDraft, meaning_of};
use super::guess::{self, When, folded};
use super::pasted::{Content, Pasted};
use super::token::{TokenDraft, bearer, is_lifetime, whole};
use super::tree::{Node, Piece, plain, replaced};
use crate::user::Meaning;
use serde_json::Value as Json;

/// What the created example came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Created {
    /// The word of `id`, and why.
    pub(super) id: Option<(String, String)>,
    pub(super) tokens: Vec<TokenDraft>,
    pub(super) reveals_sha256: bool,
    pub(super) headers: Vec<(String, Vec<String>)>,
    pub(super) body: Body,
    /// Remarks, one line each.
    pub(super) notes: Vec<String>,
}

/// A body on its way into the file.
#[derive(Debug, Clone, Default)]
pub(super) enum Body {
    #[default]
    Empty,
    Json(Node),
    /// A template that is not JSON.
    Text(String),
}

/// Reads the created example. The fields learn how their values come back.
pub(super) fn created(reply: &Pasted, fields: &mut Vec<FieldDraft>, caution: Caution) -> Created {
    let mut out = Created::default();
    let id = reply.tree().and_then(find_id);
    if let Some((key, value)) = &id {
        if let Some(word) = guess::id_word(value) {
            out.id = Some((word, format!("`{key}` of the created example is {}", short(value))));
        }
        super::fields::own_id(fields, value);
    }
    let mut reader = Reader {
        id: id.map(|(_, value)| value).filter(|_| out.id.is_some()),
        fields,
        caution,
        out,
        expires: None,
    };
    if let Some(json) = reply.tree() {
        reader.tokens("", json);
    }
    reader.cookies(reply);
    if let Some(json) = reply.tree() {
        reader.lifetimes("", json);
        let node = reader.node("", json);
        reader.out.body = Body::Json(node);
    } else if let Content::Text(text) = &reply.content {
        let pieces = reader.pieces(text);
        reader.out.body = Body::Text(plain(&pieces));
    }
    reader.headers(reply);
    reader.default_lifetimes();
    reader.out.notes.dedup();
    reader.out
}

/// The user's id: under the plainest key, least deep.
fn find_id(body: &Json) -> Option<(String, Json)> {
    let mut found: Vec<(usize, String, Json)> = Vec::new();
    ids(body, 0, &mut found);
    found.into_iter().min_by_key(|(rank, ..)| *rank).map(|(_, key, value)| (key, value))
}

fn ids(json: &Json, depth: usize, found: &mut Vec<(usize, String, Json)>) {
    let Some(members) = json.as_object() else { return };
    for (key, value) in members {
        if guess::is_id_key(key) && guess::id_word(value).is_some() {
            let plain = !matches!(key.as_str(), "id" | "_id");
            found.push((10 * depth + usize::from(plain), key.clone(), value.clone()));
        }
        ids(value, depth + 1, found);
    }
}

struct Reader<'r> {
    id: Option<Json>,
    fields: &'r mut Vec<FieldDraft>,
    caution: Caution,
    out: Created,
    /// Seconds that `expires_in` or a cookie's Max-Age says.
    expires: Option<i64>,
}

impl Reader<'_> {
    fn node(&mut self, key: &str, json: &Json) -> Node {
        match json {
            Json::Object(members) if !members.is_empty() => {
                Node::Map(members.iter().map(|(key, value)| (key.clone(), self.node(key, value))).collect())
            }
            Json::Array(items) if !items.is_empty() => match self.sent(key, json) {
                Some(node) => node,
                None => Node::List(items.iter().map(|item| self.node(key, item)).collect()),
            },
            Json::String(text) => self.text(key, text),
            scalar => self.scalar(key, scalar),
        }
    }

    fn scalar(&mut self, key: &str, value: &Json) -> Node {
        if self.caution == Caution::Literal {
            return Node::Pasted(value.clone());
        }
        if self.id.as_ref() == Some(value) && guess::is_id_key(key) {
            return Node::Hole("user.id".to_owned());
        }
        if let Some(node) = self.sent(key, value) {
            return node;
        }
        let token = self.out.tokens.first().map(|t| t.name.clone());
        if let Some(token) = token.filter(|_| is_lifetime(key) && whole(value).is_some()) {
            return Node::Hole(format!("tokens.{token}.lifetime"));
        }
        self.time(key, value).unwrap_or_else(|| Node::Pasted(value.clone()))
    }

    fn text(&mut self, key: &str, text: &str) -> Node {
        let value = Json::from(text);
        if let Some(node) = self.secret(key, text) {
            return node;
        }
        if self.caution == Caution::Literal {
            return Node::Pasted(value);
        }
        let (scheme, bare) = bearer(text);
        if let Some(token) = self.out.tokens.iter().find(|t| t.text == bare) {
            let hole = Piece::Hole(format!("tokens.{}", token.name));
            let scheme = Some(Piece::Pasted(scheme.to_owned())).filter(|_| !scheme.is_empty());
            return Node::Text(scheme.into_iter().chain([hole]).collect());
        }
        let id = self.id.as_ref().map(as_text);
        if id.as_deref() == Some(text) && (guess::is_id_key(key) || text.len() >= 6) {
            return Node::text("user.id");
        }
        if let Some(node) = self.sent(key, &value) {
            return node;
        }
        if let Some(node) = self.time(key, &value) {
            return node;
        }
        let ends = is_lifetime(key) && text.parse::<i64>().is_ok();
        if let Some(token) = self.out.tokens.first().filter(|_| ends) {
            return Node::text(format!("tokens.{}.lifetime", token.name));
        }
        if is_request_id(key) && uuid::Uuid::try_parse(text).is_ok() {
            return Node::text("request.id");
        }
        let pieces = self.pieces(text);
        if pieces.iter().any(|piece| matches!(piece, Piece::Hole(_))) {
            return Node::Text(pieces);
        }
        if text.len() >= 20 && !text.contains(char::is_whitespace) && !text.contains("://") {
            self.out
                .notes
                .push(format!("`{key}` stays as pasted, {}: is it the same for everybody?", short(&value)));
        }
        Node::Pasted(value)
    }

    /// The password, however it comes back, is never pasted.
    fn secret(&mut self, key: &str, text: &str) -> Option<Node> {
        let password =
            self.fields.iter().find(|f| f.means(&Meaning::Password)).and_then(|f| f.sample.as_str());
        if password.is_some_and(|p| !p.is_empty() && text == sha256(p)) && self.caution != Caution::Literal {
            let note = format!(
                "`{key}` is the unsalted SHA-256 of the password; drop `reveal` when no client needs it"
            );
            self.out.notes.push(note);
            self.out.reveals_sha256 = true;
            return Some(Node::text("user.password_sha256"));
        }
        let hash = ["$2", "$argon", "pbkdf2", "$scrypt", "$5$", "$6$", "scrypt:"]
            .iter()
            .any(|p| text.starts_with(p));
        let named = folded(key).contains("pass") && text.len() >= 16 && !text.contains(' ');
        let is_password = password == Some(text) && folded(key).contains("pass");
        if is_password || hash || named {
            self.out
                .notes
                .push(format!("`{key}` shows the password or its hash, which never leaves: \"\" instead"));
            return Some(Node::Pasted("".into()));
        }
        let token = guess::claims(bearer(text).1).is_some() || guess::is_token(key, text);
        (token && self.caution == Caution::Literal).then(|| {
            self.out.notes.push(format!("`{key}` looks like a token, which is not pasted: \"\" instead"));
            Node::Pasted("".into())
        })
    }

    /// A value of the request that comes back.
    fn sent(&mut self, key: &str, value: &Json) -> Option<Node> {
        if self.caution == Caution::Literal || value.is_null() {
            return None;
        }
        let called = |f: &FieldDraft| {
            folded(&f.name) == folded(key) || meaning_of(key).is_some() && meaning_of(key) == f.into
        };
        let exact = |f: &&FieldDraft| f.stored().is_some() && f.sample == *value;
        let long = value.as_str().is_some_and(|text| !text.is_empty());
        let mut found = self.fields.iter().filter(exact);
        let all: Vec<&FieldDraft> = found.by_ref().collect();
        let field = all.iter().find(|f| called(f)).or(all.first().filter(|_| long)).map(|f| f.name.clone());
        let field = field.or_else(|| self.cleaned(key, value.as_str()?))?;
        let field = self.fields.iter().find(|f| f.name == field)?;
        let stored = field.stored()?;
        Some(if value.is_string() { Node::text(stored) } else { Node::Hole(stored) })
    }

    /// A text that comes back trimmed or in small letters is cleaned before it is stored.
    fn cleaned(&mut self, key: &str, text: &str) -> Option<String> {
        let candidates = self.fields.iter_mut().filter(|f| f.stored().is_some() && f.clean.is_none());
        for field in candidates.filter(|f| meaning_of(key).is_some() && meaning_of(key) == f.into) {
            let Some(sample) = field.sample.as_str() else { continue };
            let clean = match text {
                _ if text == sample.trim() => "value | trim",
                _ if text == sample.to_lowercase() => "value | lower",
                _ if text == sample.trim().to_lowercase() => "value | trim | lower",
                _ => continue,
            };
            field.clean = Some(clean);
            return Some(field.name.clone());
        }
        None
    }

    fn time(&self, key: &str, value: &Json) -> Option<Node> {
        let when = guess::when(key);
        let form = guess::time(value, when.is_some())?;
        let name = match when {
            Some(When::Updated) => "user.updated_at".to_owned(),
            Some(When::Expires) => {
                let token = self.out.tokens.first()?;
                format!("now | after(tokens.{}.lifetime)", token.name)
            }
            Some(When::Created) => "user.created_at".to_owned(),
            Some(When::Some) | None => "now".to_owned(),
        };
        Some(if form.quoted { Node::text(form.of(&name)) } else { Node::Hole(form.of(&name)) })
    }

    /// A text with the values that stand inside of it replaced.
    fn pieces(&self, text: &str) -> Vec<Piece> {
        if self.caution != Caution::None {
            return vec![Piece::Pasted(text.to_owned())];
        }
        let mut values: Vec<(String, String)> = Vec::new();
        for field in self.fields.iter() {
            let sample = field.sample.as_str().unwrap_or_default();
            let typical = !matches!(field.into, Some(Meaning::Extra(_))) && sample.chars().count() >= 3;
            values.extend(field.stored().filter(|_| typical).map(|stored| (sample.to_owned(), stored)));
        }
        if let Some(id) = &self.id {
            let id = as_text(id);
            let path = format!("/{id}");
            if id.len() >= 6 {
                values.push((id, "user.id".to_owned()));
            } else if text.ends_with(&path) {
                let head = text[..text.len() - id.len()].to_owned();
                return vec![Piece::Pasted(head), Piece::Hole("user.id".to_owned())];
            }
        }
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        replaced(text, &values)
    }
}

pub(super) fn is_request_id(key: &str) -> bool {
    let folded = folded(key);
    ["requestid", "traceid", "correlationid"].iter().any(|name| folded.contains(name))
}

/// A value in a remark: shortened, on one line.
fn short(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(48) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text,
    }
}

fn as_text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

fn sha256(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
