//! The dry run: every outcome is written with plain, absent and hostile values, with no, one and all errors, before
//! the first request comes. What can fail, fails here, with its place in the file.

mod trials;
mod twice;
mod words;

use super::complaint::{Complaint, Level};
use super::encode::{claims_scene, created_scene, refused_scene, timed};
use super::load::position;
use super::rules::{Broken, Case, once};
use super::samples::{circumstances, mint, registered};
use super::template::{Template, Trace};
use super::{
    Circumstances, Collect, Contract, EncodeError, FieldError, Fields, Make, Outcome, Reply, Rule, Scene,
};
use minijinja::Value;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use trials::{Look, Sample, odd_values};
pub(super) use twice::twice;

/// Runs the contract dry and complains about whatever does not work.
pub(super) fn rehearse(contract: &Contract, file: &str) -> Vec<Complaint> {
    let samples = trials::samples(contract).into();
    let mut run = Rehearsal {
        contract,
        file,
        samples,
        complaints: Vec::new(),
        entered: BTreeSet::new(),
        now: circumstances(),
    };
    run.expressions();
    run.copies();
    run.messages();
    run.replies();
    run.unentered();
    run.complaints
}

struct Rehearsal<'r> {
    contract: &'r Contract,
    file: &'r str,
    samples: Arc<[Sample]>,
    complaints: Vec<Complaint>,
    /// The branches that were entered, by where they stand in the file.
    entered: BTreeSet<usize>,
    now: Circumstances,
}

impl Rehearsal<'_> {
    fn complain(&mut self, title: String, span: Range<usize>, label: String, help: Option<&str>) {
        let help = help.map(str::to_owned);
        self.complaints.push(Complaint { level: Level::Error, title, span, label, help });
    }

    fn replies(&mut self) {
        let contract = self.contract;
        let samples = self.samples.clone();
        self.claims(&samples);
        for template in &contract.register.replies {
            let outcome = &template.outcome;
            if *outcome == Outcome::Created {
                samples.iter().filter(|s| !s.refused).for_each(|sample| self.created(sample));
                if let Some(plain) = samples.first() {
                    let odd = trials::odd(contract, &plain.fields);
                    let chosen = trials::chosen_keys(contract, &plain.fields);
                    odd.iter().chain(&chosen).for_each(|fields| self.made(fields));
                    self.shortened(&plain.fields);
                }
                continue;
            }
            for sample in samples.iter() {
                for errors in self.errors(outcome, sample) {
                    self.refusal(outcome, Some(&sample.fields), &errors, sample.look());
                }
            }
            if let Some(plain) = samples.first() {
                self.odd(outcome, plain);
            }
        }
    }

    fn refusal(&mut self, outcome: &Outcome, fields: Option<&Fields>, errors: &[FieldError], look: Look) {
        let (contract, now) = (self.contract, circumstances());
        let reason = "expected value at line 1 column 1";
        let scene = Scene { fields, errors, reason, retry_after: Some(2) };
        let reply = contract.refusal_with(outcome, scene, &now);
        let fails = reply.is_err();
        self.judge(outcome, reply);
        if look == Look::Answer {
            return;
        }
        if let Ok(scene) = refused_scene(contract, outcome, scene, &now) {
            self.follow(outcome, &scene, look == Look::Strict && !fails);
        }
    }

    /// What comes of odd requests: values of another type, unknown members with names of the client's choice, and
    /// nothing that could be read.
    fn odd(&mut self, outcome: &Outcome, plain: &Sample) {
        let lists = self.errors(outcome, plain);
        for odd in odd_values() {
            for errors in &lists {
                let mut errors = errors.clone();
                let shown = errors.iter_mut().filter(|e| e.value.is_some());
                shown.for_each(|e| e.value = Some(odd.clone()));
                self.refusal(outcome, Some(&plain.fields), &errors, Look::Branches);
            }
        }
        let nothing = lists.first().map(Vec::as_slice).unwrap_or_default();
        self.refusal(outcome, None, nothing, Look::Branches);
        if *outcome == Outcome::Invalid {
            let case = self.case(&plain.fields);
            let all = lists.last().cloned().unwrap_or_default();
            let unknown = |name: &String| {
                let unknown = case.unknown(name);
                once(&self.contract.register, all.iter().cloned().chain([unknown]).collect())
            };
            let lists: Vec<_> = trials::unknown_names(self.contract).iter().map(unknown).collect();
            lists
                .iter()
                .for_each(|errors| self.refusal(outcome, Some(&plain.fields), errors, Look::Branches));
        }
    }

    fn created(&mut self, sample: &Sample) {
        self.made(&sample.fields);
        let (now, registered) = (circumstances(), registered(self.contract));
        if sample.look() == Look::Answer {
            return;
        }
        let scene = created_scene(self.contract, &sample.fields, &registered, &mint(), &now);
        if let Ok((scene, _)) = scene {
            self.follow(&Outcome::Created, &scene, sample.plain);
        }
    }

    /// Whether the reply can be written for an account with these values.
    fn made(&mut self, fields: &Fields) {
        let (now, registered) = (circumstances(), registered(self.contract));
        let reply = self.contract.created_with(fields, &registered, &mint(), &now);
        self.judge(&Outcome::Created, reply.map(|(reply, _)| reply));
    }

    /// When all that was sent may be too much for the reply, it must do with what is stored.
    fn shortened(&mut self, fields: &Fields) {
        let (contract, now, registered) = (self.contract, circumstances(), registered(self.contract));
        if !trials::may_be_long(contract) {
            return;
        }
        let reply = contract.created_with(&contract.stored(fields), &registered, &mint(), &now);
        if let Err(error) = reply {
            if error.part.starts_with("token") || error.origin.is_empty() {
                return;
            }
            let span = position(self.file, &error.origin, &error.at);
            let title =
                format!("the {} of [register.created] cannot do without what is not stored", error.part);
            let help =
                "guard it, {% if input.NAME %} .. {% endif %}, give the field a `max_length`, or store it";
            let label = "of a reply that grows too long, what is not stored is left out".to_owned();
            self.complain(title, span, label, Some(help));
        }
    }

    /// Tokens have claims that are written once, whatever the data.
    fn claims(&mut self, samples: &[Sample]) {
        let contract = self.contract;
        for token in &contract.register.tokens {
            let Make::Claims(template) = &token.make else { continue };
            let chosen = samples.first().map(|plain| trials::chosen_keys(contract, &plain.fields));
            let chosen = chosen.iter().flatten().map(|fields| (fields, false));
            let usual = samples.iter().filter(|s| !s.refused).map(|sample| (&sample.fields, sample.plain));
            for (fields, strict) in usual.chain(chosen) {
                let (registered, now) = (registered(self.contract), circumstances());
                let scene = claims_scene(&contract.register, fields, &registered, &now);
                let mut trace = Trace { strict, ..Trace::default() };
                let claims = template.rehearse(&scene, &mut trace);
                self.enter(template, trace);
                let twice = match claims {
                    Ok(claims) => twice(&timed(&claims, 0, token.lifetime)),
                    Err(error) => {
                        let span = position(self.file, &template.origin(), &error.at);
                        let title = format!("the claims of `{}` fail with sample values", token.name);
                        self.complain(title, span, error.what, None);
                        None
                    }
                };
                if let Some(key) = twice {
                    let title = format!("the claims of `{}` hold \"{key}\" twice", token.name);
                    let help = "`iat` and `exp` are appended by themselves, from now and `lifetime`";
                    self.complain(title, template.origin(), "in one object".to_owned(), Some(help));
                }
            }
        }
    }

    /// No, one, a few and all of the errors that can lead to an outcome.
    fn errors(&self, outcome: &Outcome, sample: &Sample) -> Vec<Vec<FieldError>> {
        let every = self.every_error(outcome, sample);
        let singles = if sample.hostile { 1 } else { every.len() };
        let mut out: Vec<Vec<FieldError>> = every.iter().take(singles).map(|e| vec![e.clone()]).collect();
        let all = match self.contract.register.errors {
            Collect::First => every.into_iter().take(1).collect(),
            _ => once(&self.contract.register, every),
        };
        out.push(all.iter().take(2).cloned().collect());
        out.push(all);
        let errors_expected = matches!(outcome, Outcome::Invalid | Outcome::Taken | Outcome::Named(_));
        if errors_expected {
            out.retain(|list| !list.is_empty());
        }
        out
    }

    fn every_error(&self, outcome: &Outcome, sample: &Sample) -> Vec<FieldError> {
        let operation = &self.contract.register;
        let case = self.case(&sample.fields);
        let leads = |rule: &Rule| match &rule.outcome {
            Some(own) => own == outcome || *own == Outcome::Invalid && *outcome == Outcome::Taken,
            None => matches!(outcome, Outcome::Invalid | Outcome::Taken),
        };
        let mut out: Vec<FieldError> = Vec::new();
        for (i, field) in operation.fields.iter().enumerate() {
            let input = sample.fields.inputs[i].as_ref();
            let mut say = |rule: Option<&Rule>, demand: &'static str, limit: Json| {
                let mut error = case.say(field, rule, Broken::new(demand, limit), input);
                // A message may hold whatever the client wrote.
                error.message = input.and_then(Json::as_str).map_or(error.message, str::to_owned);
                out.push(error);
            };
            for rule in field.rules.iter().filter(|r| leads(r)) {
                for demand in rule.demands().filter(|d| (*d == "unique") == (*outcome == Outcome::Taken)) {
                    say(Some(rule), demand, rule.limit(demand));
                }
            }
            let first = field.rules.first().filter(|r| leads(r));
            let implicit = field.is_typed() && !field.rules.iter().any(|r| r.json_type.is_some());
            if *outcome == Outcome::Invalid && implicit && (first.is_some() || field.rules.is_empty()) {
                say(first, "type", field.json_type().name().into());
            }
            let misunderstood = field.into.is_some() && !field.rules.iter().any(|r| r.format.is_some());
            if *outcome == Outcome::Invalid && misunderstood {
                say(None, field.understanding(), Json::Null);
            }
            if *outcome == Outcome::Taken && field.identifies() && !field.rules.iter().any(|r| r.unique) {
                say(None, "unique", Json::Null);
            }
        }
        out
    }

    fn case<'c>(&'c self, fields: &'c Fields) -> Case<'c> {
        Case { operation: &self.contract.register, fields, now: &self.now }
    }

    fn judge(&mut self, outcome: &Outcome, reply: Result<Reply, EncodeError>) {
        match reply {
            // The claims of tokens are tried by themselves.
            Err(error) if error.part.starts_with("token") => {}
            Err(error) => {
                let span = match error.origin.is_empty() {
                    true => error.origin.clone(),
                    false => position(self.file, &error.origin, &error.at),
                };
                let title = format!("the {} of [register.{outcome}] fails with sample values", error.part);
                let help = advice(&error.reason);
                self.complain(title, span, error.reason, help);
            }
            Ok(reply) => self.read_back(outcome, &reply),
        }
    }

    /// What the grammar of JSON allows and its readers do not: numbers without end, keys that stand twice.
    fn read_back(&mut self, outcome: &Outcome, reply: &Reply) {
        let contract = self.contract;
        let template = contract.register.reply(outcome);
        if !template.body.is_json() || reply.body.is_empty() {
            return;
        }
        if let Err(error) = serde_json::from_str::<Json>(&reply.body) {
            let title = format!("[register.{outcome}] cannot be read by everyone");
            self.complain(title, template.at.clone(), error.to_string(), None);
        }
        let Some(key) = twice(&reply.body) else { return };
        let title = format!("[register.{outcome}] writes the key \"{key}\" twice");
        let written = format!("\"{key}\"");
        let source = template.body.source();
        match source.rfind(&written).filter(|_| source.matches(&written).count() > 1) {
            Some(at) => {
                let span = position(self.file, &template.body.origin(), &(at..at + written.len()));
                self.complain(title, span, "in one object".to_owned(), None);
            }
            None if *outcome == Outcome::Created => {
                let label = "when a client chooses it".to_owned();
                let help = "give what clients choose an object of its own, or names that begin otherwise";
                self.complain(title, template.at.clone(), label, Some(help));
            }
            None => {
                let label = "when two errors concern the same field".to_owned();
                let help = "group them: {{ errors | by(\"field\", \"message\") }}, or use errors = \"first-per-field\"";
                self.complain(title, template.at.clone(), label, Some(help));
            }
        }
    }

    /// Notes which branches of an outcome's templates these names lead into; under `strict` every value is of its
    /// type, and a list inside text is a mistake.
    fn follow(&mut self, outcome: &Outcome, names: &Value, strict: bool) {
        let contract = self.contract;
        let reply = contract.register.reply(outcome);
        let headers = reply.headers.iter().map(|(name, t)| (format!("header {name}"), t));
        let others = [("body".to_owned(), &reply.body), ("message".to_owned(), &reply.message)];
        for (part, template) in headers.chain(others) {
            let mut trace = Trace { strict, ..Trace::default() };
            let result = template.rehearse(names, &mut trace);
            self.enter(template, trace);
            if let Some(error) = result.err().filter(|_| strict) {
                let span = position(self.file, &template.origin(), &error.at);
                let title = format!("the {part} of [register.{outcome}] fails with sample values");
                let help = advice(&error.what);
                self.complain(title, span, error.what, help);
            }
        }
    }

    fn enter(&mut self, template: &Template, trace: Trace) {
        let origin = template.origin().start;
        self.entered.extend(trace.entered.into_iter().map(|at| origin + at));
    }

    fn unentered(&mut self) {
        let contract = self.contract;
        let operation = &contract.register;
        let replies = operation
            .replies
            .iter()
            .flat_map(|r| r.headers.iter().map(|(_, t)| &**t).chain([&*r.body, &*r.message]));
        let claims = operation.tokens.iter().filter_map(|t| match &t.make {
            Make::Claims(template) => Some(template),
            Make::Random(_) => None,
        });
        let rules = operation.fields.iter().flat_map(|f| &f.rules).filter_map(|r| r.says.message.as_ref());
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        for template in replies.chain(claims).chain(rules) {
            for tag in template.branches() {
                let at = template.origin().start + tag.start;
                if !self.entered.contains(&at) && seen.insert(at) {
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

/// What helps against the usual mistakes with values that are not always there, or not text.
fn advice(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "there is no value here" => "it was not sent: guard it, {% if input.NAME %} .. {% endif %}",
        "nothing has this name here" => "it may be missing: guard it, {% if x is defined %} .. {% endif %}",
        "a list or map cannot stand inside text" => {
            "join it, `x | join(\", \")`, or write it outside of quotes"
        }
        "a list or map is not text" | "a list or map matches no pattern" => {
            "a client may send one: guard it, {% if x is string %} .. {% endif %}"
        }
        r if r.contains("undefined") => "it may be missing: guard it, {% if errors %} .. {% endif %}",
        _ => return None,
    })
}
