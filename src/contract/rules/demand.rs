//! What a rule demands of a value, and which of its demands is not met.

use super::format::well_formed;
use crate::contract::circumstances::Circumstances;
use crate::contract::field::{Field, Rule};
use crate::contract::fields::Fields;
use crate::contract::operation::Operation;
use crate::contract::template::{Expr, Room, Time, seen};
use crate::proof::Refused;
use crate::user::{Meaning, Password, weakness};
use minijinja::Value;
use serde_json::Value as Json;
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;

/// What the rules are asked about: the fields of one request, by one contract.
#[derive(Clone, Copy)]
pub(in crate::contract) struct Case<'c> {
    pub(in crate::contract) operation: &'c Operation,
    pub(in crate::contract) fields: &'c Fields,
    pub(in crate::contract) now: &'c Circumstances,
}

/// A demand that was not met, its parameter, and a reason where the demand knows one.
pub(in crate::contract) struct Broken {
    pub(super) demand: &'static str,
    pub(super) limit: Json,
    pub(super) reason: String,
    /// What was found, where a demand has more than one thing to find; the code unless the contract has one.
    pub(super) found: Option<&'static str>,
    pub(super) proof: Option<Refused>,
}

impl Broken {
    pub(in crate::contract) fn new(demand: &'static str, limit: impl Into<Json>) -> Broken {
        Broken { demand, limit: limit.into(), reason: String::new(), found: None, proof: None }
    }

    pub(super) fn unproven(refused: Refused) -> Broken {
        let (found, reason) = (Some(refused.code()), refused.reason().to_owned());
        Broken { reason, found, proof: Some(refused), ..Broken::new("proof", Json::Null) }
    }
}

impl Case<'_> {
    /// The first demand of a rule that a value does not meet.
    pub(super) fn demand(
        &self,
        field: &Field,
        rule: &Rule,
        value: &Json,
        input: Option<&Json>,
    ) -> Option<Broken> {
        if let Some(list) = rule.one_of.as_ref().filter(|list| !list.iter().any(|one| same(one, value))) {
            return Some(Broken::new("enum", list.clone()));
        }
        if let Some(length) = length(field, rule, value) {
            if let Some(least) = rule.min_length.filter(|least| length < *least) {
                return Some(Broken::new("min_length", least));
            }
            if let Some(most) = rule.max_length.filter(|most| length > *most) {
                return Some(Broken::new("max_length", most));
            }
        }
        // What is no text breaks the field's type, here or in another rule; these demands say nothing about it.
        let text = value.as_str().unwrap_or_default();
        if let Some(pattern) = rule.patterns.iter().find(|p| value.is_string() && !p.is_match(text)) {
            return Some(Broken::new("pattern", pattern.as_str()));
        }
        if let Some(format) = rule.format.filter(|_| value.is_string())
            && let Err(reason) = well_formed(format, text)
        {
            return Some(Broken { reason, ..Broken::new("format", format) });
        }
        if rule.uncommon
            && let Some((code, reason)) = self.weakness(text)
        {
            let reason = format!("this password {reason}");
            return Some(Broken { reason, found: Some(code), ..Broken::new("uncommon", Json::Null) });
        }
        if let Some(name) = &rule.secret {
            let known = self.now.secrets.named(name).unwrap_or_default();
            if known.is_empty() || !bool::from(known.as_bytes().ct_eq(text.as_bytes())) {
                return Some(Broken::new("secret", Json::Null));
            }
        }
        if let Some(broken) = self.unproven(rule, Some(text)) {
            return Some(broken);
        }
        let check = rule.check.as_ref()?;
        (!self.holds(check, input, false)).then(|| Broken::new("check", Json::Null))
    }

    /// What a proof of work lacks. Where nobody asks for proofs, nobody can judge one either.
    pub(super) fn unproven(&self, rule: &Rule, sent: Option<&str>) -> Option<Broken> {
        let refused = match &self.now.proof {
            _ if !rule.proof => None,
            Some(asked) => asked.judge(sent, self.now.now).err(),
            None => sent.filter(|text| !text.is_empty()).map(|_| Refused::Forged),
        };
        refused.map(Broken::unproven)
    }

    /// What is weak about a password, as a code and in words, given what the request and the service say about themselves.
    fn weakness(&self, password: &str) -> Option<(&'static str, &'static str)> {
        let told = |meaning: &Option<Meaning>| {
            use Meaning::{Email, FirstName, LastName, Name, Username};
            matches!(meaning, Some(Email | Username | Name | FirstName | LastName))
        };
        let pairs = self.operation.fields.iter().zip(&self.fields.inputs);
        let own =
            pairs.filter(|(field, _)| told(&field.into)).filter_map(|(_, input)| input.as_ref()?.as_str());
        let found = weakness(password, own.chain([host(&self.now.base_url)]));
        found.map(|weakness| (weakness.code(), weakness.reason())).or_else(|| {
            let filter = self.now.breached.as_ref()?;
            let seen = filter.contains(Password::parse(password).ok()?.as_bytes());
            seen.then_some(("breached", "was in a breach of another service"))
        })
    }

    /// One bit. An expression that cannot be evaluated breaks its rule, whichever way it is used: never fail open.
    pub(super) fn holds(&self, expr: &Expr, input: Option<&Json>, when_it_fails: bool) -> bool {
        let scene = check_scene(self.operation, self.fields, input, self.now);
        expr.eval(&scene, &[]).map_or(when_it_fails, |v| !v.is_undefined() && v.is_true())
    }
}

/// The host of a base URL, which tells the service's name.
fn host(base_url: &str) -> &str {
    let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default()
}

/// Equality as JSON Schema has it: 1.0 is 1.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(x), Json::Number(y)) => x == y || x.is_f64() != y.is_f64() && x.as_f64() == y.as_f64(),
        (Json::Array(x), Json::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b)),
        _ => a == b,
    }
}

/// Code points of a text, items of a list; counted only when a rule asks.
fn length(field: &Field, rule: &Rule, value: &Json) -> Option<usize> {
    match value {
        _ if rule.min_length.is_none() && rule.max_length.is_none() => None,
        // One that was typed composed and one that was typed decomposed are the same password. One that is refused for its bytes
        // need not be normalised to be too long.
        Json::String(text) if field.is_password() && text.len() <= Password::MAX_BYTES_WRITTEN => {
            Some(text.nfc().count())
        }
        Json::String(text) => Some(text.chars().count()),
        Json::Array(items) => Some(items.len()),
        _ => None,
    }
}

/// What `check` and `if` see of a value and all fields, the password included.
pub(in crate::contract) fn check_scene(
    operation: &Operation,
    fields: &Fields,
    input: Option<&Json>,
    now: &Circumstances,
) -> Value {
    let pairs = operation.fields.iter().zip(&fields.inputs);
    let all = pairs.map(|(f, v)| (f.name.clone().into(), seen(v.as_ref()))).collect();
    Room::value(
        "check",
        vec![
            ("value".into(), seen(input)),
            ("input".into(), Room::value("input", all)),
            ("now".into(), Time::value(now.now)),
        ],
    )
}
