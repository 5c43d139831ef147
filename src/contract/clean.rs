//! `clean`: what is made of a value before the rules look at it.

use super::circumstances::Circumstances;
use super::field::Field;
use super::fields::Fields;
use super::operation::Operation;
use super::template::{Absent, Room, Time, seen, write_json};
use minijinja::Value;
use serde_json::Value as Json;

/// The same after `clean`.
pub(super) fn cleaned(operation: &Operation, mut fields: Fields, now: &Circumstances) -> Fields {
    for (field, input) in operation.fields.iter().zip(&mut fields.inputs) {
        clean(field, input, now);
    }
    fields
}

/// `clean` sees the value alone. When it cannot be applied (a number is not trimmed), the value stays as it is and
/// the rules say what is wrong with it.
pub(super) fn clean(field: &Field, input: &mut Option<Json>, now: &Circumstances) {
    let Some(clean) = &field.clean else { return };
    let Ok(value) = clean.eval(&clean_scene(input.as_ref(), now), &[]) else { return };
    if let Some(json) = to_json(&value) {
        *input = Some(json);
    }
}

/// Whether `clean` makes a value where none was sent, as a default does.
pub(super) fn has_default(field: &Field, now: &Circumstances) -> bool {
    let mut input = None;
    clean(field, &mut input, now);
    input.is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
}

/// What `clean` sees.
pub(super) fn clean_scene(input: Option<&Json>, now: &Circumstances) -> Value {
    Room::value(
        "clean",
        vec![
            ("value".into(), seen(input)),
            ("now".into(), Time::value(now.now)),
            ("random".into(), now.random()),
        ],
    )
}

/// A template value as JSON; what was not sent has none.
fn to_json(value: &Value) -> Option<Json> {
    let mut text = String::new();
    write_json(&mut text, value).ok()?;
    let absent = value.is_undefined() || value.downcast_object_ref::<Absent>().is_some();
    if absent { None } else { serde_json::from_str(&text).ok() }
}
