//! The key as clients write it.

use http::{HeaderMap, HeaderName};
use std::str::FromStr;

/// What a client calls its request: 1 to 255 visible ASCII characters. `"a1"` and `a1` are the same key.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// Why a header is no key. The text says what to send instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The header stands more than once.
    #[error("Idempotency-Key was sent more than once; send one")]
    Several,
    /// It is neither a string nor a bare key.
    #[error(
        "Idempotency-Key must be a string in quotes, as in \"8e03978e-40d5-43e8-bc93-6894a57f9324\", or that without quotes"
    )]
    Unreadable,
    /// It is empty or too long.
    #[error("Idempotency-Key must have 1 to {} characters", IdempotencyKey::MOST)]
    Length,
}

impl IdempotencyKey {
    /// The most characters that a key may have.
    pub const MOST: usize = 255;
    /// The header.
    pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

    /// The key that a request has, if it has one.
    ///
    /// # Errors
    /// When there is a header, but no key in it.
    pub fn of(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, KeyError> {
        let mut sent = headers.get_all(IdempotencyKey::HEADER).into_iter();
        let Some(first) = sent.next() else { return Ok(None) };
        if sent.next().is_some() {
            return Err(KeyError::Several);
        }
        first.to_str().map_err(|_| KeyError::Unreadable)?.parse().map(Some)
    }

    /// The key without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<IdempotencyKey, KeyError> {
        let text = text.trim_matches([' ', '\t']);
        let key = match text.strip_prefix('"') {
            Some(rest) => quoted(rest)?,
            None => bare(text)?,
        };
        if (1..=IdempotencyKey::MOST).contains(&key.len()) {
            Ok(IdempotencyKey(key))
        } else {
            Err(KeyError::Length)
        }
    }
}

/// The rest of a string after its first quote (RFC 9651, section 4.2.5).
fn quoted(rest: &str) -> Result<String, KeyError> {
    let mut key = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next().ok_or(KeyError::Unreadable)? {
            '"' if chars.as_str().is_empty() => return Ok(key),
            '\\' => match chars.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(KeyError::Unreadable),
            },
            visible @ (' ' | '!' | '#'..='~') => key.push(visible),
            _ => return Err(KeyError::Unreadable),
        }
    }
}

/// Visible characters but those that separate in headers: several keys or parameters are no key.
fn bare(text: &str) -> Result<String, KeyError> {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | ',' | ';');
    if text.chars().all(fits) { Ok(text.to_owned()) } else { Err(KeyError::Unreadable) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<String, KeyError> {
        text.parse().map(|IdempotencyKey(key)| key)
    }

    #[test]
    fn strings_and_bare_keys() {
        let uuid = "8e03978e-40d5-43e8-bc93-6894a57f9324";
        assert_eq!(read(uuid).as_deref(), Ok(uuid));
        assert_eq!(read(&format!(" \"{uuid}\" ")).as_deref(), Ok(uuid));
        assert_eq!(read(r#""a \"b\" \\ c""#).as_deref(), Ok(r#"a "b" \ c"#));
        assert_eq!(read(&"k".repeat(255)).map(|k| k.len()), Ok(255));
    }

    #[test]
    fn what_is_no_key() {
        for text in ["", "\"\"", &"k".repeat(256)] {
            assert_eq!(read(text), Err(KeyError::Length), "{text}");
        }
        for text in ["\"", "\"a", "a\"", "\"a\"b", "\"a\";p=1", "a, b", "a;b", "a b", "\"\\n\"", "ä", "\"ä\""]
        {
            assert_eq!(read(text), Err(KeyError::Unreadable), "{text}");
        }
    }

    #[test]
    fn a_request_has_one_key_or_none() {
        let mut headers = HeaderMap::new();
        assert!(matches!(IdempotencyKey::of(&headers), Ok(None)));
        headers.append("Idempotency-Key", "a".parse().unwrap());
        assert!(IdempotencyKey::of(&headers).is_ok_and(|key| key.is_some_and(|k| k.as_str() == "a")));
        headers.append("Idempotency-Key", "a".parse().unwrap());
        assert!(matches!(IdempotencyKey::of(&headers), Err(KeyError::Several)));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_read_the_same_when_written_as_a_string(text in ".{0,40}") {
            if let Ok(key) = read(&text) {
                let written = format!("\"{}\"", key.replace('\\', r"\\").replace('"', "\\\""));
                prop_assert_eq!(read(&written), Ok(key));
            }
        }
    }
}
