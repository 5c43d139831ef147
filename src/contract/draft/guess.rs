//! What a value probably is, told by its look: times, ids, tokens.

use crate::contract::language::duration;
use crate::user::{IdKind, Recipe};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::Regex;
use serde_json::{Map, Value as Json};
use std::sync::LazyLock;

/// A token with fewer random bits is refused by the loader.
const LEAST_BITS: f64 = 128.0;

/// A key or name without case, separators and the like: `user_email`, `userEmail` and `user-email` are one.
pub(super) fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How a time is written: the filter behind it, and whether it stands in quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeForm {
    filter: String,
    pub(super) quoted: bool,
}

impl TimeForm {
    /// The expression that writes the time `name` in this form.
    pub(super) fn of(&self, name: &str) -> String {
        format!("{name}{}", self.filter)
    }
}

/// The form of a time, if the value is one. Plain numbers and dates are times only under a key that says so.
pub(super) fn time(value: &Json, key_says_so: bool) -> Option<TimeForm> {
    match value {
        Json::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
            let number = text.parse().ok()?;
            epoch(number, key_says_so).map(|filter| TimeForm { filter, quoted: true })
        }
        Json::String(text) => written(text, key_says_so).map(|filter| TimeForm { filter, quoted: true }),
        Json::Number(number) => {
            epoch(number.as_i64()?, key_says_so).map(|filter| TimeForm { filter, quoted: false })
        }
        _ => None,
    }
}

/// Milliseconds or seconds since 1970, in this century.
fn epoch(number: i64, key_says_so: bool) -> Option<String> {
    match number {
        946_684_800_000..4_102_444_800_000 => Some(" | millis".to_owned()),
        946_684_800..4_102_444_800 if key_says_so => Some(" | seconds".to_owned()),
        _ => None,
    }
}

fn written(text: &str, key_says_so: bool) -> Option<String> {
    static ISO: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"^\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d(:\d\d)?(\.\d{1,9})?(Z| ?UTC|[+-]\d\d:?\d\d)?)?$";
        Regex::new(pattern).expect("the pattern is right")
    });
    static MAIL: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (GMT|UTC|[+-]\d{4})$";
        Regex::new(pattern).expect("the pattern is right")
    });
    if let Some(parts) = MAIL.captures(text) {
        let zone = if parts[1].len() == 5 { "%z" } else { &parts[1] };
        return Some(format!(" | date(\"%a, %d %b %Y %H:%M:%S {zone}\")"));
    }
    let parts = ISO.captures(text)?;
    let part = |i| parts.get(i).map_or("", |m| m.as_str());
    let (gap, seconds, fraction, zone) = (part(1), part(2), part(3), part(4));
    if gap.is_empty() {
        return key_says_so.then(|| " | date(\"%Y-%m-%d\")".to_owned());
    }
    if (gap, fraction.len(), zone) == ("T", 4, "Z") {
        return Some(String::new());
    }
    let seconds = if seconds.is_empty() { "" } else { ":%S" };
    let fraction = match fraction.len() {
        0 => String::new(),
        length => format!(".%{}f", length - 1),
    };
    let zone = match zone.strip_prefix(['+', '-']) {
        Some(offset) if offset.contains(':') => "%:z",
        Some(_) => "%z",
        None => zone,
    };
    Some(format!(" | date(\"%Y-%m-%d{gap}%H:%M{seconds}{fraction}{zone}\")"))
}

/// What a key says about the time under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Created,
    Updated,
    Expires,
    /// A time of some kind.
    Some,
}

pub(super) fn when(key: &str) -> Option<When> {
    let folded = folded(key);
    let has = |words: &[&str]| words.iter().any(|word| folded.contains(word));
    if has(&["expir"]) || folded == "exp" || folded == "validuntil" {
        Some(When::Expires)
    } else if has(&["updat", "modif", "changed"]) {
        Some(When::Updated)
    } else if has(&["creat", "regist", "joined", "signup", "signedup", "insert", "membersince"]) {
        Some(When::Created)
    } else if has(&["time", "date", "issued", "lastlogin", "lastsignin", "lastrefresh"])
        || key.ends_with("_at")
        || key.ends_with("At")
        || folded == "iat"
    {
        Some(When::Some)
    } else {
        None
    }
}

/// Keys under which an id of the user stands.
pub(super) fn is_id_key(key: &str) -> bool {
    let known =
        ["id", "userid", "uid", "uuid", "guid", "sub", "objectid", "localid", "pk", "accountid", "publicid"];
    known.contains(&folded(key).as_str())
}

/// The word of `id` for an id that looks like this.
pub(super) fn id_word(id: &Json) -> Option<String> {
    match id {
        Json::Number(number) => number.as_u64().map(|_| "integer".to_owned()),
        Json::String(text) if text.is_empty() || text.contains(char::is_whitespace) => None,
        Json::String(text) if text.bytes().all(|b| b.is_ascii_digit()) && text.len() < 16 => {
            Some("integer".to_owned())
        }
        Json::String(text) if text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() => {
            Some("uuid".to_owned())
        }
        Json::String(text) if text.len() == 24 && is_hex(text) => Some("objectid".to_owned()),
        Json::String(text) => recipe(text).filter(|recipe| IdKind::parse(recipe).is_ok()),
        _ => None,
    }
}

/// The claims of a JWT, if the text is one.
pub(super) fn claims(text: &str) -> Option<Map<String, Json>> {
    let mut parts = text.split('.');
    let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let json = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Map<String, Json>>(&bytes).ok()
    };
    json(header)?.get("alg")?;
    json(claims)
}

/// Whether a text under this key is something secret that is handed out.
pub(super) fn is_token(key: &str, text: &str) -> bool {
    let key = folded(key);
    let named = [
        "token",
        "session",
        "secret",
        "apikey",
        "accesskey",
        "csrf",
        "xsrf",
        "jwt",
        "refresh",
        "bearer",
        "sid",
    ];
    let spelt = text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains("://");
    text.len() >= 16 && spelt && named.iter().any(|word| key.contains(word))
}

/// The recipe that makes texts like this one.
pub(super) fn recipe(text: &str) -> Option<String> {
    if text.is_empty() || text.len() > 200 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let fixed = prefix(text);
    let (head, body) = text.split_at(fixed);
    let tail = body.len() - body.trim_end_matches('=').len();
    let (body, tail) = body.split_at(body.len() - tail);
    let groups: Vec<&str> = body.split(['-', '.']).collect();
    let alike = groups.len() > 1
        && groups.iter().all(|g| g.len() >= 4 && g.bytes().all(|b| b.is_ascii_alphanumeric()));
    let made = if alike {
        let class = class(&groups.concat());
        let mut made = format!("{class}{{{}}}", groups[0].len());
        let mut at = groups[0].len();
        for group in &groups[1..] {
            made.push_str(&format!("{}{class}{{{}}}", &body[at..=at], group.len()));
            at += 1 + group.len();
        }
        made
    } else {
        format!("{}{{{}}}", class(body), body.len())
    };
    let recipe = format!("{}{made}{tail}", literal(head));
    Recipe::parse(&recipe).is_ok_and(|r| r.matches(text)).then_some(recipe)
}

/// The same with at least as many random bits as a token needs; the flag tells whether it had to be lengthened.
pub(super) fn token_recipe(text: &str) -> (String, bool) {
    let bits = |recipe: &str| Recipe::parse(recipe).map_or(0.0, |r| r.bits());
    let like = recipe(text).unwrap_or_default();
    if bits(&like) >= LEAST_BITS {
        return (like, false);
    }
    let fixed = text.split_at_checked(prefix(text)).map_or(String::new(), |(head, _)| literal(head));
    let class = class(&text[prefix(text)..]);
    let longer = (1..=255).map(|n| format!("{fixed}{class}{{{n}}}")).find(|r| bits(r) >= LEAST_BITS);
    (longer.unwrap_or_else(|| "[A-Za-z0-9]{32}".to_owned()), true)
}

/// How much of a text is the same for everybody: small letters up to a separator, or three capitals before a digit.
fn prefix(text: &str) -> usize {
    static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:((?:[a-z]{1,10}[_:|]){1,3})|([A-Z]{3})[0-9])").expect("the pattern is right")
    });
    let found = PREFIX.captures(text).and_then(|parts| parts.get(1).or(parts.get(2)));
    let end = found.map_or(0, |found| found.end());
    if text.len() < end + 4 { 0 } else { end }
}

/// The smallest usual class that has all these characters.
fn class(text: &str) -> String {
    let has = |test: fn(&u8) -> bool| text.bytes().any(|b| test(&b));
    let mut class = String::new();
    let hex = text.len() >= 8 && is_hex(text) && has(u8::is_ascii_digit);
    if has(u8::is_ascii_uppercase) {
        class.push_str(if hex { "A-F" } else { "A-Z" });
    }
    if has(u8::is_ascii_lowercase) {
        class.push_str(if hex { "a-f" } else { "a-z" });
    }
    if has(u8::is_ascii_digit) {
        class.push_str("0-9");
    }
    let mut others: Vec<char> = text.chars().filter(|c| !c.is_ascii_alphanumeric()).collect();
    others.sort_unstable();
    others.dedup();
    for other in others {
        if "[]{}\\-^".contains(other) {
            class.push('\\');
        }
        class.push(other);
    }
    format!("[{class}]")
}

fn literal(text: &str) -> String {
    let escape = |c: char| if "[]{}\\".contains(c) { format!("\\{c}") } else { c.to_string() };
    text.chars().map(escape).collect()
}

pub(super) fn is_hex(text: &str) -> bool {
    let mixed = text.bytes().any(|b| b.is_ascii_lowercase()) && text.bytes().any(|b| b.is_ascii_uppercase());
    !mixed && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A number of seconds as contracts write it; what they cannot write is an hour.
pub(super) fn lifetime(seconds: i64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let unit = units.iter().find(|(factor, _)| seconds % factor == 0 && seconds >= *factor);
    let text =
        unit.map_or_else(|| format!("{seconds}s"), |(factor, unit)| format!("{}{unit}", seconds / factor));
    if duration::seconds(&text).is_some() { text } else { "1h".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_in_every_form() {
        for (value, expected) in [
            (json!("2024-06-10T12:34:56.789Z"), "t"),
            (json!("2024-06-10T12:34:56Z"), r#"t | date("%Y-%m-%dT%H:%M:%SZ")"#),
            (json!("2024-06-10T12:34:56.123456+00:00"), r#"t | date("%Y-%m-%dT%H:%M:%S.%6f%:z")"#),
            (json!("2024-06-10 12:34:56"), r#"t | date("%Y-%m-%d %H:%M:%S")"#),
            (json!("Mon, 10 Jun 2024 12:34:56 GMT"), r#"t | date("%a, %d %b %Y %H:%M:%S GMT")"#),
            (json!(1_718_022_896_789_i64), "t | millis"),
            (json!("1718022896789"), "t | millis"),
            (json!(1_718_022_896), "t | seconds"),
            (json!("2024-06-10"), r#"t | date("%Y-%m-%d")"#),
        ] {
            let form = time(&value, true).unwrap_or_else(|| panic!("{value}"));
            assert_eq!((form.of("t").as_str(), form.quoted), (expected, value.is_string()), "{value}");
        }
        for value in [json!(1_718_022_896), json!("2024-06-10"), json!("hello"), json!(5), json!(null)] {
            assert_eq!(time(&value, false), None, "{value}");
        }
    }

    #[test]
    fn ids_by_their_look() {
        for (id, word) in [
            (json!(7), "integer"),
            (json!("7"), "integer"),
            (json!("01900224-fc95-72c5-b3ec-999d8db75f20"), "uuid"),
            (json!("6666f2f06447737dbb0dd91d"), "objectid"),
            (json!("USR7K2M9Q"), "USR[A-Z0-9]{6}"),
            (json!("usr_2x9fk3ab"), "usr_[a-z0-9]{8}"),
            (json!("p0zx3k9w1q8m2ab"), "[a-z0-9]{15}"),
        ] {
            assert_eq!(id_word(&id).as_deref(), Some(word), "{id}");
        }
        assert_eq!(id_word(&json!("not an id")), None);
    }

    #[test]
    fn tokens_by_their_characters() {
        let lower = "r:0123456789abcdefghijklmnopqrstuv";
        assert_eq!(token_recipe(lower), ("r:[a-z0-9]{32}".into(), false));
        assert_eq!(token_recipe(&"0f".repeat(20)), ("[a-f0-9]{40}".into(), false));
        let uuid = "3f2b8c1e-7d4a-4e9b-8c61-5a0f9e2d7b34";
        let (recipe, longer) = token_recipe(uuid);
        assert_eq!(
            (recipe.as_str(), longer),
            ("[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}", false)
        );
        assert_eq!(token_recipe("abcdefgh12345678"), ("[a-z0-9]{25}".into(), true));
        assert!(token_recipe("k9/x+Zq3/abcDEF01234567890==").0.starts_with("[A-Za-z0-9+/]"));
        assert!(!is_token("token_type", "Bearer") && is_token("refreshToken", &"a1".repeat(10)));
    }

    #[test]
    fn a_jwt_has_claims() {
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6IjciLCJpYXQiOjEsImV4cCI6MzYwMX0.x";
        assert_eq!(claims(token).map(Json::Object), Some(json!({ "id": "7", "iat": 1, "exp": 3601 })));
        assert_eq!(claims("a.b.c"), None);
    }

    #[test]
    fn lifetimes_as_contracts_write_them() {
        let texts = [3600, 900, 1_209_600, 90, 0, i64::MAX].map(lifetime);
        assert_eq!(texts, ["1h", "15m", "14d", "90s", "1h", "1h"]);
    }
}
