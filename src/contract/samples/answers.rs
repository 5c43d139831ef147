//! Every outcome's answers: to the example, and to the example broken in every way that a rule notices.

use super::deployment::{circumstances, mint, registered};
use super::request::Draft;
use crate::contract::{
    Circumstances, Contract, Field, FieldError, Operation, Outcome, Refusal, Reply, Rule, Scene, rules,
};
use serde_json::{Value as Json, json};

/// What one outcome answers.
#[derive(Debug)]
pub(in crate::contract) struct Answer {
    /// How the request ended.
    pub(in crate::contract) outcome: Outcome,
    /// What is answered, the most telling reply first. There is always one.
    pub(in crate::contract) replies: Vec<Reply>,
}

/// One answer per outcome, in the contract's order, as they look to a request to `path` of a server at `base_url`.
pub(in crate::contract) fn answers(contract: &Contract, path: &str, base_url: &str) -> Vec<Answer> {
    let now = Circumstances { path: path.into(), base_url: base_url.into(), ..circumstances() };
    let draft = Draft::new(contract);
    let refusals = refusals(contract, &draft);
    let mut out = Vec::new();
    for outcome in contract.outcomes() {
        let mut replies: Vec<Reply> = match outcome {
            Outcome::Created => created(contract, &draft, &now),
            outcome => {
                let leading = refusals.iter().filter(|r| r.outcome == *outcome);
                leading.filter_map(|refusal| refused(contract, refusal, &now)).collect()
            }
        };
        if replies.is_empty() {
            replies.extend(plain(contract, outcome, &now));
        }
        let mut seen: Vec<Reply> = Vec::new();
        replies.retain(|reply| {
            let new = !seen.contains(reply);
            if new {
                seen.push(reply.clone());
            }
            new
        });
        if !replies.is_empty() {
            out.push(Answer { outcome: outcome.clone(), replies });
        }
    }
    out
}

/// The example's account, with all it said and with as little as the rules allow.
fn created(contract: &Contract, draft: &Draft<'_>, now: &Circumstances) -> Vec<Reply> {
    let mut least = draft.clone();
    for i in 0..least.values.len() {
        let value = least.values[i].take();
        if !rules::refused(&contract.register, &least.fields(), least.now()).is_empty() {
            least.values[i] = value;
        }
    }
    let replies =
        [draft, &least].map(|draft| contract.created(&draft.fields(), &registered(contract), &mint(), now));
    replies.into_iter().flatten().map(|(reply, _)| reply).collect()
}

/// What refuses the example when it is broken: all of it at first, then value by value, then as taken.
fn refusals(contract: &Contract, draft: &Draft<'_>) -> Vec<Refusal> {
    let operation = &contract.register;
    let whole = draft.values.len();
    let wrong = wrong_values();
    let together = wrong.iter().map(|value| (0..whole, value));
    let alone = (0..whole).flat_map(|i| wrong.iter().map(move |value| (i..i + 1, value)));
    let mut out = Vec::new();
    for (broken, value) in together.chain(alone) {
        let mut draft = draft.clone();
        draft.values[broken].fill(value.clone());
        let fields = draft.fields();
        let errors = rules::check(operation, &fields, draft.now(), None);
        if let Some(first) = errors.first() {
            out.push(rules::refuse(first.outcome.clone(), errors, fields));
        }
    }
    let unique: Vec<String> = unique(contract);
    for kinds in unique.iter().map(std::slice::from_ref).chain([unique.as_slice()]) {
        out.push(contract.taken(draft.fields(), kinds, draft.now()));
    }
    out
}

/// Too short, not text at all, too long, and nothing.
fn wrong_values() -> Vec<Option<Json>> {
    let values =
        [json!("x"), json!("?"), json!(7), json!(""), json!("x".repeat(300)), json!(null), json!(true)];
    let others = [json!(7.5), json!([]), json!({})];
    values.into_iter().map(Some).chain([None]).chain(others.map(Some)).collect()
}

/// The kinds of values that only one account may have.
fn unique(contract: &Contract) -> Vec<String> {
    let fields = contract.register.fields.iter();
    fields.filter(|f| f.identifies()).filter_map(|f| f.into.as_ref().map(ToString::to_string)).collect()
}

fn refused(contract: &Contract, refusal: &Refusal, now: &Circumstances) -> Option<Reply> {
    let scene = Scene { fields: refusal.fields.as_ref(), errors: &refusal.errors, ..Scene::default() };
    contract.refusal(&refusal.outcome, scene, now).ok()
}

/// An outcome that no sample leads to, with the complaint of a rule that would.
fn plain(contract: &Contract, outcome: &Outcome, now: &Circumstances) -> Option<Reply> {
    let operation = &contract.register;
    let rules = operation.fields.iter().flat_map(|f| f.rules.iter().map(move |rule| (f, rule)));
    let leading = rules.into_iter().find(|(_, rule)| rule.outcome.as_ref() == Some(outcome));
    let errors =
        leading.and_then(|(field, rule)| Some(complaint(operation, field, rule, rule.demands().next()?)));
    let scene = Scene {
        errors: errors.as_slice(),
        reason: if *outcome == Outcome::Malformed { "expected value at line 1 column 11" } else { "" },
        retry_after: matches!(outcome, Outcome::Throttled | Outcome::Busy).then_some(2),
        ..Scene::default()
    };
    contract.refusal(outcome, scene, now).ok()
}

/// The complaint of one demand, in the words that its rule uses where it does not look at the request.
fn complaint(operation: &Operation, field: &Field, rule: &Rule, demand: &'static str) -> FieldError {
    let catalogue = operation.says.get(demand);
    let code = rule.says.code.clone().or_else(|| catalogue.and_then(|s| s.code.clone()));
    let message = rule.says.message.as_ref().filter(|m| m.literal().is_some());
    FieldError {
        field: rule.field.clone().unwrap_or_else(|| field.name.clone()),
        code: code.unwrap_or_else(|| demand.into()),
        message: message.map_or_else(|| format!("{} {demand}", field.name), |m| m.source().to_owned()),
        limit: rule.limit(demand),
        sent: false,
        value: None,
        outcome: Outcome::Invalid,
        proof: None,
    }
}
