//! What a field's demands must have in common: a demand that cannot be met, or cannot be broken, is a mistake.

use super::source::{Held, Item, Source, Table};
use crate::contract::JsonType;

/// Checks the rules of one field against its type.
pub(super) fn check(source: &mut Source<'_>, rules: &[Table], json_type: JsonType) {
    types(source, rules);
    for rule in rules {
        for (word, fits) in [
            ("min_length", matches!(json_type, JsonType::String | JsonType::Array)),
            ("max_length", matches!(json_type, JsonType::String | JsonType::Array)),
            ("pattern", json_type == JsonType::String),
            ("format", json_type == JsonType::String),
            ("secret", json_type == JsonType::String),
            ("proof", json_type == JsonType::String),
        ] {
            if rule.item(word).is_some() && !fits {
                let title = format!("`{word}` does not fit this field");
                let label = format!("the field is of type {}", json_type.name());
                source.error(title, rule.key_span(word), label).help("use `check` for anything else");
            }
        }
        lengths(source, rule);
        choices(source, rule, json_type);
    }
}

fn types(source: &mut Source<'_>, rules: &[Table]) {
    let mut typed = rules.iter().filter(|r| r.item("type").is_some());
    typed.next();
    for rule in typed {
        source.error("a field has one `type`", rule.key_span("type"), "another rule has said it already");
    }
}

fn lengths(source: &mut Source<'_>, rule: &Table) {
    if let (Some(least), Some(most)) = (rule.integer("min_length"), rule.integer("max_length"))
        && least > most
    {
        let label = format!("shorter than `min_length`, {least}");
        source.error("nothing is that long", rule.key_span("max_length"), label);
    }
}

fn choices(source: &mut Source<'_>, rule: &Table, json_type: JsonType) {
    let Some(list) = rule.list("enum") else { return };
    if list.is_empty() {
        source.error("`enum` is empty", rule.key_span("enum"), "no value could be one of these");
    }
    for item in &list {
        match Item::json(item) {
            None => {
                source
                    .error(
                        "`enum` cannot hold this",
                        item.span.clone(),
                        format!("this is {}", item.type_name()),
                    )
                    .help("texts, whole numbers, true, false, and lists of them");
            }
            Some(json) if !json_type.fits(&json) => {
                let title = "this value can never be sent";
                let label = format!("the field is of type {}", json_type.name());
                let wanted = match item.value {
                    Held::Text(_) => "string",
                    Held::Integer(_) => "integer",
                    Held::Flag(_) => "boolean",
                    _ => "array",
                };
                source
                    .error(title, item.span.clone(), label)
                    .help(format!("add type = \"{wanted}\" to the rule"));
            }
            Some(_) => {}
        }
    }
}
