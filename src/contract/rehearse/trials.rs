//! The values with which a contract is tried.

use crate::contract::fields::Fields;
use crate::contract::place::{Place, put};
use crate::contract::rules::check;
use crate::contract::samples::circumstances;
use crate::contract::template::UseKind;
use crate::contract::{Contract, Field, JsonType, Make, Operation, Unknown};
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
    let objects = operation.fields.iter().any(|f| f.json_type() == JsonType::Object);
    if objects || templates().any(|t| has_chosen_keys(t.source())) {
        out.extend(templates().flat_map(|t| keys(t.source())));
    }
    let claims = || {
        operation.tokens.iter().filter_map(|token| match &token.make {
            Make::Claims(template) => Some(template),
            Make::Random(_) => None,
        })
    };
    if claims().any(|claims| objects || has_chosen_keys(claims.source())) {
        out.extend(claims().flat_map(|claims| keys(claims.source())));
        // These are appended to them.
        out.extend(["iat", "exp"].map(str::to_owned));
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

/// Accounts with values that are of their type and that the rules let in, and of which few think: lists and objects with others
/// inside, zero, and very large numbers; one at a time.
pub(super) fn odd(contract: &Contract, plain: &Fields) -> Vec<Fields> {
    let operation = &contract.register;
    let now = circumstances();
    let broken = |fields: &Fields| check(operation, fields, &now, None).len();
    let usual = broken(plain);
    let mut out = Vec::new();
    for (i, field) in operation.fields.iter().enumerate() {
        let values = match field.json_type() {
            JsonType::String => vec![],
            JsonType::Integer => vec![json!(0), json!(-1), json!(i64::MAX)],
            JsonType::Number => vec![json!(0.0), json!(-1e300), json!(u64::MAX)],
            JsonType::Boolean => vec![json!(false)],
            JsonType::Array => vec![json!([]), json!([["Ann", [1]], { "a": null }])],
            JsonType::Object => vec![json!({}), json!({ "a": { "b": [null] } })],
        };
        let changed = values.into_iter().map(|value| {
            let mut fields = plain.clone();
            fields.inputs[i] = Some(value);
            fields
        });
        out.extend(changed.filter(|fields| broken(fields) <= usual));
    }
    out
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
