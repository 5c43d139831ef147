//! The values with which a contract is tried.

use crate::contract::fields::Fields;
use crate::contract::place::{Place, put};
use crate::contract::template::UseKind;
use crate::contract::{Contract, Field, JsonType, Operation, Unknown};
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

/// The texts before a colon: the keys that a template writes.
fn keys(template: &str) -> impl Iterator<Item = String> + '_ {
    let before = template.split(':').filter_map(|part| part.trim_end().strip_suffix('"'));
    before.filter_map(|part| part.rsplit_once('"')).map(|(_, key)| key.to_owned())
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
