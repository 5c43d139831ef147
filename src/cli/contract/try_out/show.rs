//! How a try is shown: as steps for people, as one object for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::play::Played;
use super::request::TryRequest;
use crate::contract::{Contract, FieldTrace, Reply, RuleTrace, Shown, Verdict, phrase};

/// What stands in place of a secret.
const SECRET: &str = "***";

/// Everything that is shown.
pub(super) struct Try<'s> {
    pub(super) name: &'s str,
    pub(super) contract: &'s Contract,
    pub(super) request: Option<&'s TryRequest>,
    pub(super) played: &'s Played,
    /// The reply as the contract wrote it.
    pub(super) reply: &'s Reply,
    /// The whole answer around it.
    pub(super) answer: http::Response<()>,
}

/// Everything before the reply.
pub(super) fn steps(shown: &Try<'_>) -> String {
    let mut out = String::new();
    if let Some(request) = shown.request {
        let head = format!("POST {}", shown.contract.register.path);
        let query = request.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
        let mut rows = vec![vec![format!("{head}{query}")]];
        // Headers can hold credentials; names are enough to see what was sent.
        rows.extend(request.headers.iter().map(|(name, value)| {
            let value = value.to_str().ok().filter(|_| name == http::header::CONTENT_TYPE);
            vec![format!("{name}: {}", value.unwrap_or(SECRET))]
        }));
        rows.push(vec![match request.is_example {
            true => format!("an example: {}", String::from_utf8_lossy(&request.body).trim_end()),
            false => format!("{} bytes of body", request.body.len()),
        }]);
        section(&mut out, "request", &rows);
        decoded(&mut out, shown);
    }
    let mut ending = vec![vec![shown.reply.outcome.name().to_owned()]];
    if !shown.played.reason.is_empty() {
        ending.push(vec![format!("because: {}", shown.played.reason)]);
    }
    section(&mut out, "outcome", &ending);
    let errors = shown.played.errors.iter().map(|e| {
        vec![e.field.to_string(), format!("code {}", e.code), Json::from(e.message.as_str()).to_string()]
    });
    section(&mut out, "errors", &errors.collect::<Vec<_>>());
    out.push_str("reply\n");
    out
}

fn decoded(out: &mut String, shown: &Try<'_>) {
    let trace = &shown.played.trace;
    let Some(media) = trace.media else { return };
    let mut rows: Vec<Vec<String>> = trace.fields.iter().map(field).collect();
    if !trace.unnamed.is_empty() {
        let what = match trace.unknown {
            "refuse" => "refused",
            "keep" => "kept",
            _ => "ignored",
        };
        let names: Vec<String> = trace.unnamed.iter().map(|n| Json::from(n.as_str()).to_string()).collect();
        rows.push(vec![format!("{what}, because no field names it: {}", names.join(", "))]);
    }
    section(out, &format!("decoded as {}", media.name()), &rows);
    section(out, "rules", &trace.rules.iter().map(rule).collect::<Vec<_>>());
    let means = shown.played.means.iter().map(|(name, value, key)| {
        let unique = key.as_ref().map(|key| format!("unique as {}", Json::from(key.as_str())));
        vec![name.clone(), value.to_string(), unique.unwrap_or_default()]
    });
    section(out, "means", &means.collect::<Vec<_>>());
}

fn field(field: &FieldTrace) -> Vec<String> {
    let place = if field.from == *field.name { String::new() } else { format!("from {}", field.from) };
    let value = match &field.cleaned {
        Some(cleaned) if *cleaned != field.read => format!("{} -> {}", text(&field.read), text(cleaned)),
        _ => text(&field.read),
    };
    let into =
        field.into.as_ref().map_or_else(|| "checked and forgotten".to_owned(), |m| format!("into {m}"));
    vec![field.name.to_string(), place, value, into]
}

fn text(value: &Shown) -> String {
    match value {
        Shown::Absent => "nothing".to_owned(),
        Shown::Secret => SECRET.to_owned(),
        Shown::Value(value) => value.to_string(),
    }
}

fn rule(rule: &RuleTrace) -> Vec<String> {
    let verdict = match rule.verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Broken(demand) if rule.demands.len() > 1 => format!("BROKEN: {demand}"),
        Verdict::Broken(_) => "BROKEN".to_owned(),
        Verdict::Absent => "nothing to check".to_owned(),
        Verdict::NotAsked => "`if` does not hold".to_owned(),
        Verdict::NotReached => "not reached".to_owned(),
        Verdict::Index => "for the index to say".to_owned(),
    };
    let phase = if rule.phase == 1 { String::new() } else { format!("phase {}", rule.phase) };
    vec![rule.field.to_string(), rule.demands.join(" "), phase, verdict]
}

/// Rows under a title, in columns; without rows nothing.
fn section(out: &mut String, title: &str, rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let alone = |row: &&Vec<String>| row.len() > 1;
    let widths: Vec<usize> = (0..columns)
        .map(|i| {
            rows.iter().filter(alone).filter_map(|r| r.get(i)).map(|t| t.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let _ = writeln!(out, "{title}");
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths).filter(|(_, width)| row.len() == 1 || **width > 0) {
            let _ = write!(line, "  {cell:<width$}");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push('\n');
}

/// Status line, headers and body as they go over the wire.
pub(super) fn reply(shown: &Try<'_>, pretty: bool) -> String {
    let body = &shown.reply.body;
    let mut out =
        format!("HTTP/1.1 {} {}\n", shown.answer.status().as_u16(), phrase(shown.answer.status().as_u16()));
    for (name, value) in headers(shown) {
        let _ = writeln!(out, "{name}: {value}");
    }
    out.push('\n');
    match serde_json::from_str::<Json>(body).ok().filter(|_| pretty) {
        Some(json) => out.push_str(&serde_json::to_string_pretty(&json).unwrap_or_else(|_| body.clone())),
        None => out.push_str(body),
    }
    out
}

fn headers(shown: &Try<'_>) -> Vec<(String, String)> {
    let text = |v: &http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let mut out: Vec<(String, String)> =
        shown.answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    if !matches!(shown.reply.status, 204 | 304) {
        out.push(("content-length".to_owned(), shown.reply.body.len().to_string()));
    }
    out
}

/// The same as one object.
pub(super) fn as_json(shown: &Try<'_>) -> Json {
    let trace = &shown.played.trace;
    let means: Map<String, Json> = shown
        .played
        .means
        .iter()
        .map(|(name, value, key)| (name.clone(), json!({ "value": value, "unique_as": key })))
        .collect();
    let errors = shown.played.errors.iter().map(|e| {
        json!({ "field": &*e.field, "code": e.code, "message": e.message, "limit": e.limit, "value": e.value, "outcome": e.outcome.name() })
    });
    json!({
        "contract": shown.name,
        "path": shown.contract.register.path,
        "query": shown.request.and_then(|r| r.query.as_ref()),
        "media": trace.media.map(|m| m.name()),
        "fields": trace.fields.iter().map(field_json).collect::<Vec<_>>(),
        "unnamed": trace.unnamed,
        "rules": trace.rules.iter().map(rule_json).collect::<Vec<_>>(),
        "means": means,
        "outcome": shown.reply.outcome.name(),
        "reason": Some(&shown.played.reason).filter(|r| !r.is_empty()),
        "errors": errors.collect::<Vec<_>>(),
        "reply": {
            "status": shown.reply.status,
            "phrase": phrase(shown.answer.status().as_u16()),
            "headers": headers(shown),
            "body": shown.reply.body,
        },
    })
}

fn field_json(field: &FieldTrace) -> Json {
    let mut out = json!({
        "name": &*field.name,
        "from": field.from,
        "into": field.into.as_ref().map(ToString::to_string),
        "sent": field.read != Shown::Absent,
        "secret": field.read == Shown::Secret,
    });
    let value = |shown: &Shown| match shown {
        Shown::Absent => Json::Null,
        Shown::Secret => SECRET.into(),
        Shown::Value(value) => value.clone(),
    };
    out["read"] = value(&field.read);
    if let Some(cleaned) = &field.cleaned {
        out["cleaned"] = value(cleaned);
    }
    out
}

fn rule_json(rule: &RuleTrace) -> Json {
    let (verdict, broken) = match rule.verdict {
        Verdict::Passed => ("passed", None),
        Verdict::Broken(demand) => ("broken", Some(demand)),
        Verdict::Absent => ("absent", None),
        Verdict::NotAsked => ("not_asked", None),
        Verdict::NotReached => ("not_reached", None),
        Verdict::Index => ("index", None),
    };
    json!({ "field": &*rule.field, "phase": rule.phase, "demands": rule.demands, "verdict": verdict, "broken": broken })
}
