//! A request told step by step: what was read, what `clean` made of it, which rules ran and what became of them.

use super::clean::cleaned;
use super::decode::read;
use super::fields::unknown_members;
use super::rules::{self, Ran, Verdict};
use super::{Circumstances, Contract, Fields, Media, Operation, Refusal, Request, Unknown};
use crate::user::Meaning;
use serde_json::Value as Json;
use std::sync::Arc;

/// The way of one request through a contract. Nothing secret is in it, so it can be shown to anybody.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// As what the body was read; none when it could not be.
    pub media: Option<Media>,
    /// Every field, in the contract's order.
    pub fields: Vec<FieldTrace>,
    /// Members of the body that no field names.
    pub unnamed: Vec<String>,
    /// What becomes of them: `ignore`, `refuse` or `keep`.
    pub unknown: &'static str,
    /// Every rule, in the contract's order.
    pub rules: Vec<RuleTrace>,
}

/// One field of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldTrace {
    /// The field's name.
    pub name: Arc<str>,
    /// Where it stands, as `from` writes it.
    pub from: String,
    /// What it means; none for what is checked and forgotten.
    pub into: Option<Meaning>,
    /// What stood there.
    pub read: Shown,
    /// What `clean` made of it, if it has one.
    pub cleaned: Option<Shown>,
}

/// A value that is shown, or not.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// Nothing was sent.
    Absent,
    /// Something was sent, and is nobody's business.
    Secret,
    /// This was sent.
    Value(Json),
}

/// One rule of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTrace {
    /// The field's name.
    pub field: Arc<str>,
    /// The rule's phase.
    pub phase: i64,
    /// What it demands.
    pub demands: Vec<&'static str>,
    /// What became of it.
    pub verdict: Verdict,
}

impl Contract {
    /// Does what [`Contract::decode`] does, and tells how.
    pub async fn explain(
        &self,
        request: Request<'_>,
        now: &Circumstances,
    ) -> (Trace, Result<Fields, Refusal>) {
        let (media, body) = match self.body(request).await {
            Ok(read) => read,
            Err(refusal) => return (Trace::default(), Err(refusal)),
        };
        let raw = read(&self.register, request, body, media);
        let fields = cleaned(&self.register, raw.clone(), now);
        let mut trail = Vec::new();
        let errors = rules::check(&self.register, &fields, now, Some(&mut trail));
        let trace = Trace {
            media: Some(media),
            fields: fields_of(&self.register, &raw, &fields),
            unnamed: unknown_members(&self.register, &fields.body).map(|(key, _)| key.clone()).collect(),
            unknown: match self.register.unknown {
                Unknown::Ignore => "ignore",
                Unknown::Refuse => "refuse",
                Unknown::Keep => "keep",
            },
            rules: rules_of(&self.register, &trail),
        };
        let result = match errors.first() {
            None => Ok(fields),
            Some(first) => Err(rules::refuse(first.outcome.clone(), errors, fields)),
        };
        (trace, result)
    }
}

fn fields_of(operation: &Operation, raw: &Fields, clean: &Fields) -> Vec<FieldTrace> {
    let pairs = operation.fields.iter().zip(raw.inputs.iter().zip(&clean.inputs));
    let trace = |(field, (read, cleaned)): (&super::Field, (&Option<Json>, &Option<Json>))| {
        let shown = |value: &Option<Json>| match value {
            None => Shown::Absent,
            Some(_) if field.secret => Shown::Secret,
            Some(value) => Shown::Value(value.clone()),
        };
        FieldTrace {
            name: field.name.clone(),
            from: field.from.to_string(),
            into: field.into.clone(),
            read: shown(read),
            cleaned: field.clean.as_ref().map(|_| shown(cleaned)),
        }
    };
    pairs.map(trace).collect()
}

fn rules_of(operation: &Operation, trail: &[Ran]) -> Vec<RuleTrace> {
    let mut out = Vec::new();
    for (i, field) in operation.fields.iter().enumerate() {
        for (n, rule) in field.rules.iter().enumerate() {
            let demands: Vec<&'static str> = rule.demands().collect();
            let ran = trail.iter().find(|r| r.field == i && r.rule == Some(n)).map(|r| r.verdict);
            let verdict = match ran {
                None => Verdict::NotReached,
                Some(Verdict::Passed) if demands.contains(&"unique") => Verdict::Index,
                Some(verdict) => verdict,
            };
            out.push(RuleTrace { field: field.name.clone(), phase: rule.phase, demands, verdict });
        }
        // A field is text even if no rule says so; that is worth a line only when the value is not.
        if let Some(ran) = trail.iter().find(|r| r.field == i && r.rule.is_none()) {
            let (field, demands) = (field.name.clone(), vec!["type"]);
            out.push(RuleTrace { field, phase: 1, demands, verdict: ran.verdict });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::load;
    use bytes::Bytes;
    use http::HeaderMap;
    use serde_json::json;

    const CONTRACT: &str = r#"
[register]
path = "/"
errors = "first-per-field"
fields = [
  { name = "email", from = "user.mail", clean = "value | lower", rules = [{ required = true }, { unique = true }] },
  { name = "password", rules = [{ required = true }, { min_length = 8 }, { pattern = "[0-9]" }] },
  { name = "phone", rules = [{ required = true, if = "not input.email" }, { format = "phone" }, { max_length = 9, phase = 2 }] },
  { name = "nick", into = "extra.nick" },
]
[register.created]
body = ""
[register.invalid]
body = ""
"#;

    async fn explain(body: Json) -> (Trace, Result<Fields, Refusal>) {
        let contract = load(CONTRACT).contract.expect("this contract is right");
        let now = Circumstances::default();
        let (headers, body) = (HeaderMap::new(), Bytes::from(body.to_string()));
        let request = Request { query: None, headers: &headers, body: &body };
        let plain = contract.decode(request, &now).await.map_err(|r| r.outcome);
        let (trace, told) = contract.explain(request, &now).await;
        assert_eq!(plain.is_ok(), told.is_ok());
        assert_eq!(plain.err(), told.as_ref().err().map(|r| r.outcome.clone()));
        (trace, told)
    }

    #[tokio::test]
    async fn every_rule_has_a_verdict() {
        let body = json!({ "user": { "mail": "A@B.co" }, "password": "hunter", "nick": 5, "more": 1 });
        let (trace, refusal) = explain(body).await;
        let verdicts: Vec<_> = trace.rules.iter().map(|r| (&*r.field, r.demands[0], r.verdict)).collect();
        assert_eq!(
            verdicts,
            [
                ("email", "required", Verdict::Passed),
                ("email", "unique", Verdict::Index),
                ("password", "required", Verdict::Passed),
                ("password", "min_length", Verdict::Broken("min_length")),
                ("password", "pattern", Verdict::NotReached),
                ("phone", "required", Verdict::NotAsked),
                ("phone", "format", Verdict::Absent),
                ("phone", "max_length", Verdict::NotReached),
                ("nick", "type", Verdict::Broken("type")),
            ]
        );
        assert_eq!(refusal.expect_err("two are broken").errors.len(), 2);
        assert_eq!((trace.unnamed.as_slice(), trace.unknown), (&["more".to_owned()][..], "ignore"));
    }

    #[tokio::test]
    async fn values_are_shown_before_and_after_clean_and_secrets_are_not() {
        let (trace, fields) = explain(json!({ "user": { "mail": "A@B.co" }, "password": "hunter21" })).await;
        assert!(fields.is_ok());
        let email = &trace.fields[0];
        assert_eq!((email.from.as_str(), &email.read), ("user.mail", &Shown::Value(json!("A@B.co"))));
        assert_eq!(email.cleaned, Some(Shown::Value(json!("a@b.co"))));
        assert_eq!((&trace.fields[1].read, &trace.fields[1].cleaned), (&Shown::Secret, &None));
        assert_eq!(trace.fields[2].read, Shown::Absent);
        assert!(!format!("{trace:?}").contains("hunter"));
    }
}
