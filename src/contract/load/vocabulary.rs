//! Which names stand for what, place by place.

use crate::contract::template::{Names, Shape};
use crate::contract::{Field, Reveal};
use crate::user::Meaning;
use std::collections::BTreeMap;

fn random() -> Shape {
    [("uuid", Shape::Value)].into_iter().collect()
}

/// `check` and `if`: every field, the password included.
pub(super) fn inputs(names: impl Iterator<Item = String>) -> Names {
    let inputs = names.map(|name| (name, Shape::Open)).collect();
    Names::new().with("value", Shape::Open).with("input", inputs).value("now")
}

/// `clean`: the value alone, so that nothing can be copied from another field.
pub(super) fn clean() -> Names {
    Names::new().with("value", Shape::Open).value("now").with("random", random())
}

/// A rule's message. Where the value is secret it may be asked about (`value is none`); writing it fails in the dry run.
pub(super) fn message(fields: &[Field]) -> Names {
    Names::new()
        .with("value", Shape::Open)
        .value("field")
        .with("limit", Shape::Open)
        .value("reason")
        .value("now")
        .with("input", shown(fields))
}

/// `input` as replies see it: without secrets.
fn shown(fields: &[Field]) -> Shape {
    fields.iter().map(|f| (&*f.name, if f.secret { Shape::Secret } else { Shape::Open })).collect()
}

fn always(fields: &[Field]) -> Names {
    let request =
        [("id", Shape::Value), ("path", Shape::Value), ("base_url", Shape::Value), ("body", Shape::Open)];
    ["status", "phrase", "message", "outcome", "now"]
        .iter()
        .fold(Names::new(), |names, name| names.value(name))
        .with("request", request.into_iter().collect())
        .with("random", random())
        .with("input", shown(fields))
}

/// Every outcome but `created`.
pub(super) fn refused(fields: &[Field]) -> Names {
    let error = ["field", "code", "message"].map(|name| (name, Shape::Value));
    let error = error.into_iter().chain(["limit", "value"].map(|name| (name, Shape::Open))).collect();
    always(fields).with("errors", Shape::List(Box::new(error))).value("reason").value("retry_after")
}

/// `created`.
pub(super) fn created(fields: &[Field], tokens: &[String], reveal: Reveal) -> Names {
    let tokens = tokens.iter().map(|name| (name, Shape::Token)).collect();
    always(fields).with("user", user(fields, reveal)).with("tokens", tokens)
}

/// A token's claims.
pub(super) fn claims(fields: &[Field], reveal: Reveal) -> Names {
    Names::new()
        .with("user", user(fields, reveal))
        .value("now")
        .with("random", random())
        .with("input", shown(fields))
}

fn user(fields: &[Field], reveal: Reveal) -> Shape {
    let mut members: BTreeMap<String, Shape> =
        ["id", "created_at", "updated_at"].iter().map(|name| ((*name).to_owned(), Shape::Value)).collect();
    if reveal.password_sha256 {
        members.insert("password_sha256".to_owned(), Shape::Value);
    }
    let mut extra = BTreeMap::new();
    for meaning in fields.iter().filter_map(|f| f.into.as_ref()) {
        match meaning {
            Meaning::Password => {}
            Meaning::Extra(name) => drop(extra.insert(name.clone(), Shape::Open)),
            meaning => drop(members.insert(meaning.to_string(), Shape::Value)),
        }
    }
    if !extra.is_empty() {
        members.insert("extra".to_owned(), Shape::Members(extra));
    }
    Shape::Members(members)
}
