//! One value, written in one of four ways.

use super::compact::escape_into;
use super::values::{Absent, forced, unwritable};
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};
use std::fmt::Write as _;

/// The longest text of one value, in bytes: far more than an answer may have.
const MOST_OF_VALUE: usize = 1024 * 1024;
/// Lists and maps inside a value may be nested this deep: a few levels more than a request may have.
const MOST_DEPTH: usize = 40;

fn refuse<T>(what: impl Into<std::borrow::Cow<'static, str>>) -> Result<T, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, what))
}

/// A value as plain text: null and what was not sent are empty; a list or map, which only a client can bring here
/// (the dry run refuses a contract's own), is its JSON.
pub(super) fn plain(value: &Value) -> Result<String, Error> {
    let value = forced(value).unwrap_or(value);
    if value.is_undefined() {
        return refuse("nothing has this name here");
    }
    if let Some(reason) = unwritable(value) {
        return refuse(reason);
    }
    match value.kind() {
        ValueKind::None => Ok(String::new()),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            let mut out = String::new();
            json(&mut out, value, 0).map(|()| out)
        }
        _ => Ok(value.to_string()),
    }
}

/// A value inside a JSON string.
pub(super) fn in_string(out: &mut String, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => escape_into(out, text),
        None => escape_into(out, &plain(value)?),
    }
    Ok(())
}

/// A whole JSON value.
pub(super) fn json(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > MOST_DEPTH {
        return refuse("this value is nested too deep");
    }
    // A list that a template puts into itself again and again grows with each level.
    if out.len() > MOST_OF_VALUE {
        return refuse("this value grows too long");
    }
    if let Some(text) = value.as_str() {
        return quoted(out, text);
    }
    match value.kind() {
        ValueKind::Undefined => return refuse("nothing has this name here"),
        ValueKind::None => out.push_str("null"),
        _ if value.downcast_object_ref::<Absent>().is_some() => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => number(out, value)?,
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (i, item) in value.try_iter()?.enumerate() {
                if i > 0 {
                    out.push(',');
                }
                json(out, &item, depth + 1)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (i, key) in value.try_iter()?.enumerate() {
                if i > 0 {
                    out.push(',');
                }
                if matches!(key.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable) {
                    return refuse("a list or map cannot be a key");
                }
                quoted(out, &plain(&key)?)?;
                out.push(':');
                json(out, &value.get_item(&key)?, depth + 1)?;
            }
            out.push('}');
        }
        _ => match forced(value) {
            Some(made) => return json(out, made, depth),
            None => return quoted(out, &plain(value)?),
        },
    }
    Ok(())
}

fn quoted(out: &mut String, text: &str) -> Result<(), Error> {
    out.push('"');
    escape_into(out, text);
    out.push('"');
    Ok(())
}

fn number(out: &mut String, value: &Value) -> Result<(), Error> {
    let text = value.to_string();
    // A quotient can be infinite or not a number; JSON has neither.
    if !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
        return refuse("this number cannot be written as JSON");
    }
    out.push_str(&text);
    Ok(())
}

/// A value inside a text or attribute of HTML or XML: both know these escapes.
pub(super) fn markup(out: &mut String, value: &Value) -> Result<(), Error> {
    out.push_str(&escaped(&plain(value)?));
    Ok(())
}

/// A text as it stands in HTML and XML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A value inside a header: everything that could end, split or extend it is percent-encoded; a well-formed
/// `%XX` stays, so that an address that is already encoded is not encoded twice. What the filter `date` wrote may
/// hold spaces and commas besides: no client's text is in it. Right behind a `/` that begins the header, a second one
/// is encoded, too: `//host` would lead elsewhere (RFC 3986 section 4.2).
pub(super) fn header(out: &mut String, value: &Value) -> Result<(), Error> {
    let text = plain(value)?;
    let mut bytes = text.as_bytes();
    if let Some(rest) = bytes.strip_prefix(b"/").filter(|_| out.trim_start() == "/") {
        out.push_str("%2F");
        bytes = rest;
    }
    let own: &[u8] = if value.is_safe() { b" ," } else { b"" };
    for (i, byte) in bytes.iter().enumerate() {
        let encoded =
            *byte == b'%' && bytes.len() > i + 2 && bytes[i + 1..i + 3].iter().all(u8::is_ascii_hexdigit);
        if encoded
            || own.contains(byte)
            || byte.is_ascii_alphanumeric()
            || b"-._~!$&'()*+:=@/?#[]{}|^`".contains(byte)
        {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_headers_only_dates_keep_spaces_and_commas() {
        let written = |value: Value| {
            let mut out = String::new();
            header(&mut out, &value).unwrap();
            out
        };
        assert_eq!(written(Value::from("a, b; c%41")), "a%2C%20b%3B%20c%41");
        let date = Value::from_safe_string("Mon, 10 Jun 2024 13:34:56 GMT; x\r\n".to_owned());
        assert_eq!(written(date), "Mon, 10 Jun 2024 13:34:56 GMT%3B x%0D%0A");
    }

    #[test]
    fn a_path_does_not_become_a_host() {
        let behind = |out: &str, value: &str| {
            let mut out = out.to_owned();
            header(&mut out, &Value::from(value)).unwrap();
            out
        };
        assert_eq!(behind("/", "/elsewhere.example/a"), "/%2Felsewhere.example/a");
        assert_eq!(behind("/", "\\elsewhere.example"), "/%5Celsewhere.example");
        assert_eq!(behind(" /", "/elsewhere.example/a"), " /%2Felsewhere.example/a");
        assert_eq!(behind("/", "users/5"), "/users/5");
        assert_eq!(behind("/users/", "/5"), "/users//5");
        assert_eq!(behind("", "/users/5"), "/users/5");
    }
}
