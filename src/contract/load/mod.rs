//! A contract file: read once, checked completely, all complaints at once.

mod demands;
mod fields;
mod replies;
mod secrecy;
mod source;
mod tokens;
mod vocabulary;

use super::complaint::{Complaint, Level};
use super::language;
use super::{Collect, Contract, Media, Operation, Reveal, Unknown, rehearse};
use crate::user::IdKind;
pub(super) use source::position;
use source::{Source, Table};
use std::collections::BTreeSet;

/// What a file came to: the contract, unless a complaint is an error, and all complaints in file order.
#[derive(Debug)]
pub struct Loaded {
    /// The contract, when nothing is wrong with it.
    pub contract: Option<Contract>,
    /// Errors and warnings, in the order of the file.
    pub complaints: Vec<Complaint>,
}

/// Reads, proves and rehearses a contract file's text.
pub fn load(text: &str) -> Loaded {
    judged(text, rehearse::rehearse)
}

/// Reads and proves a text whose rehearsal is known to find nothing.
pub(super) fn load_rehearsed(text: &str) -> Loaded {
    judged(text, |_, _| Vec::new())
}

fn judged(text: &str, rehearse: impl FnOnce(&Contract, &str) -> Vec<Complaint>) -> Loaded {
    let mut source = Source::new(text);
    let contract = source.document().and_then(|document| contract(&mut source, &document));
    let mut complaints = source.complaints;
    let refused = |list: &[Complaint]| list.iter().any(|c| c.level == Level::Error);
    if let Some(contract) = contract.as_ref().filter(|_| !refused(&complaints)) {
        complaints.extend(rehearse(contract, text));
    }
    let mut seen = BTreeSet::new();
    complaints.retain(|c| seen.insert((c.span.start, c.span.end, c.title.clone())));
    complaints.sort_by_key(|c| (c.span.start, c.span.end));
    let contract = contract.filter(|_| !refused(&complaints));
    Loaded { contract, complaints }
}

fn contract(source: &mut Source<'_>, document: &Table) -> Option<Contract> {
    source.words(document, language::CONTRACT, "a contract");
    let title = document.text("title").map_or_else(String::new, |t| t.value);
    let id = match document.text("id") {
        None => IdKind::Integer,
        Some(id) => IdKind::parse(&id.value).unwrap_or_else(|error| {
            let help = "write \"integer\", \"uuid\", \"objectid\", or a text with classes such as \"USR[A-Z0-9]{6}\"";
            source.error("this is not an id", id.span, error.to_string()).help(help);
            IdKind::Integer
        }),
    };
    let Some(register) = document.table("register") else {
        source.error("there is no [register]", 0..0, "a contract describes one sign-up");
        return None;
    };
    let register = operation(source, &register)?;
    Some(Contract { title, id, register })
}

fn operation(source: &mut Source<'_>, table: &Table) -> Option<Operation> {
    let head = table.span.clone();
    for entry in &table.entries {
        // The other entries are outcomes.
        if let Some(word) = language::find(language::REGISTER, &entry.key) {
            source.typed(word, &entry.value);
        }
    }
    let (path, query) = path(source, table);
    let accepts = accepts(source, table);
    let max_body = max_body(source, table);
    let reveal = reveal(source, table);
    let fields = fields::fields(source, table);
    let says = fields::says(source, table, &fields);
    let tokens = tokens::tokens(source, table, &fields, reveal);
    let names = table.table("tokens").map(|t| t.entries).unwrap_or_default();
    let names = names.into_iter().map(|entry| entry.key).collect();
    let context =
        replies::Context { fields: &fields, tokens: names, reveal, ends_in_slash: path.ends_with('/') };
    let replies = replies::replies(source, table, &context);
    if table.item("path").is_none() {
        source.error("`path` is missing", head, "[register] needs a path, such as path = \"/users\"");
    }
    let echoes_body = replies.iter().any(|r| {
        r.body.mentions(&["request", "body"])
            || r.headers.iter().any(|(_, t)| t.mentions(&["request", "body"]))
    });
    let errors = match table.text("errors").as_ref().map(|t| t.value.as_str()) {
        Some("first") => Collect::First,
        Some("first-per-field") => Collect::FirstPerField,
        _ => Collect::All,
    };
    let unknown = match table.text("unknown").as_ref().map(|t| t.value.as_str()) {
        Some("refuse") => Unknown::Refuse,
        Some("keep") => Unknown::Keep,
        _ => Unknown::Ignore,
    };
    Some(Operation {
        path,
        query,
        accepts,
        max_body,
        reveal,
        errors,
        unknown,
        fields,
        says,
        tokens,
        replies,
        echoes_body,
    })
}

fn path(source: &mut Source<'_>, table: &Table) -> (String, Vec<(String, String)>) {
    let Some(text) = table.text("path") else { return (String::new(), Vec::new()) };
    let (path, query) = text.value.split_once('?').unwrap_or((&text.value, ""));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&b);
    if !path.starts_with('/') || !path.bytes().all(plain) {
        source
            .error(
                "this is not a path",
                text.span,
                "a path begins with / and holds no spaces or placeholders",
            )
            .help("such as \"/users\" or \"/api/?action=registration\"");
    }
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    (path.to_owned(), query)
}

fn accepts(source: &mut Source<'_>, table: &Table) -> Vec<Media> {
    let Some(list) = table.list("accepts") else { return vec![Media::Json] };
    let out: Vec<Media> = list.iter().filter_map(|item| item.as_text()).filter_map(Media::named).collect();
    if list.is_empty() {
        source.error("`accepts` is empty", table.key_span("accepts"), "name at least one media type");
    }
    out
}

fn max_body(source: &mut Source<'_>, table: &Table) -> Option<usize> {
    const MOST: usize = 16 * 1024 * 1024;
    let written = table.integer("max_body")?;
    let bytes = usize::try_from(written).ok().filter(|bytes| (1..=MOST).contains(bytes));
    if bytes.is_none() {
        let span = table.item("max_body").map_or(table.span.clone(), |item| item.span.clone());
        source
            .error("this is no length of a body", span, "from 1 to 16777216 bytes (16 MiB)")
            .help("leave it out for what `limits.body` says");
    }
    bytes
}

fn reveal(source: &mut Source<'_>, table: &Table) -> Reveal {
    let mut reveal = Reveal::default();
    for item in table.list("reveal").unwrap_or_default() {
        let what = match item.as_text() {
            Some("rejected_password") => {
                reveal.rejected_password = true;
                "a refused password is sent back to whoever sent it"
            }
            Some("password_sha256") => {
                reveal.password_sha256 = true;
                "an unsalted SHA-256 of the password is sent to its owner; it is not stored"
            }
            _ => continue,
        };
        source.warning("this contract makes an exception to secrecy", item.span.clone(), what);
    }
    reveal
}
