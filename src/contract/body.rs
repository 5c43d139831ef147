//! The body of a request, as a tree: JSON (RFC 8259, strictly), forms with bracket keys, the text parts of multipart.
//!
//! One verdict in all formats: a key that stands twice, text that is not UTF-8 and nesting deeper than
//! [`MOST_DEPTH`] are malformed, whoever wrote them.

use bytes::Bytes;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};
use std::cell::Cell;
use std::fmt;

/// Lists and objects may be nested this deep.
const MOST_DEPTH: usize = 32;
/// Values of a JSON body, all lists and objects counted: what expressions do with two lists takes the product of their lengths.
const MOST_VALUES: usize = 4096;
/// Pairs of a form, parts of a multipart body.
const MOST_PAIRS: usize = 256;

/// A media type that contracts read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Media {
    /// `application/json` and any `+json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`, its text parts.
    Multipart,
}

impl Media {
    /// The name in a contract's `accepts`.
    pub fn name(self) -> &'static str {
        match self {
            Media::Json => "json",
            Media::Form => "form",
            Media::Multipart => "multipart",
        }
    }

    /// The media type of this name in a contract's `accepts`.
    pub(crate) fn named(name: &str) -> Option<Media> {
        [Media::Json, Media::Form, Media::Multipart].into_iter().find(|m| m.name() == name)
    }

    /// The media type as a header writes it.
    pub fn content_type(self) -> &'static str {
        match self {
            Media::Json => "application/json",
            Media::Form => "application/x-www-form-urlencoded",
            Media::Multipart => "multipart/form-data",
        }
    }

    /// What a `Content-Type` names; none of ours is `None`.
    pub fn of(content_type: &str) -> Option<Media> {
        let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-www-form-urlencoded" => Some(Media::Form),
            "multipart/form-data" => Some(Media::Multipart),
            json if json == "application/json"
                || json.starts_with("application/") && json.ends_with("+json") =>
            {
                Some(Media::Json)
            }
            _ => None,
        }
    }
}

/// Why a body could not be read, in words that can be shown to whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// Reads a body. An empty one has no members.
pub(crate) async fn read(media: Media, content_type: &str, body: &Bytes) -> Result<Json, Malformed> {
    if body.is_empty() {
        return Ok(Json::Object(Map::new()));
    }
    match media {
        Media::Json => json(body),
        Media::Form => form(body),
        Media::Multipart => multipart(content_type, body).await,
    }
}

/// A parser's words may quote what was sent; so much of them will do.
const MOST_OF_REASON: usize = 200;

fn malformed<T>(reason: impl Into<String>) -> Result<T, Malformed> {
    let mut reason = reason.into();
    if let Some((end, _)) = reason.char_indices().nth(MOST_OF_REASON) {
        reason.truncate(end);
    }
    Err(Malformed(reason))
}

fn json(body: &[u8]) -> Result<Json, Malformed> {
    let Ok(text) = std::str::from_utf8(body) else { return malformed("the body is not UTF-8") };
    let mut reader = serde_json::Deserializer::from_str(text);
    let left = Cell::new(MOST_VALUES);
    let value = Tree { depth: 0, left: &left }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(Json::Object(members)) => Ok(Json::Object(members)),
        Ok(_) => malformed("the body is not a JSON object"),
        Err(error) => malformed(error.to_string()),
    }
}

/// Builds a tree, refusing duplicate keys (serde_json keeps the last one in silence), deep nesting and too many values.
#[derive(Clone, Copy)]
struct Tree<'c> {
    depth: usize,
    left: &'c Cell<usize>,
}

impl Tree<'_> {
    fn inside(self) -> Self {
        Tree { depth: self.depth + 1, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Json;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        if self.depth > MOST_DEPTH {
            return Err(D::Error::custom("nested too deep"));
        }
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(D::Error::custom("too many values")),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Json;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_f64<E>(self, v: f64) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_str<E>(self, v: &str) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_string<E>(self, v: String) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(self.inside())? {
            out.push(item);
        }
        Ok(Json::Array(out))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut out = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if out.contains_key(&key) {
                return Err(A::Error::custom("a key stands twice"));
            }
            let value = members.next_value_seed(self.inside())?;
            out.insert(key, value);
        }
        Ok(Json::Object(out))
    }
}

fn form(body: &[u8]) -> Result<Json, Malformed> {
    let mut root = Json::Object(Map::new());
    for (i, pair) in body.split(|b| *b == b'&').filter(|p| !p.is_empty()).enumerate() {
        if i == MOST_PAIRS {
            return malformed("too many fields");
        }
        let split = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        let key = decoded(&pair[..split])?;
        let value = decoded(pair.get(split + 1..).unwrap_or_default())?;
        insert(&mut root, &key, value)?;
    }
    Ok(root)
}

/// Percent-decoding as forms do it (`+` is a space), strictly UTF-8.
pub(crate) fn decoded(text: &[u8]) -> Result<String, Malformed> {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let bytes: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
    String::from_utf8(bytes).or_else(|_| malformed("the body is not UTF-8"))
}

/// `user[email]` is a member of `user`, `tags[]` an item of `tags`.
fn insert(root: &mut Json, key: &str, value: String) -> Result<(), Malformed> {
    let (first, rest) = key.find('[').map_or((key, ""), |i| key.split_at(i));
    let mut at = member(root, first)?;
    let mut depth = 0;
    let mut rest = rest;
    while let Some(inner) = rest.strip_prefix('[') {
        let Some((name, after)) = inner.split_once(']') else { return malformed("a bracket is not closed") };
        depth += 1;
        if depth > MOST_DEPTH {
            return malformed("nested too deep");
        }
        at = if name.is_empty() { item(at)? } else { member(at, name)? };
        rest = after;
    }
    // What stands behind a bracket would be dropped by one reader and not by the next.
    if !rest.is_empty() {
        return malformed("something follows a bracket");
    }
    if !at.is_null() {
        return malformed("a key stands twice");
    }
    *at = Json::String(value);
    Ok(())
}

fn member<'j>(at: &'j mut Json, name: &str) -> Result<&'j mut Json, Malformed> {
    if at.is_null() {
        *at = Json::Object(Map::new());
    }
    match at {
        Json::Object(members) => Ok(members.entry(name).or_insert(Json::Null)),
        _ => malformed("a key stands twice"),
    }
}

fn item(at: &mut Json) -> Result<&mut Json, Malformed> {
    if at.is_null() {
        *at = Json::Array(Vec::new());
    }
    match at {
        Json::Array(items) => {
            items.push(Json::Null);
            Ok(items.last_mut().expect("one was just added"))
        }
        _ => malformed("a key stands twice"),
    }
}

async fn multipart(content_type: &str, body: &Bytes) -> Result<Json, Malformed> {
    let Ok(boundary) = multer::parse_boundary(content_type) else {
        return malformed("the boundary is missing");
    };
    let mut parts = multer::Multipart::with_reader(std::io::Cursor::new(body.clone()), boundary);
    let mut root = Json::Object(Map::new());
    let mut count = 0;
    loop {
        let part = match parts.next_field().await {
            Ok(Some(part)) => part,
            Ok(None) => return Ok(root),
            Err(error) => return malformed(error.to_string()),
        };
        count += 1;
        if count > MOST_PAIRS {
            return malformed("too many fields");
        }
        let Some(name) = part.name().map(str::to_owned) else { return malformed("a part has no name") };
        let file = part.file_name().is_some();
        let Ok(bytes) = part.bytes().await else { return malformed("a part ends too early") };
        if file {
            continue; // Files are not fields; the answer says so by leaving them out.
        }
        let Ok(text) = String::from_utf8(bytes.to_vec()) else { return malformed("the body is not UTF-8") };
        insert(&mut root, &name, text)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn json_is_read_strictly() {
        assert_eq!(json(br#"{"a":[1,{"b":null}]}"#), Ok(json!({ "a": [1, { "b": null }] })));
        for bad in [
            "[]",
            "1",
            "",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"\\u0061\":2}",
            "\u{feff}{}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1e400}",
            "{\"a\":1}x",
            "{'a':1}",
            "{\"a\":01}",
        ] {
            assert!(json(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(json(b"{\"a\":\"\xff\"}").is_err());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(json(deep.as_bytes()).is_err());
    }

    #[test]
    fn forms_nest_with_brackets() {
        assert_eq!(
            form(b"user[email]=a%40b.co&user[tags][]=x&user[tags][]=y&q=a+b").unwrap(),
            json!({ "user": { "email": "a@b.co", "tags": ["x", "y"] }, "q": "a b" })
        );
        for bad in
            ["a=1&a=2", "a=1&a[b]=2", "a[b]=1&a=2", "a[b=1", "a[b]c=1", "a[b]]=1", "a[b]c[d]=1", "a=%ff"]
        {
            assert!(form(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_form_breaks_the_reader(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = form(&body);
            let _ = json(&body);
        }
    }
}
