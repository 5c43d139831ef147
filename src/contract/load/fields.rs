//! `fields` and their `rules`, and `says`.

use super::source::{Held, Item, Source, Table, Text};
use super::{demands, secrecy, vocabulary};
use crate::contract::language::{self, DEMANDS, OWN_DEMANDS};
use crate::contract::place::Place;
use crate::contract::template::{Expr, Format, Names, Template};
use crate::contract::{Field, JsonType, Outcome, Rule, Says, guard};
use crate::spelling::nearest;
use crate::user::Meaning;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Reads all fields.
pub(super) fn fields(source: &mut Source<'_>, register: &Table) -> Vec<Field> {
    let Some(list) = register.list("fields") else {
        if register.item("fields").is_none() {
            source.error("`fields` is missing", register.span.clone(), "a sign-up has fields");
        }
        return Vec::new();
    };
    let example = "such as { name = \"email\" }";
    let tables: Vec<Table> = list.iter().filter_map(|item| table(source, item, "a field", example)).collect();
    for table in &tables {
        source.words(table, language::FIELD, "a field");
    }
    let known = vocabulary::inputs(tables.iter().filter_map(|t| t.text("name").map(|n| n.value)));
    let (mut out, mut spans): (Vec<Field>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
    for table in &tables {
        let Some(name) = table.text("name") else {
            if table.item("name").is_none() {
                source.error("a field without `name`", table.span.clone(), "what does the API call it?");
            }
            continue;
        };
        if out.iter().any(|f| *f.name == *name.value) {
            source.error(
                format!("two fields are called `{}`", name.value),
                name.span.clone(),
                "names are unique",
            );
        }
        out.push(field(source, table, &name, &known));
        spans.push(table.item("from").map_or(name.span, |from| from.span.clone()));
    }
    secrecy::places(source, &out, &spans);
    secrecy::mark(&mut out);
    messages(source, &tables, &mut out);
    whole(source, register, &out, &spans);
    out
}

fn table(source: &mut Source<'_>, item: &Item, what: &str, example: &str) -> Option<Table> {
    match &item.value {
        Held::Table(table) => Some(table.clone()),
        _ => {
            source.error(format!("{what} is a table"), item.span.clone(), example);
            None
        }
    }
}

fn field(source: &mut Source<'_>, table: &Table, name: &Text, known: &Names) -> Field {
    let from = table.text("from").unwrap_or_else(|| name.clone());
    let from = Place::parse(&from.value).unwrap_or_else(|problem| {
        source.error("this is not a place in a request", from.span, problem).help(
            "such as \"user.email\", \"formFields[id=email].value\", \"query:x\", \"header:X-Y\", \"cookie:z\"",
        );
        Place::Body(Vec::new())
    });
    let into = into(source, table, name);
    let clean = expression(source, table, "clean", &vocabulary::clean());
    if into == Some(Meaning::Password) && clean.is_some() {
        source.error("a password is never changed", table.key_span("clean"), "remove `clean`");
    }
    let mut rules: Vec<Rule> = Vec::new();
    let mut tables: Vec<Table> = Vec::new();
    for item in table.list("rules").unwrap_or_default() {
        // A rule that is no table keeps its place, so that what rules say finds its rule.
        let table = self::table(source, &item, "a rule", "such as { required = true }");
        rules.push(table.as_ref().map_or_else(Rule::default, |t| rule(source, t, known)));
        tables.extend(table);
    }
    let field = Field { name: name.value.as_str().into(), from, into, clean, rules, secret: false };
    demands::check(source, &tables, field.json_type());
    meaning(source, &field, name);
    field
}

fn into(source: &mut Source<'_>, table: &Table, name: &Text) -> Option<Meaning> {
    let Some(text) = table.text("into") else {
        return name.value.parse().ok().filter(|m| !matches!(m, Meaning::Id | Meaning::Extra(_)));
    };
    let bare = text.value.strip_prefix("extra.").unwrap_or(&text.value);
    if guard::is_privilege(bare) {
        source
            .error(format!("a client cannot set `{bare}`"), text.span, "this belongs to the server")
            .help("remove `into`: the field is then checked and forgotten");
        return None;
    }
    match text.value.parse() {
        Ok(meaning) => Some(meaning),
        Err(_) => {
            let known = ["email", "username", "password", "name", "first_name", "last_name", "id"];
            let help = match nearest(&text.value, known) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("to store it beside them, write into = \"extra.{}\"", text.value),
            };
            let label = format!("one of: {}, extra.ANYTHING", known.join(", "));
            source.error(format!("`{}` means nothing", text.value), text.span, label).help(help);
            None
        }
    }
}

/// What a field's meaning asks of its rules.
fn meaning(source: &mut Source<'_>, field: &Field, name: &Text) {
    let span = || name.span.clone();
    match &field.into {
        Some(Meaning::Password) if !field.rules.iter().any(|r| r.required && r.condition.is_none()) => {
            source
                .error(
                    "the password must be required",
                    span(),
                    "an account without a password cannot be used",
                )
                .help("add { required = true } to its rules");
        }
        Some(Meaning::Extra(extra)) if guard::is_password(extra) && is_text(field) => {
            source
                .error(
                    "a password is not stored beside the password",
                    span(),
                    "it would be stored as it is written",
                )
                .help("remove `into`: the field is then checked and forgotten; or, if it is none, store it under another name");
        }
        Some(Meaning::Id) if !field.rules.iter().any(|r| r.condition.is_none() && r.has_whole_pattern()) => {
            source
                .error("an id from the client needs a `pattern`", span(), "anything could be an id")
                .help("such as pattern = \"^[a-z0-9]{15}$\", from the first character to the last");
        }
        _ => {}
    }
    if !field.is_password() && field.rules.iter().any(|r| r.uncommon) {
        source
            .error("only a password can be `uncommon`", span(), "attackers do not try this")
            .help("use `enum`, `pattern` or `check`");
    }
    if field.into.is_some() && field.rules.iter().any(|r| r.secret.is_some()) {
        source
            .error("a secret is not stored", span(), "it equals a secret of the deployment")
            .help("remove `into`: the field is then checked and forgotten");
    }
    if field.into.is_some() && field.proves() {
        source
            .error("a proof of work is not stored", span(), "it counts once and means nothing afterwards")
            .help("give it a field of its own, without `into`");
    }
    let text_only = !matches!(field.into, None | Some(Meaning::Extra(_)));
    if text_only && field.json_type() != JsonType::String {
        let meaning = field.into.as_ref().map(Meaning::to_string).unwrap_or_default();
        source.error(format!("`{meaning}` is always text"), span(), "another `type` does not fit it");
    }
    if field.into.is_none() && field.rules.iter().any(|r| r.unique) {
        source
            .error("a value that is not stored cannot be unique", span(), "`unique` needs `into`")
            .help(format!("write into = \"extra.{}\"", field.name));
    }
}

fn is_text(field: &Field) -> bool {
    !matches!(field.json_type(), JsonType::Boolean | JsonType::Integer | JsonType::Number)
}

fn rule(source: &mut Source<'_>, table: &Table, known: &Names) -> Rule {
    source.words(table, language::RULE, "a rule");
    if !table.entries.iter().any(|e| DEMANDS.contains(&e.key.as_str())) {
        let help = format!("a rule has one of: {}", DEMANDS.join(", "));
        source.error("this rule demands nothing", table.span.clone(), "nothing can break it").help(help);
    }
    let mut length = |key: &str| {
        let n = table.integer(key)?;
        if n < 0 {
            source.error(format!("`{key}` counts code points"), table.key_span(key), "it cannot be negative");
        }
        usize::try_from(n).ok()
    };
    let (min_length, max_length) = (length("min_length"), length("max_length"));
    let outcome = table.text("outcome").map(|t| outcome(source, &t));
    Rule {
        required: table.flag("required"),
        json_type: table.text("type").and_then(|t| named(&JsonType::ALL, &t.value)),
        one_of: table.list("enum").map(|list| list.iter().filter_map(Item::json).collect()),
        min_length,
        max_length,
        patterns: patterns(source, table),
        format: table.text("format").and_then(|t| language::FORMATS.iter().find(|f| **f == t.value).copied()),
        secret: table.text("secret").map(|t| t.value),
        uncommon: table.flag("uncommon"),
        proof: table.flag("proof"),
        check: expression(source, table, "check", known),
        unique: table.flag("unique"),
        says: Says { message: None, code: table.item("code").and_then(Item::json) },
        field: table.text("field").map(|t| t.value.as_str().into()),
        condition: expression(source, table, "if", known),
        phase: table.integer("phase").unwrap_or(1),
        outcome,
    }
}

fn outcome(source: &mut Source<'_>, text: &Text) -> Outcome {
    let outcome = Outcome::named(&text.value);
    let own_name = text.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let word = language::find(language::REGISTER, &text.value).is_some() || text.value == "default";
    if outcome == Outcome::Created || word || !own_name || text.value.is_empty() {
        source
            .error(
                format!("a rule cannot lead to `{}`", text.value),
                text.span.clone(),
                "not the name of a refusal",
            )
            .help("use a name of your own in lower case, such as \"expired\"");
    }
    outcome
}

fn named<T: Copy>(of: &[(&str, T)], name: &str) -> Option<T> {
    of.iter().find(|(n, _)| *n == name).map(|(_, t)| *t)
}

fn patterns(source: &mut Source<'_>, table: &Table) -> Vec<regex::Regex> {
    let mut out = Vec::new();
    for text in table.item("pattern").map(Item::texts).unwrap_or_default() {
        match language::pattern(&text.value) {
            Ok(pattern) => out.push(pattern),
            Err(error) => {
                let look = error == language::PatternError::LookAround;
                let complaint = source.error("this pattern cannot be used", text.span, error.to_string());
                if look {
                    complaint.help("such as pattern = [\"[A-Z]\", \"[0-9]\"]");
                }
            }
        }
    }
    out
}

/// Compiles the expression behind a word and checks the names in it.
fn expression(source: &mut Source<'_>, table: &Table, key: &str, known: &Names) -> Option<Expr> {
    let text = table.text(key)?;
    match Expr::compile(&text.value) {
        Ok(expr) => {
            source.inside(key, &text.span, known.check_expression(&expr));
            Some(expr.placed(text.span))
        }
        Err(bad) => {
            source.inside(key, &text.span, vec![bad]);
            None
        }
    }
}

/// Compiles what the rules say, now that it is known which fields may be shown.
fn messages(source: &mut Source<'_>, tables: &[Table], fields: &mut [Field]) {
    let known = vocabulary::message(fields);
    for table in tables {
        let Some(name) = table.text("name") else { continue };
        let Some(field) = fields.iter_mut().find(|f| *f.name == *name.value) else { continue };
        let rules = table.list("rules").unwrap_or_default();
        for (item, rule) in rules.iter().zip(&mut field.rules) {
            if let Held::Table(table) = &item.value {
                rule.says.message = message(source, table, &known);
            }
        }
    }
}

fn message(source: &mut Source<'_>, table: &Table, known: &Names) -> Option<Template> {
    template(source, &table.text("message")?, Format::Plain, known, "this message")
}

/// Compiles a text as a template, with its complaints.
pub(super) fn template(
    source: &mut Source<'_>,
    text: &Text,
    format: Format,
    known: &Names,
    what: &str,
) -> Option<Template> {
    match Template::compile(&text.value, format, known) {
        Ok(template) => Some(template.placed(text.span.clone())),
        Err(bad) => {
            source.inside(what, &text.span, bad);
            None
        }
    }
}

/// What must hold of all fields together.
fn whole(source: &mut Source<'_>, register: &Table, fields: &[Field], spans: &[Range<usize>]) {
    let at = register.key_span("fields");
    let has = |m: &dyn Fn(&Meaning) -> bool| fields.iter().filter(|f| f.into.as_ref().is_some_and(m)).count();
    if has(&|m| *m == Meaning::Password) == 0 {
        source
            .error("no field means `password`", at.clone(), "an account has a password")
            .help("one field must have into = \"password\"");
    }
    if has(&|m| matches!(m, Meaning::Email | Meaning::Username)) == 0 {
        source
            .error(
                "no field means `email` or `username`",
                at.clone(),
                "an account needs a name that is unique",
            )
            .help("one field must have into = \"email\" or into = \"username\"");
    }
    let mut proving = fields.iter().zip(spans).filter(|(field, _)| field.proves());
    if let Some((first, _)) = proving.next() {
        for (_, span) in proving {
            let label = format!("`{}` does already", first.name);
            source.error("two fields take a proof of work", span.clone(), label);
        }
    }
    let mut meanings: BTreeMap<String, &Arc<str>> = BTreeMap::new();
    for (field, span) in fields.iter().zip(spans) {
        let Some(meaning) = &field.into else { continue };
        if let Some(other) = meanings.insert(meaning.to_string(), &field.name) {
            source.error(
                format!("two fields mean `{meaning}`"),
                span.clone(),
                format!("`{other}` does already"),
            );
        }
    }
}

/// Reads `says`: what a rule says unless it says so itself.
pub(super) fn says(
    source: &mut Source<'_>,
    register: &Table,
    fields: &[Field],
) -> BTreeMap<&'static str, Says> {
    let mut out = BTreeMap::new();
    let known = vocabulary::message(fields);
    let demands: Vec<&'static str> = DEMANDS.iter().chain(OWN_DEMANDS).copied().collect();
    for entry in register.table("says").map(|t| t.entries).unwrap_or_default() {
        let Some(demand) = demands.iter().find(|d| **d == entry.key) else {
            let help = match nearest(&entry.key, demands.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("demands are: {}", demands.join(", ")),
            };
            source
                .error(format!("there is no demand `{}`", entry.key), entry.key_span, "no rule says this")
                .help(help);
            continue;
        };
        let Held::Table(table) = &entry.value.value else {
            source
                .error("what a rule says is a table", entry.value.span.clone(), "not a table")
                .help("write { message = \"..\" }");
            continue;
        };
        source.words(table, language::SAYS, "`says`");
        let message = message(source, table, &known);
        out.insert(*demand, Says { message, code: table.item("code").and_then(Item::json) });
    }
    out
}
