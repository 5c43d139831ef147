//! The account as replies and claims see it.

use crate::contract::fields::{Fields, stored_value};
use crate::contract::operation::Operation;
use crate::contract::template::{Name, Room, Time, from_json};
use crate::user::Meaning;
use jiff::Timestamp;
use minijinja::Value;
use serde_json::Value as Json;
use std::sync::Arc;

/// The account that `created` tells about.
#[derive(Debug, Clone)]
pub struct Registered {
    /// `user.id`: a number or text.
    pub id: Json,
    /// `user.created_at` and `.updated_at`.
    pub at: Timestamp,
    /// `user.password_sha256`, when the contract reveals it.
    pub password_sha256: Option<String>,
}

pub(super) fn user(operation: &Operation, fields: &Fields, registered: &Registered) -> Value {
    let mut members: Vec<(Name, Value)> = vec![
        ("id".into(), from_json(&registered.id)),
        ("created_at".into(), Time::value(registered.at)),
        ("updated_at".into(), Time::value(registered.at)),
    ];
    let mut extra: Vec<(Name, Value)> = Vec::new();
    for field in &operation.fields {
        match &field.into {
            None | Some(Meaning::Password | Meaning::Id) => {}
            Some(meaning @ Meaning::Extra(name)) => {
                extra
                    .push((Arc::<str>::from(name.as_str()).into(), stored_value(operation, fields, meaning)));
            }
            Some(meaning) => {
                members.push((
                    Arc::<str>::from(meaning.to_string()).into(),
                    stored_value(operation, fields, meaning),
                ));
            }
        }
    }
    if let Some(digest) = &registered.password_sha256 {
        members.push(("password_sha256".into(), Value::from(digest.as_str())));
    }
    members.push(("extra".into(), Room::value("user.extra", extra)));
    Room::value("user", members)
}
