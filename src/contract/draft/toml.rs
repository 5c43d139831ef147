//! Writing TOML as the shipped contracts are written: remarks behind a line where there is room, bodies as literals.

use super::fields::{FieldDraft, RuleDraft};
use super::token::{Make, TokenDraft};
use crate::user::Meaning;
use serde_json::Value as Json;

/// A line that is longer is broken.
const WIDTH: usize = 118;

pub(super) fn field_lines(field: &FieldDraft) -> String {
    let mut words = vec![format!("name = {}", toml(&field.name))];
    if field.from != field.name {
        words.push(format!("from = {}", toml(&field.from)));
    }
    let implied = field.name.parse().ok().filter(|m| !matches!(m, Meaning::Id | Meaning::Extra(_)));
    if let Some(into) = field.into.as_ref().filter(|into| implied.as_ref() != Some(into)) {
        words.push(format!("into = {}", toml(&into.to_string())));
    }
    if let Some(clean) = field.clean {
        words.push(format!("clean = {}", toml(clean)));
    }
    let head = words.join(", ");
    let rules: Vec<String> = field.rules.iter().map(rule).collect();
    let note = Some(field.note.as_str()).filter(|n| !n.is_empty());
    let one = match rules.is_empty() {
        true => format!("  {{ {head} }},"),
        false => format!("  {{ {head}, rules = [{}] }},", rules.join(", ")),
    };
    if one.chars().count() <= WIDTH || rules.is_empty() {
        return line(&one, note);
    }
    let above = note.map_or_else(String::new, |n| format!("  # {n}\n"));
    format!("{above}  {{ {head}, rules = [\n      {},\n  ] }},\n", rules.join(",\n      "))
}

fn rule(rule: &RuleDraft) -> String {
    let mut words = vec![format!("{} = {}", rule.demand, toml_json(&rule.holds))];
    words.extend(said(rule.message.as_deref(), rule.code.as_ref()));
    format!("{{ {} }}", words.join(", "))
}

pub(super) fn said(message: Option<&str>, code: Option<&Json>) -> Vec<String> {
    let message = message.map(|m| format!("message = {}", toml(m)));
    message.into_iter().chain(code.map(|c| format!("code = {}", toml_json(c)))).collect()
}

pub(super) fn token_lines(token: &TokenDraft) -> String {
    let make = match &token.make {
        Make::Claims(node) => format!("claims = {}", literal(&node.write().replace('\n', " "))),
        Make::Random(recipe) => format!("random = {}", toml(recipe)),
    };
    let lifetime = token.lifetime.as_deref().unwrap_or("1h");
    let text = format!("tokens.{} = {{ {make}, lifetime = {} }}", token.name, toml(lifetime));
    line(&text, Some(&token.note))
}

pub(super) fn headers(headers: &[(String, Vec<String>)]) -> String {
    let mut out = String::new();
    for (name, values) in headers {
        let values: Vec<String> = values.iter().map(|v| toml(v)).collect();
        out.push_str(&match values.as_slice() {
            [one] => format!("headers.{name} = {one}\n"),
            many => format!("headers.{name} = [{}]\n", many.join(",\n    ")),
        });
    }
    out
}

pub(super) fn body(template: &str) -> String {
    let one = format!("body = {}", literal(template));
    if !template.contains('\n') && one.chars().count() <= WIDTH {
        return one + "\n";
    }
    if template.contains("'''") || template.contains('\r') {
        return format!("body = {}\n", toml(template));
    }
    format!("body = '''\n{template}'''\n")
}

/// A TOML literal, or a basic string where that cannot be.
fn literal(text: &str) -> String {
    let plain = !text.contains('\'') && !text.chars().any(|c| c.is_control() && c != '\t');
    if plain { format!("'{text}'") } else { toml(text) }
}

pub(super) fn toml(text: &str) -> String {
    if text.contains('"') && !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn toml_json(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), toml)
}

/// A line with a remark behind it, or above it when there is no room.
pub(super) fn line(text: &str, note: Option<&str>) -> String {
    let note = note.map(clean);
    match note {
        None => format!("{text}\n"),
        Some(note) if text.chars().count() + note.chars().count() + 4 <= WIDTH => {
            format!("{text}  # {note}\n")
        }
        Some(note) => {
            let indent = &text[..text.len() - text.trim_start().len()];
            format!("{indent}# {note}\n{text}\n")
        }
    }
}

pub(super) fn comments(notes: &[String]) -> String {
    let mut out = String::new();
    for note in notes {
        let mut row = String::from("#");
        let indent = if note.starts_with("  ") { "  " } else { "" };
        if !indent.is_empty() {
            out.push_str(&format!("# {}\n", clean(note)));
            continue;
        }
        for word in clean(note).split(' ') {
            if row.chars().count() + word.chars().count() + 1 > WIDTH {
                out.push_str(&row);
                out.push('\n');
                row = String::from("#");
            }
            row.push(' ');
            row.push_str(word);
        }
        out.push_str(&row);
        out.push('\n');
    }
    out
}

/// Nothing that was pasted ends a remark.
fn clean(note: &str) -> String {
    note.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
