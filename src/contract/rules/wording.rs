//! What is said about a broken demand: the rule's own words, the catalogue's, or plain English.

use super::demand::{Broken, Case};
use crate::contract::circumstances::Circumstances;
use crate::contract::field::{Field, Rule, Says};
use crate::contract::fields::shown_inputs;
use crate::contract::outcome::Outcome;
use crate::contract::refusal::FieldError;
use crate::contract::template::{Absent, Hidden, Room, Time, from_json, seen};
use minijinja::Value;
use serde_json::Value as Json;
use std::sync::Arc;

/// As much of an unknown member's name, which the client chose, as is reported.
const MOST_NAME: usize = 128;

impl Case<'_> {
    /// Puts a broken demand into words.
    pub(in crate::contract) fn say(
        &self,
        field: &Field,
        rule: Option<&Rule>,
        broken: Broken,
        input: Option<&Json>,
    ) -> FieldError {
        let catalogue = self.operation.says.get(broken.demand);
        let own = rule.filter(|r| !implicit_type(r, &broken) || catalogue.is_none()).map(|r| &r.says);
        let template =
            own.and_then(|s| s.message.as_ref()).or_else(|| catalogue.and_then(|s| s.message.as_ref()));
        let code = own.and_then(|s| s.code.clone()).or_else(|| catalogue.and_then(|s| s.code.clone()));
        let shown = self.operation.shows(field);
        let name = rule.and_then(|r| r.field.clone()).unwrap_or_else(|| field.name.clone());
        let message = match template {
            Some(template) => template.literal().map(str::to_owned).unwrap_or_else(|| {
                let value = if shown { seen(input) } else { hidden(input) };
                let scene = self.scene(&name, value, &broken);
                template.render(&scene).unwrap_or_else(|_| plain_english(&name, &broken))
            }),
            None => plain_english(&name, &broken),
        };
        FieldError {
            field: name,
            code: code.unwrap_or_else(|| broken.found.unwrap_or(broken.demand).into()),
            message,
            value: input.filter(|_| shown).cloned(),
            sent: input.is_some(),
            limit: broken.limit,
            proof: broken.proof,
            outcome: rule.and_then(|r| r.outcome.clone()).unwrap_or(Outcome::Invalid),
        }
    }

    /// The complaint about a member that no field names.
    pub(in crate::contract) fn unknown(&self, key: &str) -> FieldError {
        let says = self.operation.says.get("unknown");
        let name: Arc<str> = key.chars().take(MOST_NAME).collect::<String>().into();
        let broken = Broken::new("unknown", Json::Null);
        let scene = self.scene(&name, Value::from_object(Absent), &broken);
        let message = says.and_then(|s: &Says| s.message.as_ref()).and_then(|t| t.render(&scene).ok());
        FieldError {
            message: message.unwrap_or_else(|| plain_english(&name, &broken)),
            code: says.and_then(|s| s.code.clone()).unwrap_or_else(|| "unknown".into()),
            field: name,
            limit: Json::Null,
            value: None,
            sent: true,
            outcome: Outcome::Invalid,
            proof: None,
        }
    }

    /// What a message sees.
    fn scene(&self, field: &str, value: Value, broken: &Broken) -> Value {
        message_scene(
            Said { field, value, limit: &broken.limit, reason: &broken.reason },
            shown_inputs(self.operation, Some(self.fields)),
            self.now,
        )
    }
}

/// What a message is about.
pub(in crate::contract) struct Said<'s> {
    pub(in crate::contract) field: &'s str,
    pub(in crate::contract) value: Value,
    pub(in crate::contract) limit: &'s Json,
    pub(in crate::contract) reason: &'s str,
}

/// The names that a message sees.
pub(in crate::contract) fn message_scene(said: Said<'_>, input: Value, now: &Circumstances) -> Value {
    Room::value(
        "message",
        vec![
            ("field".into(), Value::from(said.field)),
            ("value".into(), said.value),
            ("limit".into(), from_json(said.limit)),
            ("reason".into(), Value::from(said.reason)),
            ("now".into(), Time::value(now.now)),
            ("input".into(), input),
        ],
    )
}

/// A type that no rule asks for is told in the catalogue's words, and only without them in the first rule's.
fn implicit_type(rule: &Rule, broken: &Broken) -> bool {
    broken.demand == "type" && rule.json_type.is_none()
}

/// A value that may be asked about (`is none`, `is undefined`, `== ""`) but not written.
pub(in crate::contract) fn hidden(input: Option<&Json>) -> Value {
    match input {
        Some(Json::String(text)) if text.is_empty() => Value::from(""),
        Some(Json::Null) | None => seen(input),
        Some(_) => Value::from_object(Hidden),
    }
}

/// What a rule says when nobody else does.
fn plain_english(field: &str, broken: &Broken) -> String {
    let limit = match &broken.limit {
        Json::String(text) => text.clone(),
        Json::Array(items) => {
            let texts = items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned));
            texts.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    match broken.demand {
        "required" => format!("{field} is required."),
        "type" => format!("{field} must be of type {limit}."),
        "enum" => format!("{field} must be one of: {limit}."),
        "min_length" => format!("{field} must have at least {limit} characters."),
        "max_length" => format!("{field} must have at most {limit} characters."),
        "format" | "meaning" if !broken.reason.is_empty() => format!("{field}: {}.", broken.reason),
        "format" => format!("{field} must be a valid {limit}."),
        "uncommon" | "proof" => format!("{field}: {}.", broken.reason),
        "unique" => format!("{field} is already in use."),
        "unknown" => format!("{field} is not expected here."),
        _ => format!("{field} is not valid."),
    }
}
