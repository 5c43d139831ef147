//! The refusals that follow from broken rules, and those that are told in their words although every rule passed: a
//! value that is in use, one that means nothing, a proof of work that was used before.

use super::demand::{Broken, Case};
use crate::contract::circumstances::Circumstances;
use crate::contract::fields::Fields;
use crate::contract::operation::{Collect, Contract, Operation};
use crate::contract::outcome::Outcome;
use crate::contract::refusal::{FieldError, Refusal};
use crate::proof::Refused;
use crate::user::Problem;
use serde_json::Value as Json;
use std::collections::HashSet;

/// The most complaints one request collects.
pub(super) const MOST_ERRORS: usize = 100;

impl Contract {
    /// The refusal for unique values that are in use, in the order of the fields.
    pub fn taken(&self, fields: Fields, kinds: &[String], now: &Circumstances) -> Refusal {
        let operation = &self.register;
        let case = Case { operation, fields: &fields, now };
        let mut errors = Vec::new();
        for (field, input) in operation.fields.iter().zip(&fields.inputs) {
            if !field.into.as_ref().is_some_and(|m| kinds.contains(&m.to_string())) {
                continue;
            }
            let rule = field.rules.iter().find(|r| r.unique);
            let mut error = case.say(field, rule, Broken::new("unique", Json::Null), input.as_ref());
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
    pub fn misunderstood(&self, fields: Fields, problems: &[Problem], now: &Circumstances) -> Refusal {
        let operation = &self.register;
        let case = Case { operation, fields: &fields, now };
        let mut errors = Vec::new();
        for (field, input) in operation.fields.iter().zip(&fields.inputs) {
            for problem in problems.iter().filter(|p| field.into.as_ref() == Some(&p.meaning)) {
                let rule = field.rules.iter().find(|r| r.format.is_some());
                let demand = if rule.is_some() { "format" } else { field.understanding() };
                let broken = Broken { reason: problem.reason.clone(), ..Broken::new(demand, Json::Null) };
                errors.push(case.say(field, rule, broken, input.as_ref()));
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
        errors.truncate(if operation.errors == Collect::First { 1 } else { MOST_ERRORS });
        let errors = once(operation, errors);
        let outcome = errors.first().map_or(Outcome::Invalid, |e| e.outcome.clone());
        refuse(outcome, errors, fields)
    }

    /// The refusal for a proof of work that passed every rule and had been used before.
    pub fn spent(&self, fields: Fields, now: &Circumstances) -> Refusal {
        let operation = &self.register;
        let case = Case { operation, fields: &fields, now };
        let pairs = operation.fields.iter().zip(&fields.inputs).filter(|(field, _)| field.proves());
        let errors: Vec<FieldError> = pairs
            .map(|(field, input)| {
                let rule = field.rules.iter().find(|r| r.proof);
                case.say(field, rule, Broken::unproven(Refused::Spent), input.as_ref())
            })
            .collect();
        let outcome = errors.first().map_or(Outcome::Invalid, |e| e.outcome.clone());
        refuse(outcome, errors, fields)
    }
}

/// Errors that lead elsewhere than the first are dropped.
pub(in crate::contract) fn refuse(outcome: Outcome, mut errors: Vec<FieldError>, fields: Fields) -> Refusal {
    errors.retain(|e| e.outcome == outcome);
    Refusal { outcome, errors, reason: String::new(), fields: Some(fields) }
}

/// Under `first-per-field` a name is reported once, whichever fields and rules report it.
pub(in crate::contract) fn once(operation: &Operation, mut errors: Vec<FieldError>) -> Vec<FieldError> {
    if operation.errors == Collect::FirstPerField {
        let mut reported = HashSet::new();
        errors.retain(|e| reported.insert(e.field.clone()));
    }
    errors
}
