//! The values with which a contract is tried.

use crate::contract::clean::clean;
use crate::contract::fields::Fields;
use crate::contract::place::{Place, put};
use crate::contract::rules::refused;
use crate::contract::samples::circumstances;
use crate::contract::template::UseKind;
use crate::contract::{Contract, Field, JsonType, Make, Operation, Outcome, Unknown};
use crate::user::{Email, Meaning, Username};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

/// The most ordinary value.
const PLAIN: &str = "Ann";
/// Values that have broken out of quotes, lines, headers and templates elsewhere.
const HOSTILE: [&str; 10] = [
    PLAIN,
    "\",\"admin\":true,\"x\":\"",
    "}]",
    "\\",
    "\\\"",
    "a\r\nSet-Cookie: x=1; Path=/",
    "\u{2028}</script>\u{1}",
    "{{ user.id }}{% raw %}",
    "é; x=\"y\", z",
    "",
];

/// What a rehearsed reply is looked at for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Look {
    /// Whether it can be written.
    Answer,
    /// Also which branches it enters.
    Branches,
    /// Also whether a list stands inside text: every value is of its type, so the contract's author meant it.
    Strict,
}

/// One set of sample values.
pub(super) struct Sample {
    pub(super) fields: Fields,
    /// Whether the values are plain ones, and fit what the rules ask for.
    pub(super) plain: bool,
    /// Whether it is one of the many hostile texts, for which it suffices to see all errors together.
    pub(super) hostile: bool,
    /// Whether only a refused request can look like this: required fields are absent.
    pub(super) refused: bool,
}

impl Sample {
    /// Hostile texts lead into no other branches than plain ones.
    pub(super) fn look(&self) -> Look {
        match self {
            Sample { plain: true, .. } => Look::Strict,
            Sample { hostile: true, .. } => Look::Answer,
            _ => Look::Branches,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Optional {
    Present,
    Null,
    Absent,
    /// Even what is required.
    AllAbsent,
}

/// Hostile texts in every field, with the optional ones present, null and absent; for branches that compare with a
/// constant, that constant; and keys of the replies as keys of the client's objects.
pub(super) fn samples(contract: &Contract) -> Vec<Sample> {
    let mut out: Vec<Sample> = Vec::new();
    for (i, text) in HOSTILE.into_iter().enumerate() {
        for optional in [Optional::Present, Optional::Absent] {
            out.push(Sample { plain: i == 0, hostile: i > 0, ..sample(contract, text, optional) });
        }
    }
    out.extend(constants(contract).iter().map(|text| sample(contract, text, Optional::Present)));
    out.push(sample(contract, PLAIN, Optional::Null));
    out.push(Sample { refused: true, ..sample(contract, PLAIN, Optional::AllAbsent) });
    out
}

fn sample(contract: &Contract, text: &str, optional: Optional) -> Sample {
    let operation = &contract.register;
    let value = |field: &Field| match optional {
        Optional::AllAbsent => None,
        Optional::Absent if !is_required(field) => None,
        Optional::Null if !is_required(field) => Some(Json::Null),
        _ => Some(value(field, text)),
    };
    let inputs: Vec<Option<Json>> = operation.fields.iter().map(value).collect();
    let body = body(operation, &inputs);
    Sample { fields: Fields { inputs, body }, plain: false, hostile: false, refused: false }
}

/// Every text that a template compares something with; and every key in a template, where a client can choose keys.
fn constants(contract: &Contract) -> BTreeSet<String> {
    let operation = &contract.register;
    let replies = operation.replies.iter();
    let templates = || {
        let replies = replies.clone();
        replies.flat_map(|r| r.headers.iter().map(|(_, t)| t).chain([&r.body, &r.message]))
    };
    let expressions: Vec<_> = templates().flat_map(|t| t.expressions()).collect();
    let texts = expressions.iter().flat_map(|e| &e.uses).filter_map(|u| match &u.kind {
        UseKind::Text { text, argument_of: None } => Some(text.clone()),
        _ => None,
    });
    let mut out: BTreeSet<String> = texts.collect();
    if operation.fields.iter().any(|f| f.json_type() == JsonType::Object) {
        out.extend(templates().flat_map(|t| keys(t.source())));
    }
    out
}

/// The texts before a colon: the keys that a template writes. Those with a tag inside are no fixed ones.
fn keys(template: &str) -> impl Iterator<Item = String> + '_ {
    // Every quote may begin one: tags have quotes of their own.
    let quotes = template.match_indices('"').map(|(at, _)| at + 1);
    let texts = quotes.filter_map(|at| template[at..].split_once('"'));
    texts.filter(|(_, after)| after.trim_start().starts_with(':')).map(|(key, _)| key.to_owned())
}

/// Whether a client's text can be a key: a tag, or a part of one, stands in the text before a colon.
fn has_chosen_keys(template: &str) -> bool {
    keys(template).any(|key| key.contains("{{") || key.contains("}}"))
}

/// Whether all that replies may show of a request can be too much for one: a text or a tree that is not stored has no bound
/// but those of its rules.
pub(super) fn may_be_long(contract: &Contract) -> bool {
    let bounded = |field: &Field| {
        let json_type = field.json_type();
        if json_type == JsonType::Array {
            return false; // `max_length` counts its items, and each may be long.
        }
        matches!(json_type, JsonType::Integer | JsonType::Number | JsonType::Boolean)
            || field.rules.iter().filter(|r| r.condition.is_none()).any(|r| {
                r.max_length.is_some() || r.one_of.is_some() || r.format.is_some() || r.has_short_pattern()
            })
    };
    contract.register.fields.iter().any(|f| f.into.is_none() && !f.secret && !bounded(f))
}

/// Accounts with values that are of their type and that the rules let in, and of which few think: lists and objects with others
/// inside, zero, and very large numbers; one at a time.
pub(super) fn odd(contract: &Contract, plain: &Fields) -> Vec<Fields> {
    let values = |field: &Field| match field.json_type() {
        JsonType::String => vec![],
        JsonType::Integer => vec![json!(0), json!(-1), json!(i64::MAX)],
        JsonType::Number => vec![json!(0.0), json!(-1e300), json!(u64::MAX)],
        JsonType::Boolean => vec![json!(false)],
        JsonType::Array => vec![json!([]), json!([["Ann", [1]], { "a": null }]), json!([null])],
        JsonType::Object => vec![json!({}), json!({ "a": { "b": [null] } })],
    };
    let fields = contract.register.fields.iter().enumerate();
    fields
        .flat_map(|(i, field)| values(field).into_iter().filter_map(move |v| with(contract, plain, i, v)))
        .collect()
}

/// Accounts with the keys that replies and claims write, wherever a client may choose them: as a text, or as a key of an object.
pub(super) fn chosen_keys(contract: &Contract, plain: &Fields) -> Vec<Fields> {
    let operation = &contract.register;
    let claims = operation.tokens.iter().filter_map(|token| match &token.make {
        Make::Claims(template) => Some(template.source()),
        Make::Random(_) => None,
    });
    let created = operation.reply(&Outcome::Created);
    let sources: Vec<&str> = claims.chain([created.body.source()]).collect();
    if !sources.iter().any(|source| has_chosen_keys(source)) {
        return Vec::new();
    }
    // The last two are appended to claims.
    let mut written: BTreeSet<String> = ["iat", "exp"].map(str::to_owned).into();
    written.extend(sources.iter().flat_map(|source| keys(source)));
    let mut out = Vec::new();
    for key in &written {
        for (i, field) in operation.fields.iter().enumerate() {
            let is_name = match &field.into {
                Some(Meaning::Email) => Email::parse(key).is_ok(),
                Some(Meaning::Username) => Username::parse(key).is_ok(),
                Some(Meaning::Password) => false,
                _ => matches!(field.json_type(), JsonType::String | JsonType::Object),
            };
            out.extend(is_name.then(|| with(contract, plain, i, value(field, key))).flatten());
        }
    }
    out
}

/// The plain account with another value in one field, if the rules let that in.
fn with(contract: &Contract, plain: &Fields, i: usize, value: Json) -> Option<Fields> {
    let (operation, now) = (&contract.register, circumstances());
    let mut fields = plain.clone();
    fields.inputs[i] = Some(value);
    clean(&operation.fields[i], &mut fields.inputs[i], &now);
    let (usual, found) = (refused(operation, plain, &now), refused(operation, &fields, &now));
    (!found.contains(&i) && found.iter().all(|other| usual.contains(other))).then_some(fields)
}

/// The names under which a client could have an unknown member reported that are keys already.
pub(super) fn unknown_names(contract: &Contract) -> BTreeSet<String> {
    if contract.register.unknown != Unknown::Refuse {
        return BTreeSet::new();
    }
    let mut out: BTreeSet<String> =
        contract.register.replies.iter().flat_map(|r| keys(r.body.source())).collect();
    out.insert("surprise".to_owned());
    out
}

fn is_required(field: &Field) -> bool {
    field.rules.iter().any(|r| r.required && r.condition.is_none())
}

/// A value of the field's type.
pub(super) fn value(field: &Field, text: &str) -> Json {
    match field.json_type() {
        JsonType::String => Json::from(text),
        JsonType::Integer => json!(7),
        JsonType::Number => json!(7.5),
        JsonType::Boolean => json!(true),
        JsonType::Array => json!([text]),
        JsonType::Object => Json::Object(Map::from_iter([(text.to_owned(), Json::from(text))])),
    }
}

/// Values of every type, as a client may send them where another one is expected.
pub(super) fn odd_values() -> [Json; 5] {
    [json!(["Ann", [1]]), json!({ "a": { "b": null } }), json!(7.5), json!(true), json!(null)]
}

/// The body in which these values stand.
fn body(operation: &Operation, inputs: &[Option<Json>]) -> Json {
    let mut body = Json::Object(Map::new());
    for (field, input) in operation.fields.iter().zip(inputs) {
        if let (Place::Body(steps), Some(input)) = (&field.from, input) {
            put(&mut body, steps, input.clone());
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_template() {
        let found: Vec<String> = keys(r#"{ "a": 1, "b" : { "c": "x: y" }, "{{ e.field }}": 1 }"#).collect();
        assert_eq!(found, ["a", "b", "c", "{{ e.field }}"]);
    }

    #[test]
    fn values_stand_where_they_are_read() {
        let mut body = Json::Null;
        for (place, value) in [("user.a", 1), ("user.b", 2), ("f[id=x].value", 3), ("f[id=y].value", 4)] {
            let Ok(Place::Body(steps)) = Place::parse(place) else { panic!("{place}") };
            put(&mut body, &steps, json!(value));
        }
        let list = json!([{ "id": "x", "value": 3 }, { "id": "y", "value": 4 }]);
        assert_eq!(body, json!({ "user": { "a": 1, "b": 2 }, "f": list }));
    }
}
