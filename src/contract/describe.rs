//! A contract in words: what it accepts, what it answers, and a `curl` line to try it with.

use super::place::Place;
use super::samples::{Answer, Example, answers, example_request};
use super::{Contract, Field, JsonType, Media, Rule, Unknown};
use crate::user::{IdKind, Meaning};
use serde_json::Value as Json;
use std::fmt::Write as _;

/// Lines of JSON longer than this are broken up.
const WIDTH: usize = 100;
/// Where examples go when nobody says where the server is.
const NOWHERE: &str = "http://localhost:8080";

/// A contract as text for a terminal: its fields with place, meaning and rules, a request that it takes, and every
/// outcome with an example. `name` is the contract's, `path` the whole path at which it is mounted.
pub fn describe(contract: &Contract, name: &str, path: &str) -> String {
    let mut out = String::new();
    let operation = &contract.register;
    let title = if contract.title.is_empty() { "no title" } else { &contract.title };
    let accepts: Vec<&str> = operation.accepts.iter().map(|m| m.content_type()).collect();
    let query: Vec<String> = operation.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    line(&mut out, 0, &format!("{name}: {title}"));
    line(&mut out, 0, &format!("POST {path}{query}"));
    line(&mut out, 0, &format!("reads {}; ids are {}", accepts.join(", "), id(&contract.id)));
    line(&mut out, 0, unknown(operation.unknown));
    line(&mut out, 0, "\nFields");
    operation.fields.iter().for_each(|f| field(&mut out, f));
    line(&mut out, 0, "\nExample");
    line(&mut out, 1, &curl(contract, NOWHERE, path).replace('\n', "\n  "));
    line(&mut out, 0, "\nAnswers");
    answers(contract, path, NOWHERE).iter().for_each(|a| answer(&mut out, a));
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:1$}{text}", "", depth * 2);
}

fn id(kind: &IdKind) -> String {
    match kind {
        IdKind::Integer => "numbers".to_owned(),
        IdKind::Uuid => "UUIDs".to_owned(),
        IdKind::ObjectId => "24 hexadecimal digits".to_owned(),
        IdKind::Text(recipe) => format!("like {recipe}"),
    }
}

fn unknown(unknown: Unknown) -> &'static str {
    match unknown {
        Unknown::Ignore => "other members of the body are ignored",
        Unknown::Refuse => "other members of the body are refused",
        Unknown::Keep => "other members of the body are stored",
    }
}

fn field(out: &mut String, field: &Field) {
    let meaning = field.into.as_ref().map_or_else(|| "not stored".to_owned(), meaning);
    line(out, 1, &format!("{}  in {}; {meaning}", field.name, place(&field.from)));
    if let Some(clean) = &field.clean {
        line(out, 2, &format!("cleaned first: {}", clean.source));
    }
    for rule in &field.rules {
        let says = rule.says.message.as_ref().map_or_else(String::new, |m| format!(": \"{}\"", m.source()));
        line(out, 2, &format!("{}{says}", in_words(rule)));
    }
}

/// What a field's value becomes.
fn meaning(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Email => "the e-mail address".to_owned(),
        Meaning::Username => "the user name".to_owned(),
        Meaning::Password => "the password".to_owned(),
        Meaning::Name => "the full name".to_owned(),
        Meaning::FirstName => "the first name".to_owned(),
        Meaning::LastName => "the last name".to_owned(),
        Meaning::Id => "the id".to_owned(),
        Meaning::Extra(name) => format!("stored as `{name}`"),
    }
}

/// Where a value stands: `the body, user.email`.
fn place(place: &Place) -> String {
    match place {
        Place::Body(_) => format!("the body at {place}"),
        Place::Query(name) => format!("the query, {name}"),
        Place::Header(name) => format!("the header {name}"),
        Place::Cookie(name) => format!("the cookie {name}"),
    }
}

/// A rule's demands in plain words, and when and how it applies.
pub(super) fn in_words(rule: &Rule) -> String {
    let demands: Vec<String> = rule.demands().map(|demand| in_word(rule, demand)).collect();
    let mut out = demands.join(", ");
    if let Some(condition) = &rule.condition {
        let _ = write!(out, " (only if {})", condition.source);
    }
    if rule.phase != 1 {
        let _ = write!(out, " (in phase {})", rule.phase);
    }
    if let Some(outcome) = &rule.outcome {
        let _ = write!(out, " (else `{outcome}`)");
    }
    out
}

fn in_word(rule: &Rule, demand: &str) -> String {
    let count = |n: Option<usize>, what: &str| {
        let n = n.unwrap_or_default();
        format!("{what} {n} {}", if n == 1 { "character" } else { "characters" })
    };
    match demand {
        "required" => "required".to_owned(),
        "type" => rule.json_type.map_or("text", type_in_words).to_owned(),
        "enum" => {
            let values = rule.one_of.iter().flatten().map(Json::to_string).collect::<Vec<_>>();
            if values.len() == 1 {
                format!("must be {}", values[0])
            } else {
                format!("one of {}", values.join(", "))
            }
        }
        "min_length" => count(rule.min_length, "at least"),
        "max_length" => count(rule.max_length, "at most"),
        "pattern" => {
            let patterns: Vec<String> = rule.patterns.iter().map(|p| format!("/{p}/")).collect();
            format!("matches {}", patterns.join(" and "))
        }
        "format" => match rule.format.unwrap_or_default() {
            "email" => "an e-mail address".to_owned(),
            "uuid" => "a UUID".to_owned(),
            "date" => "a date, yyyy-mm-dd".to_owned(),
            "phone" => "a telephone number such as +14155550123".to_owned(),
            "timezone" => "a time zone such as Europe/Berlin".to_owned(),
            _ => "a URI".to_owned(),
        },
        "secret" => {
            format!("equals the deployment's secret `{}`", rule.secret.as_deref().unwrap_or_default())
        }
        "uncommon" => "not one that attackers try first".to_owned(),
        "proof" => "a proof of work: the solution of a challenge from `GET PATH/challenge`".to_owned(),
        "check" => rule.check.as_ref().map_or_else(String::new, |check| format!("holds: {}", check.source)),
        _ => "not used by another account".to_owned(),
    }
}

fn type_in_words(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::String => "text",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::Boolean => "true or false",
        JsonType::Array => "a list",
        JsonType::Object => "an object",
    }
}

fn answer(out: &mut String, answer: &Answer) {
    let Some(reply) = answer.replies.first() else { return };
    line(out, 1, &format!("{}  {}", reply.status, answer.outcome));
    for (name, value) in &reply.headers {
        line(out, 2, &format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    }
    let body = match serde_json::from_str::<Json>(&reply.body) {
        Ok(json) if reply.body.len() > WIDTH => format!("{json:#}"),
        _ => reply.body.clone(),
    };
    body.lines().for_each(|text| line(out, 2, text));
}

/// A `curl` command that registers the contract's example, to be pasted into a POSIX shell. `base_url` has no path of
/// its own; `path` is the whole path at which the contract is mounted.
pub fn curl(contract: &Contract, base_url: &str, path: &str) -> String {
    let example = example_request(contract);
    let query = example.query_string();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    let mut parts = vec![format!("curl -i {}", quoted(&format!("{base_url}{path}{query}")))];
    parts.extend(
        example.headers.iter().map(|(name, value)| format!("-H {}", quoted(&format!("{name}: {value}")))),
    );
    parts.extend(example.cookie().map(|cookie| format!("-H {}", quoted(&format!("cookie: {cookie}")))));
    body(&example, &mut parts);
    parts.join(" \\\n  ")
}

fn body(example: &Example, parts: &mut Vec<String>) {
    if example.media == Media::Multipart {
        let pairs = example.pairs();
        parts.extend(
            pairs.iter().map(|(name, value)| format!("--form-string {}", quoted(&format!("{name}={value}")))),
        );
        return;
    }
    parts.push(format!("-H {}", quoted(&format!("content-type: {}", example.content_type))));
    // `--data-raw` sends a body that begins with @ as it is.
    parts.push(format!("--data-raw {}", quoted(&example.body)));
}

/// A word of a POSIX shell that means exactly this text.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{load, shipped};

    #[test]
    fn a_contract_in_words() {
        let text = describe(&shipped("express").expect("it is shipped"), "express", "/user/register");
        for part in [
            "express: Express, express-validator 6, JWT\nPOST /user/register\nreads application/json; ids are 24",
            "  firstname  in the body at firstname; the first name\n    required, at least 3 characters: \"First name",
            "  curl -i 'http://localhost:8080/user/register' \\\n    -H 'content-type: application/json' \\\n",
            "{\"firstname\":\"Jane\",\"lastname\":\"Doe\",\"email\":\"jane.doe@example.com\",\"password\":\"Correct-",
            "  201  created\n    content-type: application/json\n    {\n      \"token\": \"eyJ",
            "  400  taken\n    content-type: application/json\n    {\"errors\":[{\"msg\":\"E-mail already in use\"",
            "  503  busy\n    content-type: application/problem+json\n    retry-after: 2\n",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in ["", "plain", "it's", "$(x) `y` \"z\" \\", "a\nb", "'''"] {
            let script = format!("printf %s {}", quoted(text));
            let run = std::process::Command::new("sh").arg("-c").arg(script).output().expect("a shell");
            assert_eq!(String::from_utf8_lossy(&run.stdout), text);
        }
    }

    #[test]
    fn curl_writes_every_part_of_a_request() {
        let file = r#"
            [register]
            path = "/api/?action=sign-up"
            accepts = ["multipart", "json"]
            fields = [
              { name = "key", from = "header:X-Key", rules = [{ required = true, secret = "key" }] },
              { name = "seen", from = "cookie:seen", rules = [{ required = true, enum = ["it's; 1"] }] },
              { name = "plan", from = "query:plan", into = "extra.plan", rules = [{ enum = ["a&b"] }] },
              { name = "email", from = "user.email" },
              { name = "password", from = "user.password", rules = [{ required = true }] },
            ]
            [register.created]
            body = ""
            [register.default]
            body = ""
        "#;
        let contract = load(file).contract.expect("a contract");
        assert_eq!(
            curl(&contract, "https://example.com", "/api/"),
            r"curl -i 'https://example.com/api/?action=sign-up&plan=a%26b' \
  -H 'x-key: <key>' \
  -H 'cookie: seen=it'\''s%3B%201' \
  --form-string 'user[email]=jane.doe@example.com' \
  --form-string 'user[password]=Correct-Horse-7-Battery'"
        );
    }
}
