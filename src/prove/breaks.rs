//! Values that break the rules of a field, as far as the words of the rules tell how.

use super::values::fit;
use crate::contract::{Field, JsonType, Rule};
use crate::user::Meaning;
use serde_json::{Value as Json, json};

/// A value that breaks a rule.
pub(super) struct Broken {
    /// What a case's name says: `too-short`.
    pub(super) name: String,
    /// For people.
    pub(super) about: String,
    pub(super) value: Json,
}

/// Values that break a field's rules, one rule each, as far as its words tell.
pub(super) fn breaks(field: &Field, good: &str) -> Vec<Broken> {
    let mut out: Vec<Broken> = Vec::new();
    let mut add = |name: &str, about: &str, value: Json| {
        out.push(Broken { name: name.to_owned(), about: about.to_owned(), value });
    };
    let (least, most) = field.lengths();
    let text = field.json_type() == JsonType::String;
    if text && least > 1 {
        add("too-short", &format!("is one character shorter than {least}"), json!(fit(good, 0, least - 1)));
    }
    if text && most < usize::MAX {
        add(
            "too-long",
            &format!("is one character longer than {most}"),
            json!(fit(good, most + 1, most + 1)),
        );
    }
    if address(field) {
        add("no-address", "is no address", json!("not an address"));
        add("without-domain", "has nothing behind the @", json!(format!("{}@", local(good))));
        add("without-dot", "has a domain of one word", json!(format!("{}@localhost", local(good))));
    } else if let Some(format) = field.rules.iter().find_map(|r| r.format) {
        add("bad-format", &format!("is no {format}"), json!(fit("not one", least, most)));
    }
    if field.rules.iter().any(|r| r.one_of.is_some()) && text {
        add("not-listed", "is none of the listed values", json!("not-listed"));
    }
    if field.rules.iter().any(|r| r.secret.is_some()) {
        add("wrong-secret", "is not the secret", json!("not-the-secret"));
    }
    for (at, value) in broken_patterns(field, good).into_iter().enumerate() {
        let name = if at == 0 { "bad-pattern".to_owned() } else { format!("bad-pattern-{}", at + 1) };
        add(&name, &format!("does not match pattern {}", at + 1), json!(value));
    }
    out
}

/// For each pattern of a field a text that it does not match while the others do, if one is found.
fn broken_patterns(field: &Field, good: &str) -> Vec<String> {
    let (least, most) = field.lengths();
    let without = |drop: fn(char) -> bool| good.chars().filter(|c| !drop(*c)).collect::<String>();
    let tries: Vec<String> = [
        good.to_lowercase(),
        good.to_uppercase(),
        without(|c| c.is_ascii_digit()),
        without(|c| !c.is_alphanumeric()),
        without(char::is_alphabetic),
        without(char::is_uppercase),
        without(char::is_lowercase),
        format!("{good} !"),
        format!("!{good}"),
        "!".to_owned(),
        "abcdefgh".to_owned(),
        "12345678".to_owned(),
    ]
    .into_iter()
    .map(|text| fit(&text, least, most))
    .collect();
    let patterns: Vec<_> = field.rules.iter().flat_map(|r| &r.patterns).collect();
    let breaks_only = |at: usize, text: &str| {
        patterns.iter().enumerate().all(|(other, p)| p.is_match(text) == (other != at)) && !text.is_empty()
    };
    let found = |at: usize| {
        let alone = tries.iter().find(|text| breaks_only(at, text));
        alone.or_else(|| tries.iter().find(|text| !text.is_empty() && !patterns[at].is_match(text))).cloned()
    };
    (0..patterns.len()).filter_map(found).collect()
}

fn local(address: &str) -> &str {
    address.split('@').next().unwrap_or(address)
}

pub(super) fn address(field: &Field) -> bool {
    field.into == Some(Meaning::Email) || field.rules.iter().any(|r: &Rule| r.format == Some("email"))
}

/// Whether a field takes any text, within its lengths and patterns.
pub(super) fn free_text(field: &Field) -> bool {
    let bound = |r: &Rule| r.format.is_some() || r.one_of.is_some() || r.secret.is_some();
    field.json_type() == JsonType::String && !address(field) && !field.rules.iter().any(bound)
}

/// Types that a field does not have.
pub(super) fn wrong_types(field: &Field) -> Vec<(&'static str, JsonType)> {
    let own = field.json_type();
    let numeric = |t: JsonType| matches!(t, JsonType::Integer | JsonType::Number);
    let all = [
        ("string", JsonType::String),
        ("number", JsonType::Number),
        ("boolean", JsonType::Boolean),
        ("array", JsonType::Array),
        ("object", JsonType::Object),
    ];
    all.into_iter().filter(|(_, t)| *t != own && !(numeric(*t) && numeric(own))).collect()
}
