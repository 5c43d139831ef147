//! The formats that a rule's `format` asks for.

use crate::user::Email;

/// Whether `text` has the format; the reason when it has not.
pub(super) fn well_formed(format: &str, text: &str) -> Result<(), String> {
    let fits = match format {
        "email" => return Email::parse(text).map(drop).map_err(|e| e.to_string()),
        "uuid" => text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(),
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "phone" => is_phone(text),
        "timezone" => jiff::tz::TimeZone::get(text).is_ok(),
        _ => text.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && is_uri_rest(rest)),
    };
    if fits { Ok(()) } else { Err(format!("this is not a {format}")) }
}

/// E.164: a plus and seven to fifteen digits, the first not zero.
fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn is_uri_rest(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b))
}
