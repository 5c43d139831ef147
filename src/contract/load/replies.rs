//! The outcomes' tables: what each ending answers, and what it takes from another.

use super::fields::template;
use super::source::{Entry, Held, Item, Source, Table, Text};
use super::vocabulary;
use crate::contract::language;
use crate::contract::reply::Sees;
use crate::contract::template::{Expr, Format, Names, Template};
use crate::contract::{Field, Outcome, ReplyTemplate, Reveal};
use crate::spelling::nearest;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the replies may name.
pub(super) struct Context<'c> {
    pub(super) fields: &'c [Field],
    /// Also of those that could not be read: one mistake is told once.
    pub(super) tokens: Vec<String>,
    pub(super) reveal: Reveal,
    /// Whether the contract's path does.
    pub(super) ends_in_slash: bool,
}

/// RFC 9457, for outcomes without a shape of their own.
const PROBLEM: &str =
    r#"{ "type": "about:blank", "title": {{ phrase }}, "status": {{ status }}, "detail": {{ message }} }"#;

/// Reads every outcome's table and fills in the outcomes that have none.
pub(super) fn replies(
    source: &mut Source<'_>,
    register: &Table,
    context: &Context<'_>,
) -> Vec<ReplyTemplate> {
    let named: Vec<Outcome> = named(context.fields);
    let tables: BTreeMap<String, &Entry> =
        outcomes(register).filter(|e| known(source, e, &named)).map(|e| (e.key.clone(), e)).collect();
    let head = register.span.clone();
    if !tables.contains_key("created") {
        source.error("[register.created] is missing", head.clone(), "what does a successful sign-up answer?");
    }
    if !tables.contains_key("invalid") && !tables.contains_key("default") {
        source.error("[register.invalid] is missing", head, "what does a refused sign-up answer?");
    }
    let all = Outcome::BUILT_IN.iter().map(|(outcome, ..)| outcome.clone()).chain(named);
    let mut builder = Builder {
        tables,
        created: vocabulary::created(context.fields, &context.tokens, context.reveal),
        refused: vocabulary::refused(context.fields),
        compiled: BTreeMap::new(),
        ends_in_slash: context.ends_in_slash,
    };
    all.filter_map(|outcome| builder.reply(source, outcome)).collect()
}

/// The entries of a table that are not words: outcomes.
fn outcomes(table: &Table) -> impl Iterator<Item = &Entry> {
    table.entries.iter().filter(|entry| language::find(language::REGISTER, &entry.key).is_none())
}

/// The names of their own that rules lead to.
fn named(fields: &[Field]) -> Vec<Outcome> {
    let mut out: Vec<Outcome> =
        fields.iter().flat_map(|f| &f.rules).filter_map(|r| r.outcome.clone()).collect();
    out.retain(|outcome| matches!(outcome, Outcome::Named(_)));
    out.sort();
    out.dedup();
    out
}

fn known(source: &mut Source<'_>, entry: &Entry, named: &[Outcome]) -> bool {
    let outcome = Outcome::named(&entry.key);
    let is_outcome =
        entry.key == "default" || !matches!(outcome, Outcome::Named(_)) || named.contains(&outcome);
    let Held::Table(table) = &entry.value.value else {
        unknown(source, entry, named);
        return false;
    };
    if !is_outcome {
        unknown(source, entry, named);
        return false;
    }
    source.words(table, language::REPLY, "an outcome");
    true
}

fn unknown(source: &mut Source<'_>, entry: &Entry, named: &[Outcome]) {
    let words = language::REGISTER.iter().map(|w| w.name);
    let outcomes = Outcome::BUILT_IN.iter().map(|(_, name, ..)| *name);
    let all: Vec<&str> =
        words.chain(outcomes).chain(["default"]).chain(named.iter().map(Outcome::name)).collect();
    let help = match nearest(&entry.key, all) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "an outcome of your own must be named by a rule: outcome = \"..\"".to_owned(),
    };
    let title = format!("`{}` is neither a word nor an outcome", entry.key);
    source.error(title, entry.key_span.clone(), "nothing leads here").help(help);
}

struct Builder<'t> {
    tables: BTreeMap<String, &'t Entry>,
    created: Names,
    refused: Names,
    /// Templates by where they stand and for whom: a shape shared by many outcomes is read once.
    compiled: BTreeMap<(usize, bool, u8), Option<Arc<Template>>>,
    ends_in_slash: bool,
}

impl<'t> Builder<'t> {
    /// Where an outcome takes a word from: its own table; `invalid` (for `taken` only); `default` (never for
    /// `created`).
    fn shapes(&self, outcome: &Outcome) -> Vec<&'t Table> {
        let mut names = vec![outcome.name()];
        if *outcome == Outcome::Taken {
            names.push("invalid");
        }
        if *outcome != Outcome::Created {
            names.push("default");
        }
        let entries = names.into_iter().filter_map(|name| self.tables.get(name));
        entries
            .filter_map(|e| if let Held::Table(table) = &e.value.value { Some(table) } else { None })
            .collect()
    }

    fn reply(&mut self, source: &mut Source<'_>, outcome: Outcome) -> Option<ReplyTemplate> {
        let shapes = self.shapes(&outcome);
        let status = status(source, &shapes, &outcome);
        let own_message = shapes.first().and_then(|t| t.text("message"));
        let message = match own_message.filter(|_| self.tables.contains_key(outcome.name())) {
            Some(text) => self.template(source, &text, Format::Plain, &outcome)?,
            None => builtin(outcome.message(), Format::Plain),
        };
        let headers_of = shapes.iter().find_map(|t| t.table("headers"));
        let body_of = shapes.iter().find_map(|t| t.text("body"));
        let (mut headers, content_type) = self.headers(source, headers_of.as_ref(), &outcome);
        let at = body_of.as_ref().map(|t| t.span.clone()).unwrap_or_default();
        let body = match &body_of {
            Some(text) => {
                let format = format_of(content_type.as_deref().unwrap_or("application/json"));
                self.template(source, text, format, &outcome)?
            }
            None if outcome == Outcome::Created => {
                let entry = self.tables.get("created")?;
                if shapes.iter().any(|table| table.item("body").is_some()) {
                    return None; // Not text.
                }
                source
                    .error("[register.created] has no `body`", entry.key_span.clone(), "what does it answer?")
                    .help("write body = \"\" for an empty answer");
                return None;
            }
            None => builtin(PROBLEM, Format::Json),
        };
        let empty = body.source().trim().is_empty();
        if matches!(status, 204 | 205 | 304) && !empty {
            source.error(
                format!("a {status} has no body"),
                at.clone(),
                "write body = \"\", or another status",
            );
        }
        if content_type.is_none() && !empty {
            let kind = if body_of.is_some() { "application/json" } else { "application/problem+json" };
            headers.insert(0, (http::header::CONTENT_TYPE, builtin(kind, Format::Header)));
        }
        let templates = [&*message, &*body].into_iter().chain(headers.iter().map(|(_, header)| &**header));
        let sees = Sees::of(&templates.collect::<Vec<_>>());
        Some(ReplyTemplate { outcome, status, message, headers, body, sees, at })
    }

    fn template(
        &mut self,
        source: &mut Source<'_>,
        text: &Text,
        format: Format,
        outcome: &Outcome,
    ) -> Option<Arc<Template>> {
        let created = *outcome == Outcome::Created;
        let key = (text.span.start, created, format as u8);
        if let Some(known) = self.compiled.get(&key) {
            return known.clone();
        }
        let names = if created { &self.created } else { &self.refused };
        let compiled = template(source, text, format, names, "this body").map(Arc::new);
        compiled.iter().for_each(|template| self.links(source, template, format));
        self.compiled.insert(key, compiled.clone());
        compiled
    }

    /// What the proof takes for granted of links: that `request.path` ends in the name of something, and that `request.base_url`
    /// is seen by it.
    fn links(&self, source: &mut Source<'_>, template: &Template, format: Format) {
        let in_links = matches!(format, Format::Html | Format::Xml | Format::Location);
        if in_links && self.ends_in_slash && template.mentions(&["request", "path"]) {
            let label = "this contract's path ends in a slash, and with another one behind it the rest would be a host";
            source
                .error("`request.path` cannot stand in a link here", template.origin(), label)
                .help("write the path itself");
        }
        const BASE: &[&str] = &["request", "base_url"];
        let hidden = |expr: &&Expr| expr.mentions(BASE) && expr.source.trim() != BASE.join(".");
        if format == Format::Location && template.expressions().iter().any(hidden) {
            let label = "what stands behind it must not change its host";
            source
                .error("`request.base_url` stands alone in its tag", template.origin(), label)
                .help("write {{ request.base_url }}/ and the rest behind it");
        }
    }

    /// The headers' templates, and the content type among them.
    fn headers(
        &mut self,
        source: &mut Source<'_>,
        table: Option<&Table>,
        outcome: &Outcome,
    ) -> (Vec<(http::HeaderName, Arc<Template>)>, Option<String>) {
        let (mut out, mut content_type): (Vec<(http::HeaderName, _)>, _) = (Vec::new(), None);
        for entry in table.map(|t| t.entries.as_slice()).unwrap_or_default() {
            let Some(name) = header_name(source, entry) else { continue };
            if out.iter().any(|(other, _)| *other == name) {
                let title = format!("the header `{name}` is given twice");
                source
                    .error(title, entry.key_span.clone(), "names of headers have no case")
                    .help("several values of one header are a list");
            }
            let texts = header_texts(source, &entry.value);
            if name == http::header::SET_COOKIE {
                texts.iter().for_each(|text| cookie(source, text));
            }
            if name == http::header::CONTENT_TYPE {
                content_type = content_type_of(source, &entry.value, &texts);
            }
            let format = if name == http::header::LOCATION { Format::Location } else { Format::Header };
            for text in texts {
                if let Some(template) = self.template(source, &text, format, outcome) {
                    out.push((name.clone(), template));
                }
            }
        }
        (out, content_type)
    }
}

fn builtin(text: &str, format: Format) -> Arc<Template> {
    let names = ["phrase", "status", "message"].iter().fold(Names::new(), |names, name| names.value(name));
    Arc::new(Template::compile(text, format, &names).expect("the built-in templates are proved by the tests"))
}

fn status(source: &mut Source<'_>, shapes: &[&Table], outcome: &Outcome) -> u16 {
    let Some(table) = shapes.iter().find(|t| t.item("status").is_some()) else { return outcome.status() };
    let Some(status) = table.integer("status") else { return outcome.status() };
    match u16::try_from(status).ok().filter(|s| (200..=599).contains(s)) {
        Some(status) => status,
        None => {
            source.error("this is not a status", table.key_span("status"), "a status is 200 to 599");
            outcome.status()
        }
    }
}

/// JSON is proved, HTML and XML are proved and escaped, everything else is written as it is.
fn format_of(content_type: &str) -> Format {
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match essence.as_str() {
        json if json.ends_with("/json") || json.ends_with("+json") => Format::Json,
        xml if xml.ends_with("/xml") || xml.ends_with("+xml") => Format::Xml,
        html if html.contains("html") => Format::Html,
        _ => Format::Plain,
    }
}

/// What the connection decides, and not the contract.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
];

fn header_name(source: &mut Source<'_>, entry: &Entry) -> Option<http::HeaderName> {
    let name = http::HeaderName::from_bytes(entry.key.as_bytes()).ok();
    match name {
        Some(name) if HOP_BY_HOP.contains(&name.as_str()) => {
            let title = format!("`{}` is not for a contract to set", entry.key);
            source.error(title, entry.key_span.clone(), "the server writes this header");
            None
        }
        Some(name) => Some(name),
        None => {
            source.error("this is not a header name", entry.key_span.clone(), "letters, digits and `-`");
            None
        }
    }
}

/// The content type decides how values are escaped, so no value may decide about it.
fn content_type_of(source: &mut Source<'_>, item: &Item, texts: &[Text]) -> Option<String> {
    let one = texts.first().filter(|text| texts.len() == 1 && !text.value.contains('{'));
    if one.is_none() && !texts.is_empty() {
        source
            .error("a content type is one fixed text", item.span.clone(), "the body is written as it says")
            .help("such as Content-Type = \"text/html; charset=utf-8\"");
    }
    let script = |text: &&Text| text.value.contains("javascript") || text.value.contains("ecmascript");
    if let Some(text) = one.filter(script) {
        source.error(
            "an answer is not a script",
            text.span.clone(),
            "values could not be written safely into it",
        );
    }
    one.map(|text| text.value.clone())
}

/// A cookie's name comes from the contract: a client could otherwise set any cookie.
fn cookie(source: &mut Source<'_>, text: &Text) {
    let name = text.value.split(['=', '{']).next().unwrap_or_default();
    let token = |b: u8| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&b);
    let named = !name.is_empty() && name.bytes().all(token) && text.value[name.len()..].starts_with('=');
    if !named {
        source
            .error(
                "a cookie begins with its name",
                text.span.clone(),
                "the name is fixed, and a `=` follows it",
            )
            .help("such as Set-Cookie = \"session={{ tokens.session }}; Path=/; HttpOnly\"");
    }
}

fn header_texts(source: &mut Source<'_>, item: &Item) -> Vec<Text> {
    let texts = item.texts();
    if texts.is_empty() {
        source.error("a header holds text or a list of texts", item.span.clone(), "not text");
    }
    for text in &texts {
        if text.value.bytes().any(|b| !(b' '..=b'~').contains(&b)) {
            source.error(
                "a header is one line of ASCII",
                text.span.clone(),
                "a line break or another character",
            );
        }
    }
    texts
}
