//! Running the rules: phase by phase, field by field, in the contract's order.

use super::decode::{Fields, Refusal, unknown_members};
use super::encode::{Circumstances, FieldError};
use super::template::{Absent, Expr, Hidden, Room, Time, from_json, seen};
use super::{Collect, Field, Operation, Outcome, Rule, Says, Unknown};
use crate::proof::Refused;
use crate::user::{Email, Meaning, Password, Problem, weakness};
use minijinja::Value;
use serde_json::Value as Json;
use std::collections::HashSet;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;

/// The most complaints one request collects.
pub(crate) const MOST_ERRORS: usize = 100;

/// As much of an unknown member's name, which the client chose, as is reported.
const MOST_NAME: usize = 128;

/// A demand that was not met, its parameter, and a reason where the demand knows one.
pub(super) struct Broken {
    demand: &'static str,
    limit: Json,
    reason: String,
    /// What was found, where a demand has more than one thing to find; the code unless the contract has one.
    found: Option<&'static str>,
    proof: Option<Refused>,
}

impl Broken {
    pub(super) fn new(demand: &'static str, limit: impl Into<Json>) -> Broken {
        Broken { demand, limit: limit.into(), reason: String::new(), found: None, proof: None }
    }

    fn unproven(refused: Refused) -> Broken {
        let (found, reason) = (Some(refused.code()), refused.reason().to_owned());
        Broken { reason, found, proof: Some(refused), ..Broken::new("proof", Json::Null) }
    }
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every demand is met.
    Passed,
    /// This demand is not met.
    Broken(&'static str),
    /// It demands nothing of what was not sent.
    Absent,
    /// Its `if` does not hold.
    NotAsked,
    /// The field, its phase or the whole request had ended before.
    NotReached,
    /// It passed so far; the database's index decides.
    Index,
}

/// What became of one rule of one field, both by their places in the contract.
pub(super) struct Ran {
    pub(super) field: usize,
    /// None for the type that a field has without a rule.
    pub(super) rule: Option<usize>,
    pub(super) verdict: Verdict,
}

/// Runs all rules that need no store; nothing broken is an empty list. Whoever wants to know what ran hands in a trail.
pub(super) fn check(
    operation: &Operation,
    fields: &Fields,
    now: &Circumstances,
    trail: Option<&mut Vec<Ran>>,
) -> Vec<FieldError> {
    let mut phases: Vec<i64> =
        operation.fields.iter().flat_map(|f| f.rules.iter().map(|r| r.phase)).collect();
    phases.push(1);
    phases.sort_unstable();
    phases.dedup();
    let mut run = Run { operation, fields, now, errors: Vec::new(), trail };
    for phase in phases {
        run.phase(phase);
        if !run.errors.is_empty() {
            break;
        }
    }
    once(operation, run.errors)
}

/// Under `first-per-field` a name is reported once, whichever fields and rules report it.
pub(super) fn once(operation: &Operation, mut errors: Vec<FieldError>) -> Vec<FieldError> {
    if operation.errors == Collect::FirstPerField {
        let mut reported = HashSet::new();
        errors.retain(|e| reported.insert(e.field.clone()));
    }
    errors
}

/// Which fields some rule refuses, in whatever phase and however few complaints the contract collects.
pub(super) fn refused(operation: &Operation, fields: &Fields, now: &Circumstances) -> Vec<usize> {
    let run = Run { operation, fields, now, errors: Vec::new(), trail: None };
    (0..operation.fields.len()).filter(|i| run.refuses(*i)).collect()
}

/// Errors that lead elsewhere than the first are dropped.
pub(super) fn refuse(outcome: Outcome, mut errors: Vec<FieldError>, fields: Fields) -> Refusal {
    errors.retain(|e| e.outcome == outcome);
    Refusal { outcome, errors, reason: String::new(), fields: Some(fields) }
}

/// The refusal for unique values that are in use, in the order of the fields.
pub(super) fn taken(operation: &Operation, fields: Fields, kinds: &[String], now: &Circumstances) -> Refusal {
    let mut errors = Vec::new();
    for (field, input) in operation.fields.iter().zip(&fields.inputs) {
        if !field.into.as_ref().is_some_and(|m| kinds.contains(&m.to_string())) {
            continue;
        }
        let rule = field.rules.iter().find(|r| r.unique);
        let speaker = Speaker { operation, fields: &fields, now };
        let mut error = speaker.say(field, rule, Broken::new("unique", Json::Null), input.as_ref());
        if error.outcome == Outcome::Invalid {
            error.outcome = Outcome::Taken;
        }
        errors.push(error);
        if operation.errors == Collect::First {
            break;
        }
    }
    let outcome = errors.first().map_or(Outcome::Taken, |e: &FieldError| e.outcome.clone());
    refuse(outcome, once(operation, errors), fields)
}

/// The refusal for values that passed the contract's rules and yet mean nothing (an address that is none).
pub(super) fn misunderstood(
    operation: &Operation,
    fields: Fields,
    problems: &[Problem],
    now: &Circumstances,
) -> Refusal {
    let speaker = Speaker { operation, fields: &fields, now };
    let mut errors = Vec::new();
    for (field, input) in operation.fields.iter().zip(&fields.inputs) {
        for problem in problems.iter().filter(|p| field.into.as_ref() == Some(&p.meaning)) {
            let rule = field.rules.iter().find(|r| r.format.is_some());
            let demand = if rule.is_some() { "format" } else { field.understanding() };
            let broken = Broken { reason: problem.reason.clone(), ..Broken::new(demand, Json::Null) };
            errors.push(speaker.say(field, rule, broken, input.as_ref()));
        }
    }
    if errors.is_empty() {
        // Kept members of the body have no field of their own.
        errors.extend(problems.iter().map(|p| FieldError {
            field: p.meaning.to_string().into(),
            code: "format".into(),
            message: p.reason.clone(),
            limit: Json::Null,
            value: None,
            sent: true,
            outcome: Outcome::Invalid,
            proof: None,
        }));
    }
    if operation.errors == Collect::First {
        errors.truncate(1);
    }
    let errors = once(operation, errors);
    let outcome = errors.first().map_or(Outcome::Invalid, |e| e.outcome.clone());
    refuse(outcome, errors, fields)
}

/// The refusal for a proof of work that passed every rule and had been used before.
pub(super) fn spent(operation: &Operation, fields: Fields, now: &Circumstances) -> Refusal {
    let speaker = Speaker { operation, fields: &fields, now };
    let pairs = operation.fields.iter().zip(&fields.inputs).filter(|(field, _)| field.proves());
    let errors: Vec<FieldError> = pairs
        .map(|(field, input)| {
            let rule = field.rules.iter().find(|r| r.proof);
            speaker.say(field, rule, Broken::unproven(Refused::Spent), input.as_ref())
        })
        .collect();
    let outcome = errors.first().map_or(Outcome::Invalid, |e| e.outcome.clone());
    refuse(outcome, errors, fields)
}

struct Run<'r> {
    operation: &'r Operation,
    fields: &'r Fields,
    now: &'r Circumstances,
    errors: Vec<FieldError>,
    trail: Option<&'r mut Vec<Ran>>,
}

impl Run<'_> {
    fn note(&mut self, field: usize, rule: Option<usize>, verdict: impl FnOnce() -> Verdict) {
        if let Some(trail) = &mut self.trail {
            trail.push(Ran { field, rule, verdict: verdict() });
        }
    }

    fn phase(&mut self, phase: i64) {
        for (i, field) in self.operation.fields.iter().enumerate() {
            self.field(phase, i, field);
            if self.full() {
                return;
            }
        }
        if phase == 1 && self.operation.unknown == Unknown::Refuse {
            self.unknown();
        }
    }

    fn full(&self) -> bool {
        let enough = self.operation.errors == Collect::First && !self.errors.is_empty();
        enough || self.errors.len() >= MOST_ERRORS
    }

    fn field(&mut self, phase: i64, i: usize, field: &Field) {
        let fields = self.fields;
        let input = fields.inputs[i].as_ref();
        let value = input.filter(|v| !v.is_null());
        let explicit = field.rules.iter().any(|r| r.json_type.is_some());
        let mut typed = !field.is_typed() || phase != 1 && !explicit;
        let (mut missing, mut unsaid) = (false, false);
        for (n, rule) in field.rules.iter().enumerate().filter(|(_, r)| r.phase == phase) {
            if missing && !rule.required {
                continue;
            }
            if rule.condition.as_ref().is_some_and(|c| !self.holds(c, input, true)) {
                // The rule is silent, but a wrong type passes no field.
                unsaid |= rule.json_type.is_some();
                self.note(i, Some(n), || Verdict::NotAsked);
                continue;
            }
            let broken = match value {
                None if rule.required => Some(Broken::new("required", Json::Null)),
                None => self.unproven(rule, None),
                Some(Json::String(text)) if text.is_empty() && rule.required => {
                    Some(Broken::new("required", Json::Null))
                }
                Some(value) => {
                    // A `type` rule speaks for itself; without one the field's first rule finds it out.
                    let asks = rule.json_type.is_some() || !explicit && !typed;
                    typed |= asks;
                    match asks && !field.json_type().fits(value) {
                        true => Some(Broken::new("type", field.json_type().name())),
                        false => self.demand(field, rule, value, input),
                    }
                }
            };
            let Some(broken) = broken else {
                self.note(i, Some(n), || if value.is_some() { Verdict::Passed } else { Verdict::Absent });
                continue;
            };
            missing |= broken.demand == "required";
            let ends = broken.demand == "type";
            self.note(i, Some(n), || Verdict::Broken(broken.demand));
            let speaker = Speaker { operation: self.operation, fields, now: self.now };
            self.errors.push(speaker.say(field, Some(rule), broken, input));
            if ends || self.operation.errors != Collect::All || self.full() {
                return;
            }
        }
        let unchecked = !missing && (unsaid || !typed && !explicit);
        if let Some(value) = value.filter(|v| unchecked && !field.json_type().fits(v)) {
            self.note(i, None, || Verdict::Broken("type"));
            let speaker = Speaker { operation: self.operation, fields, now: self.now };
            let broken = Broken::new("type", field.json_type().name());
            self.errors.push(speaker.say(field, None, broken, Some(value)));
        }
    }

    fn refuses(&self, i: usize) -> bool {
        let field = &self.operation.fields[i];
        let input = self.fields.inputs[i].as_ref();
        let value = input.filter(|v| !v.is_null());
        let untyped = field.rules.is_empty() && field.into.is_none();
        let applies = |rule: &&Rule| rule.condition.as_ref().is_none_or(|c| self.holds(c, input, true));
        let breaks = |rule: &Rule| match value {
            None => rule.required || self.unproven(rule, None).is_some(),
            Some(value) => {
                rule.required && value.as_str() == Some("")
                    || self.demand(field, rule, value, input).is_some()
            }
        };
        value.is_some_and(|v| !untyped && !field.json_type().fits(v))
            || field.rules.iter().filter(applies).any(breaks)
    }

    /// The first demand of a rule that a value does not meet.
    fn demand(&self, field: &Field, rule: &Rule, value: &Json, input: Option<&Json>) -> Option<Broken> {
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
    fn unproven(&self, rule: &Rule, sent: Option<&str>) -> Option<Broken> {
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
    fn holds(&self, expr: &Expr, input: Option<&Json>, when_it_fails: bool) -> bool {
        let scene = check_scene(self.operation, self.fields, input, self.now);
        expr.eval(&scene, &[]).map_or(when_it_fails, |v| !v.is_undefined() && v.is_true())
    }

    fn unknown(&mut self) {
        for (key, _) in unknown_members(self.operation, &self.fields.body) {
            let speaker = Speaker { operation: self.operation, fields: self.fields, now: self.now };
            self.errors.push(speaker.unknown(key));
            if self.full() {
                return;
            }
        }
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
        // One that was typed composed and one that was typed decomposed are the same password.
        Json::String(text) if field.is_password() => Some(text.nfc().count()),
        Json::String(text) => Some(text.chars().count()),
        Json::Array(items) => Some(items.len()),
        _ => None,
    }
}

/// What `check` and `if` see of a value and all fields, the password included.
pub(super) fn check_scene(
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

/// Puts a broken demand into words.
pub(super) struct Speaker<'s> {
    pub(super) operation: &'s Operation,
    pub(super) fields: &'s Fields,
    pub(super) now: &'s Circumstances,
}

impl Speaker<'_> {
    pub(super) fn say(
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

    pub(super) fn unknown(&self, key: &str) -> FieldError {
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
pub(super) struct Said<'s> {
    pub(super) field: &'s str,
    pub(super) value: Value,
    pub(super) limit: &'s Json,
    pub(super) reason: &'s str,
}

/// The names that a message sees.
pub(super) fn message_scene(said: Said<'_>, input: Value, now: &Circumstances) -> Value {
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
pub(super) fn hidden(input: Option<&Json>) -> Value {
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

/// Whether `text` has the format; the reason when it has not.
fn well_formed(format: &str, text: &str) -> Result<(), String> {
    let fits = match format {
        "email" => return Email::parse(text).map(drop).map_err(|e| e.to_string()),
        "uuid" => text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(),
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "phone" => is_phone(text),
        "timezone" => jiff::tz::TimeZone::get(text).is_ok(),
        _ => text.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && is_uri_rest(rest)),
    };
    if fits { Ok(()) } else { Err(format!("this is not a {format}")) }
}

/// E.164: a plus and seven to fifteen digits, the first not zero.
fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn is_uri_rest(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b))
}

/// The value of a field as a reply to its owner shows it: what was stored.
pub(super) fn stored_value(operation: &Operation, fields: &Fields, meaning: &Meaning) -> Value {
    let pairs = operation.fields.iter().zip(&fields.inputs);
    let found =
        pairs.into_iter().find(|(f, _)| f.into.as_ref() == Some(meaning)).and_then(|(_, v)| v.as_ref());
    found.map_or(Value::from(()), from_json)
}

#[cfg(test)]
mod tests {
    use crate::contract::{Circumstances, Contract, Request, load};
    use bytes::Bytes;
    use http::HeaderMap;

    const CONTRACT: &str = r#"
[register]
path = "/"
says.meaning = { message = "{{ field }} cannot be used", code = 9 }
fields = [
  { name = "username", clean = "value | trim", rules = [
      { required = true, code = "blank" },
      { pattern = "a", code = "silent" },
      { required = true, min_length = 2, code = "short" } ] },
  { name = "password", rules = [{ required = true }, { min_length = 8 }] },
]
[register.created]
body = ""
[register.invalid]
body = '{}'
"#;

    fn contract() -> Contract {
        load(CONTRACT).contract.expect("this contract is right")
    }

    fn now() -> Circumstances {
        Circumstances {
            breached: None,
            proof: None,
            now: jiff::Timestamp::UNIX_EPOCH,
            random: uuid::Uuid::nil(),
            request_id: "1".into(),
            path: "/".into(),
            base_url: "".into(),
            secrets: std::sync::Arc::default(),
        }
    }

    async fn codes(body: &'static str) -> Vec<String> {
        let (headers, body) = (HeaderMap::new(), Bytes::from_static(body.as_bytes()));
        let request = Request { query: None, headers: &headers, body: &body };
        match contract().decode(request, &now()).await {
            Ok(_) => Vec::new(),
            Err(refusal) => refusal.errors.iter().map(|e| format!("{}: {}", e.field, e.code)).collect(),
        }
    }

    #[tokio::test]
    async fn after_a_failed_required_only_rules_that_demand_it_too_speak() {
        let expected = ["username: \"blank\"", "username: \"short\"", "password: \"required\""];
        for body in ["{}", r#"{"username":null,"password":null}"#, r#"{"username":" ","password":""}"#] {
            assert_eq!(codes(body).await, expected, "{body}");
        }
        assert_eq!(
            codes(r#"{"username":"b","password":"longenough"}"#).await,
            ["username: \"silent\"", "username: \"short\""]
        );
    }

    #[tokio::test]
    async fn clean_turns_no_wrong_type_into_a_right_one() {
        assert_eq!(codes(r#"{"username":12,"password":"longenough"}"#).await, ["username: \"blank\""]);
    }

    #[tokio::test]
    async fn the_catalogue_words_a_value_that_means_nothing() {
        let (headers, body) =
            (HeaderMap::new(), Bytes::from_static(br#"{"username":"a b","password":"longenough"}"#));
        let contract = contract();
        let request = Request { query: None, headers: &headers, body: &body };
        let fields = contract.decode(request, &now()).await.expect("every rule passed");
        let problems = crate::user::NewUser::parse(contract.submitted(&fields)).expect_err("a space");
        let refusal = contract.misunderstood(fields, &problems, &now());
        assert_eq!(
            (refusal.errors[0].code.clone(), &*refusal.errors[0].message),
            (9.into(), "username cannot be used")
        );
    }
}
