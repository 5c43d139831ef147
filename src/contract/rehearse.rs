//! The dry run: every outcome is written with plain, absent and hostile values, with no, one and all errors, before
//! the first request comes. What can fail, fails here, with its place in the file.

use super::complaint::{Complaint, Level};
use super::decode::Fields;
use super::encode::{Circumstances, EncodeError, FieldError, Reply, Scene, created_scene, refused_scene};
use super::load::position;
use super::rules::{Said, check_scene, message_scene, shown_inputs};
use super::samples::{circumstances, complaint, limit, mint, registered};
use super::template::{Hidden, Template, Trace, UseKind, from_json};
use super::{Contract, Field, JsonType, Outcome, Rule, Says};
use minijinja::Value;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Values that have broken out of quotes, lines, headers and templates elsewhere.
const HOSTILE: [&str; 10] = [
    "Ann",
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

/// Runs the contract dry and complains about whatever does not work.
pub(super) fn rehearse(contract: &Contract, file: &str) -> Vec<Complaint> {
    let mut run = Rehearsal { contract, file, complaints: Vec::new(), trace: Trace::default() };
    run.expressions();
    run.messages();
    run.replies();
    run.complaints
}

struct Rehearsal<'r> {
    contract: &'r Contract,
    file: &'r str,
    complaints: Vec<Complaint>,
    trace: Trace,
}

/// One set of sample values.
struct Sample {
    fields: Fields,
    /// Whether the values are plain ones, and fit what the rules ask for.
    plain: bool,
}

impl Rehearsal<'_> {
    fn complain(&mut self, title: String, span: std::ops::Range<usize>, label: String, help: Option<&str>) {
        let help = help.map(str::to_owned);
        self.complaints.push(Complaint { level: Level::Error, title, span, label, help });
    }

    /// The samples: hostile texts in every field, with the optional ones absent and present; and, for branches that
    /// compare with a constant, that constant.
    fn samples(&self) -> Vec<Sample> {
        let mut texts: Vec<String> = HOSTILE.iter().map(|t| (*t).to_owned()).collect();
        texts.extend(self.constants());
        let mut out = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            for absent in [false, true] {
                let inputs = self
                    .contract
                    .register
                    .fields
                    .iter()
                    .map(|f| sample(f, text, absent && !is_required(f)))
                    .collect();
                let body = json!({ text.as_str(): text, "list": [text], "n": null });
                out.push(Sample { fields: Fields { inputs, body }, plain: i == 0 });
            }
        }
        out
    }

    /// Every text that a template compares something with.
    fn constants(&self) -> BTreeSet<String> {
        let replies = self.contract.register.replies.iter();
        let templates = replies.flat_map(|r| r.headers.iter().map(|(_, t)| t).chain([&r.body, &r.message]));
        let expressions: Vec<_> = templates.flat_map(|t| t.expressions()).collect();
        let texts = expressions.iter().flat_map(|e| &e.uses).filter_map(|u| match &u.kind {
            UseKind::Text { text, argument_of: None } => Some(text.clone()),
            _ => None,
        });
        texts.collect()
    }

    /// `check`, `if` and `clean` with values of the type they are for.
    fn expressions(&mut self) {
        let now = circumstances();
        for sample in self.samples().iter().filter(|s| s.plain) {
            for (i, field) in self.contract.register.fields.iter().enumerate() {
                for rule in &field.rules {
                    for (word, expr) in [("check", &rule.check), ("if", &rule.condition)] {
                        let Some(expr) = expr else { continue };
                        let scene = check_scene(
                            &self.contract.register,
                            &sample.fields,
                            sample.fields.inputs[i].as_ref(),
                            &now,
                        );
                        if word == "check" && sample.fields.inputs[i].is_none() {
                            continue;
                        }
                        if let Err(error) = expr.eval(&scene, &[]) {
                            let span = position(self.file, &expr.origin, &(0..expr.source.len()));
                            let label = error.detail().unwrap_or("it cannot be evaluated").to_owned();
                            self.complain(
                                format!("`{word}` of `{}` fails with sample values", field.name),
                                span,
                                label,
                                None,
                            );
                        }
                    }
                }
            }
        }
    }

    /// What the rules say, and the catalogue, with values that may be shown and with those that may not.
    fn messages(&mut self) {
        let contract = self.contract;
        let now = circumstances();
        let operation = &contract.register;
        for field in &operation.fields {
            let shown = !field.secret || field.is_password() && operation.reveal.rejected_password;
            for rule in &field.rules {
                for demand in rule.demands() {
                    let says = [Some(&rule.says), operation.says.get(demand)];
                    let template = says.into_iter().flatten().find_map(|s: &Says| s.message.as_ref());
                    let Some(template) = template else { continue };
                    let limit = limit(rule, demand);
                    for value in [json!("Ann"), json!(null), json!("\"x")] {
                        let value = if shown || value.is_null() {
                            from_json(&value)
                        } else {
                            Value::from_object(Hidden)
                        };
                        let said = Said { field: &field.name, value, limit: &limit, reason: "it is not" };
                        let scene = message_scene(said, shown_inputs(operation, None), &now);
                        if let Err(error) = template.render(&scene) {
                            let span = position(self.file, &template.origin(), &error.at);
                            let title = format!("a message of `{}` fails with sample values", field.name);
                            let help = (!shown).then_some("the values of secret fields are never shown");
                            self.complain(title, span, error.what, help);
                        }
                    }
                }
            }
        }
    }

    fn replies(&mut self) {
        let samples = self.samples();
        let now = circumstances();
        let contract = self.contract;
        for template in &contract.register.replies {
            for sample in &samples {
                if template.outcome == Outcome::Created {
                    self.created(sample, &now);
                    continue;
                }
                for errors in self.errors(&template.outcome, sample) {
                    let scene = Scene {
                        fields: Some(&sample.fields),
                        errors: &errors,
                        reason: "expected value at line 1 column 1",
                        retry_after: Some(2),
                    };
                    let reply = contract.refusal(&template.outcome, scene, &now);
                    self.judge(&template.outcome, reply);
                    if let Ok(scene) = refused_scene(contract, &template.outcome, scene, &now) {
                        self.follow(&template.outcome, &scene);
                    }
                }
            }
        }
        self.unentered();
    }

    fn created(&mut self, sample: &Sample, now: &Circumstances) {
        let registered = registered(self.contract);
        let reply = self.contract.created(&sample.fields, &registered, &mint(), now);
        self.judge(&Outcome::Created, reply.map(|(reply, _)| reply));
        if let Ok((scene, _)) = created_scene(self.contract, &sample.fields, &registered, &mint(), now) {
            self.follow(&Outcome::Created, &scene);
        }
    }

    /// No, one, a few and all of the errors that can lead to an outcome.
    fn errors(&self, outcome: &Outcome, sample: &Sample) -> Vec<Vec<FieldError>> {
        let operation = &self.contract.register;
        let mut all: Vec<FieldError> = Vec::new();
        let leads = |rule: &Rule| match &rule.outcome {
            Some(own) => own == outcome,
            None => matches!(outcome, Outcome::Invalid | Outcome::Taken),
        };
        for (i, field) in operation.fields.iter().enumerate() {
            let mut one = 0;
            for rule in field.rules.iter().filter(|r| leads(r)) {
                for demand in rule.demands().filter(|d| (*d == "unique") == (*outcome == Outcome::Taken)) {
                    let per_field = operation.errors != super::Collect::All;
                    if per_field && one > 0 {
                        continue;
                    }
                    one += 1;
                    let value = sample.fields.inputs[i].clone();
                    all.push(complaint(operation, field, rule, demand, value));
                }
            }
        }
        let every = all.clone();
        let mut out: Vec<Vec<FieldError>> = every.iter().map(|e| vec![e.clone()]).collect();
        out.push(all.iter().take(2).cloned().collect());
        out.push(all);
        let errors_expected = matches!(outcome, Outcome::Invalid | Outcome::Taken | Outcome::Named(_));
        if errors_expected {
            out.retain(|list| !list.is_empty());
            if out.is_empty() {
                // `email` and `username` are unique without a rule; forms can be misunderstood without one.
                let field = operation.fields.iter().position(|f| f.into.is_some()).unwrap_or_default();
                if let Some(f) = operation.fields.get(field) {
                    let value = sample.fields.inputs[field].clone();
                    out.push(vec![complaint(operation, f, &Rule::default(), "unique", value)]);
                }
            }
        }
        out
    }

    fn judge(&mut self, outcome: &Outcome, reply: Result<Reply, EncodeError>) {
        match reply {
            Err(error) => {
                let span = match error.origin.is_empty() {
                    true => error.origin.clone(),
                    false => position(self.file, &error.origin, &error.at),
                };
                self.complain(
                    format!("the {} of [register.{outcome}] fails with sample values", error.part),
                    span,
                    error.reason,
                    None,
                );
            }
            Ok(reply) => {
                if let Some(key) = twice(&reply.body) {
                    let at = self.contract.register.reply(outcome).at.clone();
                    self.complain(
                        format!("[register.{outcome}] writes the key \"{key}\" twice"),
                        at,
                        "when two errors concern the same field".to_owned(),
                        Some("group them: {{ errors | by(\"field\", \"message\") }}, or use errors = \"first-per-field\""),
                    );
                }
            }
        }
    }

    /// Notes which branches of an outcome's templates these names lead into.
    fn follow(&mut self, outcome: &Outcome, names: &Value) {
        let contract = self.contract;
        let reply = contract.register.reply(outcome);
        for template in reply.headers.iter().map(|(_, t)| t).chain([&reply.body]) {
            let mut trace = Trace::default();
            let _ = template.rehearse(names, &mut trace);
            let origin = template.origin().start;
            self.trace.entered.extend(trace.entered.into_iter().map(|at| origin + at));
        }
    }

    fn unentered(&mut self) {
        let contract = self.contract;
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let replies = contract.register.replies.iter();
        let templates: Vec<&Arc<Template>> =
            replies.flat_map(|r| r.headers.iter().map(|(_, t)| t).chain([&r.body])).collect();
        for template in templates {
            for tag in template.branches() {
                let at = template.origin().start + tag.start;
                if !self.trace.entered.contains(&at) && seen.insert(at) {
                    let span = position(self.file, &template.origin(), &tag);
                    self.complain(
                        "no request leads into this branch".to_owned(),
                        span,
                        "the dry run could not enter it, so it is untried".to_owned(),
                        Some("compare with a code, field or status that this contract's rules produce, or remove it"),
                    );
                }
            }
        }
    }
}

fn is_required(field: &Field) -> bool {
    field.rules.iter().any(|r| r.required && r.condition.is_none())
}

fn sample(field: &Field, text: &str, absent: bool) -> Option<Json> {
    if absent {
        return None;
    }
    Some(match field.json_type() {
        JsonType::String => Json::from(text),
        JsonType::Integer => json!(7),
        JsonType::Number => json!(7.5),
        JsonType::Boolean => json!(true),
        JsonType::Array => json!([text]),
        JsonType::Object => Json::Object(Map::from_iter([(text.to_owned(), Json::from(text))])),
    })
}

/// A key that stands twice in one object of a JSON text.
fn twice(text: &str) -> Option<String> {
    let mut keys = Keys(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let _ = serde::de::DeserializeSeed::deserialize(&mut keys, &mut reader);
    keys.0
}

struct Keys(Option<String>);

impl<'de> serde::de::DeserializeSeed<'de> for &mut Keys {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> serde::de::Visitor<'de> for &mut Keys {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                self.0 = Some(key);
            }
            members.next_value_seed(&mut *self)?;
        }
        Ok(())
    }
}
