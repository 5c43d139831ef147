//! The two lowest layers: TOML files, the compiled-in one and the one that was named.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::SECRETS;
use super::merge::{Entry, Merge, Target, suggestion};
use super::problem::Place;
use super::setting::{Raw, type_name};
use super::source::Source;
use super::{KEYS, Key, Origin, Problem};
use crate::spelling::nearest;

/// Reads one file into the merge. `path` is `None` for the default layer, whose places have no file.
pub(super) fn read(path: Option<&Path>, text: &str, merge: &mut Merge) {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What was recovered is not looked at: its mistakes may be echoes of the first ones.
        let source = Source::of_broken(path, text);
        for error in errors {
            let at = error.span().unwrap_or(text.len()..text.len());
            merge.refuse(Problem::new(source.place(&at), format!("not TOML: {}", error.message())));
        }
        return;
    }
    let mut hidden = Vec::new();
    hide("", document.get_ref(), text, &mut hidden);
    let mut walk =
        Walk { source: Source::new(path, text, hidden), entries: Vec::new(), problems: Vec::new() };
    walk.table("", document.get_ref());
    walk.problems.into_iter().for_each(|problem| merge.refuse(problem));
    merge.layer(walk.entries);
}

struct Walk<'a> {
    source: Source<'a>,
    entries: Vec<Entry<'a>>,
    problems: Vec<Problem>,
}

impl<'a> Walk<'a> {
    fn table(&mut self, prefix: &str, table: &'a DeTable<'a>) {
        for (key, value) in table {
            let name = join(prefix, key.get_ref());
            match (target(&name, key.get_ref()), value.get_ref()) {
                (Some(target), raw) => {
                    let place = self.source.place(&value.span());
                    let items = self.items(raw);
                    self.entries.push(Entry { target, raw: Raw::Toml(raw), place, items });
                }
                (None, DeValue::Table(inner)) if is_table(&name) => self.table(&name, inner),
                (None, other) if is_table(&name) => {
                    let message = format!("`{name}` must be a table, not {}", type_name(other));
                    self.problems.push(Problem::new(self.source.place(&value.span()), message));
                }
                (None, _) => self.unknown(&name, key),
            }
        }
    }

    fn items(&self, value: &DeValue<'_>) -> Vec<Place> {
        let items = value.as_array().into_iter().flat_map(|items| items.iter());
        items.map(|item| self.source.place(&item.span())).collect()
    }

    fn unknown(&mut self, name: &str, key: &Spanned<std::borrow::Cow<'_, str>>) {
        let place = self.source.place(&key.span());
        let shown = name.escape_debug();
        let problem = if name.starts_with(&format!("{SECRETS}.")) {
            Problem::new(place, format!("`{shown}` cannot be the name of a secret"))
                .with_hint(Some("use lower-case letters, digits and `_`, and begin with a letter".to_owned()))
        } else if key.get_ref().contains('.') {
            Problem::new(place, format!("unknown key `{shown}`")).with_hint(Some(
                "a key in quotes is a single name; leave the quotes away for a path".to_owned(),
            ))
        } else {
            let near = suggestion(name).or_else(|| nearest(name, tables()));
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            Problem::new(place, format!("unknown key `{shown}`")).with_hint(hint)
        };
        self.problems.push(problem);
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// A quoted key with a dot in it is one key, not a path.
fn target(name: &str, last: &str) -> Option<Target> {
    if last.contains('.') { None } else { Target::named(name) }
}

fn tables() -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter_map(|key| key.name.split_once('.')).map(|(table, _)| table).chain([SECRETS])
}

fn is_table(name: &str) -> bool {
    tables().any(|table| table == name)
}

/// Collects the places of all values that no excerpt may show: the secret ones, and those of unknown keys unless it
/// is clear that a harmless key was meant; `token_secrte = "..."` must not print the token.
fn hide(prefix: &str, table: &DeTable<'_>, text: &str, hidden: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        let name = join(prefix, key.get_ref());
        let harmless = |name: &str| Key::named(name).is_some_and(|key| !key.secret);
        let secret = match target(&name, key.get_ref()) {
            Some(target) => target.is_secret(),
            None => !suggestion(&name).is_some_and(harmless),
        };
        match value.get_ref() {
            // A table's own place may be its header; only one in braces holds values on that line.
            DeValue::Table(inner) if !text[value.span()].starts_with('{') || is_table(&name) => {
                hide(&name, inner, text, hidden);
            }
            _ if secret => hidden.push(value.span()),
            _ => {}
        }
    }
}

impl Place {
    /// A place that is no line of a file.
    pub(super) fn of(origin: Origin) -> Place {
        Place { origin, excerpt: None }
    }
}
