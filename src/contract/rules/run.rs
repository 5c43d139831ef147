//! Running the rules: phase by phase, field by field, in the contract's order.

use super::demand::{Broken, Case};
use super::refuse::{MOST_ERRORS, once};
use crate::contract::circumstances::Circumstances;
use crate::contract::field::{Field, Rule};
use crate::contract::fields::{Fields, unknown_members};
use crate::contract::operation::{Collect, Operation, Unknown};
use crate::contract::refusal::FieldError;
use serde_json::Value as Json;

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
pub(in crate::contract) struct Ran {
    pub(in crate::contract) field: usize,
    /// None for the type that a field has without a rule.
    pub(in crate::contract) rule: Option<usize>,
    pub(in crate::contract) verdict: Verdict,
}

/// Runs all rules that need no store; nothing broken is an empty list. Whoever wants to know what ran hands in a trail.
pub(in crate::contract) fn check(
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
    let case = Case { operation, fields, now };
    let mut run = Run { case, errors: Vec::new(), trail };
    for phase in phases {
        run.phase(phase);
        if !run.errors.is_empty() {
            break;
        }
    }
    once(operation, run.errors)
}

/// Which fields some rule refuses, in whatever phase and however few complaints the contract collects.
pub(in crate::contract) fn refused(
    operation: &Operation,
    fields: &Fields,
    now: &Circumstances,
) -> Vec<usize> {
    let case = Case { operation, fields, now };
    (0..operation.fields.len()).filter(|i| refuses(&case, *i)).collect()
}

struct Run<'r> {
    case: Case<'r>,
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
        for (i, field) in self.case.operation.fields.iter().enumerate() {
            self.field(phase, i, field);
            if self.full() {
                return;
            }
        }
        if phase == 1 && self.case.operation.unknown == Unknown::Refuse {
            self.unknown();
        }
    }

    fn full(&self) -> bool {
        let enough = self.case.operation.errors == Collect::First && !self.errors.is_empty();
        enough || self.errors.len() >= MOST_ERRORS
    }

    fn field(&mut self, phase: i64, i: usize, field: &Field) {
        let fields = self.case.fields;
        let input = fields.inputs[i].as_ref();
        let value = input.filter(|v| !v.is_null());
        let explicit = field.rules.iter().any(|r| r.json_type.is_some());
        let mut typed = !field.is_typed() || phase != 1 && !explicit;
        let (mut missing, mut unsaid) = (false, false);
        for (n, rule) in field.rules.iter().enumerate().filter(|(_, r)| r.phase == phase) {
            if missing && !rule.required {
                continue;
            }
            if rule.condition.as_ref().is_some_and(|c| !self.case.holds(c, input, true)) {
                // The rule is silent, but a wrong type passes no field.
                unsaid |= rule.json_type.is_some();
                self.note(i, Some(n), || Verdict::NotAsked);
                continue;
            }
            let broken = match value {
                None if rule.required => Some(Broken::new("required", Json::Null)),
                None => self.case.unproven(rule, None),
                Some(Json::String(text)) if text.is_empty() && rule.required => {
                    Some(Broken::new("required", Json::Null))
                }
                Some(value) => {
                    // A `type` rule speaks for itself; without one the field's first rule finds it out.
                    let asks = rule.json_type.is_some() || !explicit && !typed;
                    typed |= asks;
                    match asks && !field.json_type().fits(value) {
                        true => Some(Broken::new("type", field.json_type().name())),
                        false => self.case.demand(field, rule, value, input),
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
            self.errors.push(self.case.say(field, Some(rule), broken, input));
            if ends || self.case.operation.errors != Collect::All || self.full() {
                return;
            }
        }
        let unchecked = !missing && (unsaid || !typed && !explicit);
        if let Some(value) = value.filter(|v| unchecked && !field.json_type().fits(v)) {
            self.note(i, None, || Verdict::Broken("type"));
            let broken = Broken::new("type", field.json_type().name());
            self.errors.push(self.case.say(field, None, broken, Some(value)));
        }
    }

    fn unknown(&mut self) {
        for (key, _) in unknown_members(self.case.operation, &self.case.fields.body) {
            self.errors.push(self.case.unknown(key));
            if self.full() {
                return;
            }
        }
    }
}

fn refuses(case: &Case<'_>, i: usize) -> bool {
    let field = &case.operation.fields[i];
    let input = case.fields.inputs[i].as_ref();
    let value = input.filter(|v| !v.is_null());
    let untyped = field.rules.is_empty() && field.into.is_none();
    let applies = |rule: &&Rule| rule.condition.as_ref().is_none_or(|c| case.holds(c, input, true));
    let breaks = |rule: &Rule| match value {
        None => rule.required || case.unproven(rule, None).is_some(),
        Some(value) => {
            rule.required && value.as_str() == Some("") || case.demand(field, rule, value, input).is_some()
        }
    };
    value.is_some_and(|v| !untyped && !field.json_type().fits(v))
        || field.rules.iter().filter(applies).any(breaks)
}
