//! What the templates of a reply see.

use super::tokens::{Tokens, tokens};
use super::user::{Registered, user};
use crate::contract::circumstances::Circumstances;
use crate::contract::fields::{Fields, echo, shown_inputs};
use crate::contract::operation::{Contract, Operation};
use crate::contract::outcome::{Outcome, phrase};
use crate::contract::refusal::FieldError;
use crate::contract::reply::{EncodeError, ReplyTemplate};
use crate::contract::template::{Name, Room, Time, from_json, seen};
use crate::contract::token::Mint;
use minijinja::Value;

/// What a refusal is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scene<'s> {
    /// What could be read of the request.
    pub fields: Option<&'s Fields>,
    /// The complaints.
    pub errors: &'s [FieldError],
    /// Why the body could not be read.
    pub reason: &'s str,
    /// Seconds after which a try makes sense (`throttled`, `busy`); a header says so too.
    pub retry_after: Option<u64>,
}

type Names = Vec<(Name, Value)>;

/// What the templates of a refusal see.
pub(in crate::contract) fn refused_scene(
    contract: &Contract,
    outcome: &Outcome,
    scene: Scene<'_>,
    now: &Circumstances,
) -> Result<Value, EncodeError> {
    let operation = &contract.register;
    let mut names = always(operation, outcome, scene.fields, now);
    let errors: Vec<Value> = scene.errors.iter().map(error).collect();
    names.push(("errors".into(), Value::from(errors)));
    names.push(("reason".into(), Value::from(scene.reason)));
    names.push(("retry_after".into(), Value::from(scene.retry_after.unwrap_or_default())));
    with_message(operation.reply(outcome), outcome, names)
}

/// What the templates of `created` see, and the tokens among it.
pub(in crate::contract) fn created_scene<'o>(
    contract: &'o Contract,
    fields: &Fields,
    registered: &Registered,
    mint: &Mint,
    now: &Circumstances,
) -> Result<(Value, Tokens<'o>), EncodeError> {
    let operation = &contract.register;
    let user = user(operation, fields, registered);
    let tokens = tokens(operation, fields, &user, mint, now)?;
    let members =
        tokens.iter().map(|(t, lazy)| (t.name.clone().into(), Value::from_dyn_object(lazy.clone())));
    let mut names = always(operation, &Outcome::Created, Some(fields), now);
    names.push(("tokens".into(), Room::value("tokens", members.collect())));
    names.push(("user".into(), user));
    let scene = with_message(operation.reply(&Outcome::Created), &Outcome::Created, names)?;
    Ok((scene, tokens))
}

/// The names that every outcome sees.
fn always(operation: &Operation, outcome: &Outcome, fields: Option<&Fields>, now: &Circumstances) -> Names {
    let ReplyTemplate { status, sees, .. } = *operation.reply(outcome);
    let mut names: Names = vec![
        ("status".into(), Value::from(status)),
        ("phrase".into(), Value::from(phrase(status))),
        ("outcome".into(), Value::from(outcome.name())),
    ];
    if sees.now {
        names.push(("now".into(), Time::value(now.now)));
    }
    if sees.random {
        names.push(("random".into(), now.random()));
    }
    if sees.request {
        names.push(("request".into(), request(operation, fields, now)));
    }
    if sees.input {
        names.push(("input".into(), shown_inputs(operation, fields)));
    }
    names
}

fn request(operation: &Operation, fields: Option<&Fields>, now: &Circumstances) -> Value {
    let body = match fields {
        Some(fields) if operation.echoes_body => from_json(&echo(operation, fields)),
        _ => Value::from_pairs(std::iter::empty::<(&str, Value)>()),
    };
    let members = vec![
        ("id".into(), Value::from(&*now.request_id)),
        ("path".into(), Value::from(&*now.path)),
        ("base_url".into(), Value::from(&*now.base_url)),
        ("body".into(), body),
    ];
    Room::value("request", members)
}

/// `e.value` is undefined when nothing was sent, and null when it is a secret.
fn error(error: &FieldError) -> Value {
    let value =
        error.value.as_ref().map_or_else(|| if error.sent { Value::from(()) } else { seen(None) }, from_json);
    Room::value(
        "an error",
        vec![
            ("field".into(), Value::from(&*error.field)),
            ("code".into(), from_json(&error.code)),
            ("message".into(), Value::from(error.message.as_str())),
            ("limit".into(), from_json(&error.limit)),
            ("value".into(), value),
        ],
    )
}

/// The outcome's message is a template too; the other templates see it as `message`.
fn with_message(template: &ReplyTemplate, outcome: &Outcome, mut names: Names) -> Result<Value, EncodeError> {
    let message = &template.message;
    let text = match message.literal() {
        Some(text) => Value::from(text),
        None => message
            .render(&Room::value("everything", names.clone()))
            .map(Value::from)
            .map_err(|e| EncodeError::new(outcome, "message".to_owned(), e, message.origin()))?,
    };
    names.push(("message".into(), text));
    Ok(Room::value("everything", names))
}
