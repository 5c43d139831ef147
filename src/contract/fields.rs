//! What a client wrote, field by field, and how much of it may be shown.

use super::field::Field;
use super::guard;
use super::operation::Operation;
use super::place::{Place, Step};
use super::template::{Room, from_json, seen};
use crate::user::Meaning;
use minijinja::Value;
use serde_json::{Map, Value as Json};
use std::fmt;

/// What a client wrote, after `clean`: one value per field of the contract, in the contract's order.
#[derive(Clone)]
pub struct Fields {
    pub(crate) inputs: Vec<Option<Json>>,
    pub(crate) body: Json,
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields(..)") // It holds the password.
    }
}

/// The members of the body that no field names.
pub(super) fn unknown_members<'b>(
    operation: &'b Operation,
    body: &'b Json,
) -> impl Iterator<Item = (&'b String, &'b Json)> {
    let named = |key: &str| operation.fields.iter().any(|f| f.from.first_key() == Some(key));
    body.as_object().into_iter().flatten().filter(move |(key, _)| !named(key))
}

/// `input` as messages and replies see it: without secrets, and without what is not of its field's type, or a list
/// where no type is asked for (templates are tried with these; no client may choose what they do with others).
pub(super) fn shown_inputs(operation: &Operation, fields: Option<&Fields>) -> Value {
    let value = |i: usize| {
        let input = fields.and_then(|f| f.inputs.get(i)).and_then(Option::as_ref);
        seen(input.filter(|v| operation.fields[i].may_show(v)))
    };
    let shown = operation.fields.iter().enumerate().filter(|(_, f)| !f.secret);
    Room::value("input", shown.map(|(i, f)| (f.name.clone().into(), value(i))).collect())
}

/// The value of a field as a reply to its owner shows it: what was stored.
pub(super) fn stored_value(operation: &Operation, fields: &Fields, meaning: &Meaning) -> Value {
    let pairs = operation.fields.iter().zip(&fields.inputs);
    let found =
        pairs.into_iter().find(|(f, _)| f.into.as_ref() == Some(meaning)).and_then(|(_, v)| v.as_ref());
    found.map_or(Value::from(()), from_json)
}

/// The password, where it is still there.
pub(super) fn password_of<'f>(operation: &Operation, fields: &'f Fields) -> Option<&'f str> {
    let at = operation.fields.iter().position(Field::is_password)?;
    fields.inputs[at].as_ref()?.as_str()
}

/// The body cut down to what is stored, without the password: what `request.body` shows.
pub(super) fn echo(operation: &Operation, fields: &Fields) -> Json {
    let password = password_of(operation, fields);
    let stored = operation.fields.iter().filter(|f| f.into.is_some() && !f.secret);
    let paths: Vec<&[Step]> = stored
        .filter_map(|f| if let Place::Body(steps) = &f.from { Some(steps.as_slice()) } else { None })
        .collect();
    prune(&fields.body, &paths, password).unwrap_or_else(|| Json::Object(Map::new()))
}

fn prune(json: &Json, paths: &[&[Step]], password: Option<&str>) -> Option<Json> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(guard::without_passwords(json, password));
    }
    let mut out = Map::new();
    for (key, value) in json.as_object()? {
        let inner: Vec<&[Step]> = paths
            .iter()
            .filter(|path| matches!(path.first(), Some(Step::Key(k)) if k == key))
            .map(|path| &path[1..])
            .collect();
        if inner.is_empty() {
            continue;
        }
        if let Some(value) = prune(value, &inner, password) {
            out.insert(key.clone(), value);
        }
    }
    Some(Json::Object(out))
}
