//! Kinds of values that differ from answer to answer: ids, times, tokens, hashes. Where Vestibule's own answer is
//! another one each time, the old backend's value must be of the same kind, not the same.

use crate::contract::{Contract, Make};
use crate::user::{IdKind, Recipe};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
use regex::{Captures, Regex};
use serde_json::{Map, Value as Json};
use std::fmt;
use std::sync::LazyLock;

/// Two times that are meant to be the same may be this many seconds apart: clocks differ.
const TOLERANCE: i64 = 600;

/// What kind of value a text or number is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters that stand in every answer.
    Literal(String),
    Integer,
    Number,
    Uuid,
    ObjectId,
    /// A time: how it is written, and how many seconds after the answer it lies.
    Time {
        format: String,
        after: i64,
    },
    /// A password hash in the modular or PHC format, by its algorithm.
    PasswordHash(String),
    /// Hexadecimal digits, this many of them.
    Hex(usize),
    /// Random text: its length and its characters.
    Opaque {
        length: usize,
        class: &'static str,
    },
    /// What the contract itself says: `USR[A-Z0-9]{6}`.
    Recipe(String),
}

impl Kind {
    /// Whether one may stand for the other.
    pub(super) fn is_like(&self, other: &Kind) -> bool {
        match (self, other) {
            (Kind::Time { format: f, after: a }, Kind::Time { format: g, after: b }) => {
                let tolerance = if f.contains("hh") || f.contains("since") { TOLERANCE } else { 86_400 };
                f == g && (a - b).abs() <= tolerance
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Literal(text) => f.write_str(text),
            Kind::Integer => f.write_str("an integer"),
            Kind::Number => f.write_str("a number"),
            Kind::Uuid => f.write_str("a UUID"),
            Kind::ObjectId => f.write_str("an ObjectId of 24 hex digits"),
            Kind::Time { format, after } => match after.abs() <= TOLERANCE {
                true => write!(f, "a time ({format}), now"),
                false => write!(f, "a time ({format}), {}", away(*after)),
            },
            Kind::PasswordHash(algorithm) => write!(f, "a {algorithm} hash"),
            Kind::Hex(digits) => write!(f, "{digits} hex digits"),
            Kind::Opaque { length, class } => write!(f, "{length} random characters ({class})"),
            Kind::Recipe(text) => write!(f, "text like {text}"),
        }
    }
}

/// `3600` seconds as "1h from now".
fn away(seconds: i64) -> String {
    let side = if seconds < 0 { "ago" } else { "from now" };
    format!("{} {side}", span(seconds.abs()))
}

/// Seconds as people and contracts write them: `1h`, `14d`.
pub(super) fn span(seconds: i64) -> String {
    for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "m")] {
        if seconds != 0 && seconds % unit == 0 {
            return format!("{}{name}", seconds / unit);
        }
    }
    format!("{seconds}s")
}

/// A text as a row of kinds: `/users/7` is the literal `/users/` and an integer.
pub(super) fn is_like(a: &[Kind], b: &[Kind]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_like(b))
}

/// How a row of kinds is told to people.
pub(super) fn describe(kinds: &[Kind]) -> String {
    match kinds {
        [one] => one.to_string(),
        many => many
            .iter()
            .map(|k| if matches!(k, Kind::Literal(_)) { k.to_string() } else { format!("<{k}>") })
            .collect(),
    }
}

/// What the contract says about its own random texts.
#[derive(Debug, Default)]
pub(super) struct Recipes(Vec<Recipe>);

impl Recipes {
    pub(super) fn of(contract: &Contract) -> Recipes {
        let ids = match &contract.id {
            IdKind::Text(recipe) => vec![recipe.clone()],
            _ => Vec::new(),
        };
        let tokens = contract.register.tokens.iter().filter_map(|t| match &t.make {
            Make::Random(recipe) => Some(recipe.clone()),
            Make::Claims(_) => None,
        });
        Recipes(ids.into_iter().chain(tokens).collect())
    }

    /// The kinds of a text in an answer given at `at`.
    pub(super) fn kinds(&self, text: &str, at: Timestamp) -> Vec<Kind> {
        if let Some(recipe) = self.0.iter().find(|recipe| recipe.matches(text)) {
            return vec![Kind::Recipe(recipe.to_string())];
        }
        let mut out = Vec::new();
        let mut end = 0;
        for found in VALUE.captures_iter(text) {
            let (Some(whole), Some(kind)) = (found.get(0), kind(&found, at)) else { continue };
            if whole.start() > end {
                out.push(Kind::Literal(text[end..whole.start()].to_owned()));
            }
            out.push(kind);
            end = whole.end();
        }
        let one_word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+/=-.~".contains(&b));
        if end == 0 && !text.is_empty() && one_word {
            let class = class(text);
            return vec![Kind::Opaque { length: text.chars().count(), class }];
        }
        if end < text.len() {
            out.push(Kind::Literal(text[end..].to_owned()));
        }
        out
    }
}

/// The kind of a number in an answer given at `at`.
pub(super) fn number(value: &serde_json::Number, at: Timestamp) -> Kind {
    let Some(integer) = value.as_i64() else {
        let seconds = value.as_f64().filter(|s| (s - at.as_second() as f64).abs() < YEARS as f64);
        return match seconds {
            Some(s) => Kind::Time { format: SECONDS_FRACTION.to_owned(), after: s as i64 - at.as_second() },
            None => Kind::Number,
        };
    };
    since_1970(integer, at).unwrap_or(Kind::Integer)
}

/// Numbers this many seconds around the answer's time are times: about three years.
const YEARS: i64 = 3 * 366 * 86_400;
const SECONDS: &str = "seconds since 1970";
const SECONDS_FRACTION: &str = "seconds since 1970 with a fraction";
const MILLISECONDS: &str = "milliseconds since 1970";

fn since_1970(integer: i64, at: Timestamp) -> Option<Kind> {
    let near = |seconds: i64| Some(seconds - at.as_second()).filter(|after| after.abs() < YEARS);
    let time = |format: &str, after: i64| Kind::Time { format: format.to_owned(), after };
    if let Some(after) = near(integer) {
        return Some(time(SECONDS, after));
    }
    near(integer / 1000).map(|after| time(MILLISECONDS, after))
}

static VALUE: LazyLock<Regex> = LazyLock::new(|| {
    let parts = [
        r"(?P<uuid>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b)",
        r"(?P<hash>\$(?:2[abxy]|argon2id?|argon2i|scrypt|pbkdf2[a-z0-9-]*|[156])\$[A-Za-z0-9./+=,$-]{20,})",
        r"(?P<iso>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|[+-]\d\d:?\d\d))?)?)",
        r"(?P<http>\b[A-Z][a-z]{2}, \d\d[ -][A-Z][a-z]{2}[ -]\d{4} \d\d:\d\d:\d\d (?:GMT|[+-]\d{4}))",
        r"(?P<objectid>\b[0-9a-f]{24}\b)",
        r"(?P<hex>\b(?:[0-9a-f]{128}|[0-9a-f]{96}|[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})\b)",
        r"(?P<opaque>[A-Za-z0-9_+=-]{16,})",
        r"(?P<integer>\b[0-9]+\b)",
    ];
    Regex::new(&parts.join("|")).expect("a test compiles it")
});

fn kind(found: &Captures<'_>, at: Timestamp) -> Option<Kind> {
    let group = |name: &str| found.name(name).map(|m| m.as_str());
    if group("uuid").is_some() {
        return Some(Kind::Uuid);
    }
    if let Some(hash) = group("hash") {
        return Some(Kind::PasswordHash(hash.split('$').nth(1).unwrap_or_default().to_owned()));
    }
    if let Some(text) = group("iso") {
        return Some(iso(text, at));
    }
    if let Some(text) = group("http") {
        let moment = jiff::fmt::rfc2822::parse(&text.replace('-', " ")).ok().map(|z| z.timestamp());
        return Some(time("Www, dd Mmm yyyy hh:mm:ss GMT", moment, at));
    }
    if group("objectid").is_some() {
        return Some(Kind::ObjectId);
    }
    if let Some(hex) = group("hex") {
        return Some(Kind::Hex(hex.len()));
    }
    if let Some(text) = group("opaque") {
        // Words joined by hyphens are words.
        let random = text.bytes().any(|b| b.is_ascii_digit());
        return random.then(|| Kind::Opaque { length: text.len(), class: class(text) });
    }
    let integer = group("integer")?.parse().ok()?;
    Some(since_1970(integer, at).unwrap_or(Kind::Integer))
}

fn time(format: &str, moment: Option<Timestamp>, at: Timestamp) -> Kind {
    // A time that no calendar has is as far away as can be.
    let after = moment.map_or(i64::MAX / 2, |m| m.as_second() - at.as_second());
    Kind::Time { format: format.to_owned(), after }
}

/// RFC 3339 and its relatives: the digits become what they stand for; a time without a zone counts as UTC.
fn iso(text: &str, at: Timestamp) -> Kind {
    let mut format = String::from("yyyy-mm-dd");
    let rest = &text[10..];
    let letters = "Thh:mm:ss";
    let clock = rest.find(['Z', '+']).or_else(|| rest.rfind('-')).unwrap_or(rest.len());
    for (i, c) in rest[..clock].chars().enumerate() {
        let named = letters.chars().nth(i).filter(|_| c.is_ascii_digit());
        format.push(named.unwrap_or(if c.is_ascii_digit() { 'f' } else { c }));
    }
    let zone = &rest[clock..];
    format.push_str(zone);
    let plain = text[..10 + clock].trim().replacen(' ', "T", 1).replace(',', ".");
    let zoned: Option<Timestamp> = format!("{plain}{zone}").parse().ok();
    let utc = || {
        let civil: civil::DateTime =
            plain.parse().ok().or_else(|| Some(plain.parse::<civil::Date>().ok()?.at(0, 0, 0, 0)))?;
        civil.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp())
    };
    time(&format, zoned.or_else(utc), at)
}

/// Characters that a random text is made of. Small classes are not told apart where chance alone could.
fn class(text: &str) -> &'static str {
    let all = |test: fn(u8) -> bool| text.bytes().all(test);
    if all(|b| b.is_ascii_digit()) {
        "digits"
    } else if all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        "hex digits"
    } else if all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()) {
        "small letters and digits"
    } else if all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
        "capital letters and digits"
    } else if all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'/' | b'=')) {
        "letters and digits"
    } else {
        "any characters"
    }
}

/// A JSON Web Token, read but not verified.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Jwt {
    pub(super) algorithm: String,
    /// Without `iat` and `exp`.
    pub(super) claims: Map<String, Json>,
    pub(super) issued: Option<i64>,
    pub(super) expires: Option<i64>,
}

impl Jwt {
    /// Reads the compact serialisation (RFC 7515, section 3.1).
    pub(super) fn read(text: &str) -> Option<Jwt> {
        let mut parts = text.split('.');
        let (header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let part = |text: &str| -> Option<Map<String, Json>> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()
        };
        let (header, mut claims) = (part(header)?, part(payload)?);
        let algorithm = header.get("alg")?.as_str()?.to_owned();
        let seconds = |claim: Option<Json>| claim.and_then(|v| v.as_f64()).map(|v| v as i64);
        let (issued, expires) = (seconds(claims.remove("iat")), seconds(claims.remove("exp")));
        Some(Jwt { algorithm, claims, issued, expires })
    }

    /// How long it is valid, in seconds.
    pub(super) fn lifetime(&self, at: Timestamp) -> Option<i64> {
        self.expires.map(|expires| expires - self.issued.unwrap_or_else(|| at.as_second()))
    }

    /// How it is told to people.
    pub(super) fn describe(&self, at: Timestamp) -> String {
        let lifetime = self.lifetime(at).map_or("forever".to_owned(), span);
        let claims: Vec<&str> = self.claims.keys().map(String::as_str).collect();
        format!("a JWT ({}; claims {}; valid {lifetime})", self.algorithm, claims.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2024-06-10T12:00:00Z".parse().unwrap()
    }

    fn told(text: &str) -> String {
        describe(&Recipes::default().kinds(text, at()))
    }

    #[test]
    fn values_are_told_by_kind() {
        for (text, kind) in [
            ("7", "an integer"),
            ("/users/7", "/users/<an integer>"),
            ("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "a UUID"),
            ("6666f2f06447737dbb0dd91d", "an ObjectId of 24 hex digits"),
            ("2024-06-10T12:00:01.789Z", "a time (yyyy-mm-ddThh:mm:ss.fffZ), now"),
            ("2024-06-10 12:00:01", "a time (yyyy-mm-dd hh:mm:ss), now"),
            ("2024-06-10T14:00:01+02:00", "a time (yyyy-mm-ddThh:mm:ss+02:00), now"),
            ("2024-06-10T14:00:00Z", "a time (yyyy-mm-ddThh:mm:ssZ), 2h from now"),
            ("2024-06-10 12:00:01,5 +00:00", "a time (yyyy-mm-dd hh:mm:ss,f +00:00), now"),
            ("2024-06-10", "a time (yyyy-mm-dd), 12h ago"),
            ("Mon, 10 Jun 2024 12:00:00 GMT", "a time (Www, dd Mmm yyyy hh:mm:ss GMT), now"),
            ("Mon, 10-Jun-2024 12:00:00 GMT", "a time (Www, dd Mmm yyyy hh:mm:ss GMT), now"),
            ("1718020800", "a time (seconds since 1970), now"),
            ("1718020800123", "a time (milliseconds since 1970), now"),
            ("r:0123456789abcdefghij", "r:<20 random characters (small letters and digits)>"),
            ("d41d8cd98f00b204e9800998ecf8427e", "32 hex digits"),
            ("$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "a 2b hash"),
            ("User 7 was created", "User <an integer> was created"),
            ("xyz", "3 random characters (small letters and digits)"),
        ] {
            assert_eq!(told(text), kind, "{text}");
        }
    }

    #[test]
    fn kinds_that_are_alike() {
        let alike = |a: &str, b: &str| {
            is_like(&Recipes::default().kinds(a, at()), &Recipes::default().kinds(b, at()))
        };
        assert!(alike("2024-06-10T12:00:01.789Z", "2024-06-10T12:05:00.000Z"));
        assert!(!alike("2024-06-10T12:00:01.789Z", "2024-06-10T12:00:01.789123Z"));
        assert!(!alike("2024-06-10T12:00:01.789Z", "2024-06-10T14:00:01.789Z"));
        assert!(alike("/users/7", "/users/123"));
        assert!(!alike("/users/7", "/user/7"));
        assert!(!alike("7", "6666f2f06447737dbb0dd91d"));
        assert!(!alike("Invalid value", "Invalid email"));
        let text = |n: i64| number(&n.into(), at());
        assert!(text(3).is_like(&text(4)) && !text(3).is_like(&text(1_718_020_800)));
    }

    #[test]
    fn the_contracts_own_patterns_come_first() {
        let recipes = Recipes(vec![Recipe::parse("USR[A-Z0-9]{6}").unwrap()]);
        assert_eq!(describe(&recipes.kinds("USRABC123", at())), "text like USR[A-Z0-9]{6}");
        assert_eq!(
            describe(&recipes.kinds("USRABC12", at())),
            "8 random characters (capital letters and digits)"
        );
    }

    #[test]
    fn tokens_are_read_without_a_key() {
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6IjY2NjZmMmYwNjQ0NzczN2RiYjBkZDkxZCIsImlhdCI6MTcxODAyMjg5NiwiZXhwIjoxNzE4MDI2NDk2fQ.qXPtXQ96I04TblZJWUCCn5yfuI8A09BHwVwyrLNvJhk";
        let jwt = Jwt::read(token).expect("a token");
        assert_eq!(jwt.describe(at()), "a JWT (HS256; claims id; valid 1h)");
        for bad in ["", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.e30", "2024.06.10"] {
            assert_eq!(Jwt::read(bad), None, "{bad}");
        }
    }
}
