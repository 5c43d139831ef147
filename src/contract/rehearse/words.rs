//! The dry run of what stands in fields and rules: `clean`, `if`, `check`, messages.

use super::trials::{odd_values, value};
use super::{Rehearsal, advice, circumstances};
use crate::contract::clean::clean_scene;
use crate::contract::fields::{Fields, shown_inputs};
use crate::contract::load::position;
use crate::contract::rules::{Said, check_scene, hidden, message_scene};
use crate::contract::template::{Expr, Template, Trace, seen};
use crate::contract::{Field, Rule, Says};
use minijinja::Value;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Longer than most `min_length`s that a check could contain.
const LONG: &str = "a long phrase of many words, with 1 digit, that nobody would guess";

impl Rehearsal<'_> {
    /// `check`, `if` and `clean` with values of the type they are for.
    pub(super) fn expressions(&mut self) {
        let (contract, now) = (self.contract, circumstances());
        let operation = &contract.register;
        for sample in self.samples.clone().iter().filter(|s| s.plain) {
            for (i, field) in operation.fields.iter().enumerate() {
                let input = sample.fields.inputs[i].as_ref();
                let scene = check_scene(operation, &sample.fields, input, &now);
                for rule in &field.rules {
                    self.expression(field, "if", rule.condition.as_ref(), &scene);
                    self.expression(field, "check", rule.check.as_ref().filter(|_| input.is_some()), &scene);
                }
                let clean = field.clean.as_ref().filter(|_| input.is_some());
                self.expression(field, "clean", clean, &clean_scene(input, &now));
            }
        }
    }

    fn expression(&mut self, field: &Field, word: &str, expr: Option<&Expr>, scene: &Value) {
        let Some(expr) = expr else { return };
        if let Err(error) = expr.eval(scene, &[]) {
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

    /// A stored field whose value must equal the password, or what must equal it, would be a copy of the password.
    pub(super) fn copies(&mut self) {
        let contract = self.contract;
        let fields = &contract.register.fields;
        let Some(password) = fields.iter().position(|f| f.is_password()) else { return };
        let rules = || {
            let rules =
                fields.iter().enumerate().flat_map(|(own, f)| f.rules.iter().map(move |rule| (own, rule)));
            rules.filter(|(_, rule)| rule.check.is_some())
        };
        let mut same = BTreeSet::from([password]);
        while let Some(copy) = rules().find_map(|(own, rule)| {
            (0..fields.len()).find(|i| !same.contains(i) && self.must_equal(rule, own, *i, &same))
        }) {
            same.insert(copy);
        }
        for (own, rule) in rules() {
            let stored = same.iter().filter(|i| **i != password && fields[**i].into.is_some());
            for copy in
                stored.filter(|copy| self.must_equal(rule, own, **copy, &same)).copied().collect::<Vec<_>>()
            {
                let check = rule.check.as_ref().expect("only such rules are looked at");
                let span = position(self.file, &check.origin, &(0..check.source.len()));
                let label = format!("`{}` would store a copy of the password", fields[copy].name);
                let title = "what must equal the password is not stored".to_owned();
                self.complain(title, span, label, Some("remove the field's `into`"));
            }
        }
    }

    /// Whether a rule demands that a field equals one of these, itself left aside.
    fn must_equal(&self, rule: &Rule, own: usize, field: usize, same: &BTreeSet<usize>) -> bool {
        let fields = &self.contract.register.fields;
        let mentioned = |i: &usize| {
            let mut exprs = rule.check.iter().chain(&rule.condition);
            exprs.any(|expr| {
                expr.mentions(&["input", &fields[*i].name]) || *i == own && expr.mentions(&["value"])
            })
        };
        let mut known = same.iter().filter(|i| **i != field).filter(|i| mentioned(i));
        mentioned(&field) && known.any(|known| self.demands_equality(rule, own, *known, field))
    }

    /// Whether a rule is kept when two fields are equal, and broken when only they differ.
    fn demands_equality(&self, rule: &Rule, own: usize, a: usize, b: usize) -> bool {
        let now = circumstances();
        let operation = &self.contract.register;
        let passes = |sample: &Fields, x: &str, y: &str| {
            let mut fields = sample.clone();
            (fields.inputs[a], fields.inputs[b]) = (Some(x.into()), Some(y.into()));
            let input = fields.inputs[own].clone();
            let scene = check_scene(operation, &fields, input.as_ref(), &now);
            // A condition that cannot be evaluated asks, and a check that cannot is broken.
            let asked = |e: &Expr| e.eval(&scene, &[]).map_or(true, |v| v.is_true());
            let holds = |e: &Expr| e.eval(&scene, &[]).is_ok_and(|v| v.is_true());
            !rule.condition.as_ref().is_none_or(asked) || rule.check.as_ref().is_none_or(holds)
        };
        let pairs = [("zoe1", "ben2"), ("correcthorse1", "batterystapl2"), (LONG, "y")];
        self.samples.iter().filter(|s| s.plain).any(|sample| {
            pairs.iter().any(|(x, y)| {
                let differs = passes(&sample.fields, x, y) || passes(&sample.fields, y, x);
                passes(&sample.fields, x, x) && !differs
            })
        })
    }

    /// What the rules say, and the catalogue, with values that may be shown and with those that may not.
    pub(super) fn messages(&mut self) {
        let contract = self.contract;
        for field in &contract.register.fields {
            for rule in &field.rules {
                for demand in rule.demands() {
                    let says = [Some(&rule.says), contract.register.says.get(demand)];
                    let template = says.into_iter().flatten().find_map(|s: &Says| s.message.as_ref());
                    if let Some(template) = template {
                        self.message(field, template, &rule.limit(demand));
                    }
                }
            }
        }
    }

    fn message(&mut self, field: &Field, template: &Template, limit: &Json) {
        let (contract, now) = (self.contract, circumstances());
        let operation = &contract.register;
        let shown = operation.shows(field);
        let mut values: Vec<Option<Json>> =
            vec![Some(value(field, "Ann")), Some(value(field, "\"x")), Some(json!("")), None];
        values.extend(odd_values().map(Some));
        for sample in self.samples.clone().iter().filter(|s| s.plain || s.refused) {
            for (i, value) in values.iter().enumerate() {
                let value = if shown { seen(value.as_ref()) } else { hidden(value.as_ref()) };
                let said = Said { field: &field.name, value, limit, reason: "it is not" };
                let scene = message_scene(said, shown_inputs(operation, Some(&sample.fields)), &now);
                let mut trace = Trace { strict: i == 0, ..Trace::default() };
                let result = template.rehearse(&scene, &mut trace);
                self.enter(template, trace);
                if let Err(error) = result {
                    let span = position(self.file, &template.origin(), &error.at);
                    let title = format!("a message of `{}` fails with sample values", field.name);
                    let secret = (!shown).then_some("the values of secret fields are never shown");
                    let help = advice(&error.what).or(secret);
                    return self.complain(title, span, error.what, help);
                }
            }
        }
    }
}
