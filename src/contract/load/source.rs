//! A TOML file with its positions: what a word holds, of which type, and where.

use crate::contract::complaint::{Complaint, Level};
use crate::contract::language::{self, Kind, Word};
use crate::contract::template::Bad;
use crate::spelling::nearest;
use serde_json::Value as Json;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The file's text and the complaints so far.
pub(super) struct Source<'s> {
    pub(super) text: &'s str,
    pub(super) complaints: Vec<Complaint>,
}

/// A table, with its entries in file order.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) value: Item,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) value: Held,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Held {
    Text(String),
    Integer(i64),
    Flag(bool),
    List(Vec<Item>),
    Table(Table),
    Other(&'static str),
}

/// A text and where it stands, quotes included.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) span: Range<usize>,
}

impl Item {
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Held::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn texts(&self) -> Vec<Text> {
        match &self.value {
            Held::Text(value) => vec![Text { value: value.clone(), span: self.span.clone() }],
            Held::List(items) => items.iter().flat_map(Item::texts).collect(),
            _ => Vec::new(),
        }
    }

    /// The value as JSON; tables and other things have none.
    pub(super) fn json(&self) -> Option<Json> {
        match &self.value {
            Held::Text(text) => Some(Json::from(text.as_str())),
            Held::Integer(i) => Some(Json::from(*i)),
            Held::Flag(b) => Some(Json::from(*b)),
            Held::List(items) => items.iter().map(Item::json).collect(),
            Held::Table(_) | Held::Other(_) => None,
        }
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self.value {
            Held::Text(_) => "text",
            Held::Integer(_) => "a number",
            Held::Flag(_) => "true or false",
            Held::List(_) => "a list",
            Held::Table(_) => "a table",
            Held::Other(name) => name,
        }
    }
}

impl Table {
    pub(super) fn item(&self, key: &str) -> Option<&Item> {
        self.entries.iter().find(|e| e.key == key).map(|e| &e.value)
    }

    /// The text behind a word; a wrong type has been complained about already.
    pub(super) fn text(&self, key: &str) -> Option<Text> {
        let item = self.item(key)?;
        item.as_text().map(|value| Text { value: value.to_owned(), span: item.span.clone() })
    }

    pub(super) fn list(&self, key: &str) -> Option<Vec<Item>> {
        match &self.item(key)?.value {
            Held::List(items) => Some(items.clone()),
            _ => None,
        }
    }

    pub(super) fn table(&self, key: &str) -> Option<Table> {
        match &self.item(key)?.value {
            Held::Table(table) => Some(table.clone()),
            _ => None,
        }
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.item(key).map(|i| &i.value), Some(Held::Flag(true)))
    }

    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        match self.item(key)?.value {
            Held::Integer(i) => Some(i),
            _ => None,
        }
    }

    pub(super) fn key_span(&self, key: &str) -> Range<usize> {
        self.entries.iter().find(|e| e.key == key).map_or(self.span.clone(), |e| e.key_span.clone())
    }
}

impl<'s> Source<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        Source { text, complaints: Vec::new() }
    }

    /// The whole file as a table; what is not TOML is complained about.
    pub(super) fn document(&mut self) -> Option<Table> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.error("this is not TOML", error.span().unwrap_or(0..0), error.message().to_owned());
        }
        errors.is_empty().then(|| convert_table(document.get_ref(), 0..0))
    }

    /// Adds an error; the result takes a help text.
    pub(super) fn error(
        &mut self,
        title: impl Into<String>,
        span: Range<usize>,
        label: impl Into<String>,
    ) -> &mut Complaint {
        self.add(Level::Error, title.into(), span, label.into())
    }

    pub(super) fn warning(&mut self, title: impl Into<String>, span: Range<usize>, label: impl Into<String>) {
        self.add(Level::Warning, title.into(), span, label.into());
    }

    fn add(&mut self, level: Level, title: String, span: Range<usize>, label: String) -> &mut Complaint {
        self.complaints.push(Complaint { level, title, span, label, help: None });
        self.complaints.last_mut().expect("one was just added")
    }

    /// Adds complaints about places inside the text that stands at `span`: a body, a message, claims.
    pub(super) fn inside(&mut self, what: &str, span: &Range<usize>, list: Vec<Bad>) {
        for bad in list {
            let at = position(self.text, span, &bad.at);
            let (title, label) = match bad.not_json {
                true => (format!("{what} would not be JSON"), bad.what),
                false => (bad.what, String::new()),
            };
            self.error(title, at, label).help = bad.help;
        }
    }

    /// Complains about words that the table does not know and about values of the wrong type.
    pub(super) fn words(&mut self, table: &Table, words: &'static [Word], place: &str) {
        for entry in &table.entries {
            match language::find(words, &entry.key) {
                Some(word) => self.typed(word, &entry.value),
                None => self.unknown(entry, words, place),
            }
        }
    }

    fn unknown(&mut self, entry: &Entry, words: &'static [Word], place: &str) {
        let known: Vec<&str> = words.iter().map(|w| w.name).collect();
        let help = match nearest(&entry.key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{place} knows: {}", known.join(", ")),
        };
        let title = format!("unknown word `{}` in {place}", entry.key);
        self.error(title, entry.key_span.clone(), "not part of the language").help(help);
    }

    /// Complains when a value is not what its word holds.
    pub(super) fn typed(&mut self, word: &Word, item: &Item) {
        let is = |kinds: &[&str]| kinds.contains(&item.type_name());
        let expected = match word.kind {
            Kind::Text | Kind::Template | Kind::Expression | Kind::Duration if is(&["text"]) => None,
            Kind::Text | Kind::Template | Kind::Expression => Some("text in quotes"),
            Kind::Duration => Some("a length of time in quotes, such as \"1h\""),
            Kind::Flag => (!is(&["true or false"])).then_some("true, without quotes"),
            Kind::Integer => (!is(&["a number"])).then_some("a whole number, without quotes"),
            Kind::TextOrInteger => (!is(&["text", "a number"])).then_some("text or a whole number"),
            Kind::TextOrTexts => (!is(&["text", "a list"])).then_some("text or a list of texts"),
            Kind::List | Kind::SomeOf(_) => (!is(&["a list"])).then_some("a list: [\"..\", \"..\"]"),
            Kind::OneOf(_) => (!is(&["text"])).then_some("text in quotes"),
            Kind::Table(_) | Kind::Named(_) | Kind::Says(_) | Kind::Headers => {
                (!is(&["a table"])).then_some("a table")
            }
            Kind::Tables(_) => (!is(&["a list"])).then_some("a list of tables"),
        };
        if let Some(expected) = expected {
            let title = format!("`{}` holds {expected}", word.name);
            self.error(title, item.span.clone(), format!("this is {}", item.type_name()));
            return;
        }
        match (word.kind, &item.value) {
            (Kind::OneOf(of), _) => self.one_of(word, of, item),
            (Kind::SomeOf(of), Held::List(items)) => {
                items.iter().for_each(|item| self.one_of(word, of, item))
            }
            (Kind::TextOrTexts, Held::List(items)) => {
                for item in items.iter().filter(|i| i.as_text().is_none()) {
                    let title = format!("`{}` holds text or a list of texts", word.name);
                    self.error(title, item.span.clone(), format!("this is {}", item.type_name()));
                }
            }
            (Kind::Flag, Held::Flag(false)) => {
                let title = format!("`{} = false` says nothing", word.name);
                self.error(title, item.span.clone(), "leave the word out");
            }
            _ => {}
        }
    }

    fn one_of(&mut self, word: &Word, of: &'static [&'static str], item: &Item) {
        let Some(text) = item.as_text() else {
            let title = format!("`{}` holds texts", word.name);
            self.error(title, item.span.clone(), format!("this is {}", item.type_name()));
            return;
        };
        if of.contains(&text) {
            return;
        }
        let help = nearest(text, of.iter().copied()).map(|near| format!("did you mean \"{near}\"?"));
        let title = format!("`{}` cannot be \"{text}\"", word.name);
        self.error(title, item.span.clone(), format!("one of: {}", of.join(", "))).help = help;
    }
}

impl Complaint {
    /// Adds what to write instead.
    pub(super) fn help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }
}

/// Where bytes `at` of a string's value stand in the file, when the string's literal stands at `span`.
pub(in crate::contract) fn position(file: &str, span: &Range<usize>, at: &Range<usize>) -> Range<usize> {
    let raw = &file[span.clone()];
    let (open, escapes) = match raw {
        r if r.starts_with("'''") => (3, false),
        r if r.starts_with("\"\"\"") => (3, true),
        r if r.starts_with('"') => (1, true),
        r if r.starts_with('\'') => (1, false),
        _ => return span.clone(),
    };
    let skip = match &raw[open..] {
        r if open == 3 && r.starts_with("\r\n") => open + 2,
        r if open == 3 && r.starts_with('\n') => open + 1,
        _ => open,
    };
    let start = skip + raw_offset(&raw[skip..], at.start, escapes);
    let end = skip + raw_offset(&raw[skip..], at.end, escapes);
    let last = raw.len() - 1;
    let start = start.min(last);
    span.start + start..span.start + end.clamp(start + 1, raw.len())
}

/// How far into a literal the value's byte `at` stands.
fn raw_offset(literal: &str, at: usize, escapes: bool) -> usize {
    let (mut value, mut i) = (0, 0);
    let bytes = literal.as_bytes();
    while value < at && i < bytes.len() {
        if !escapes || bytes[i] != b'\\' {
            value += 1;
            i += 1;
            continue;
        }
        let (raw, held) = match bytes.get(i + 1) {
            Some(b'u') => (6, unicode(literal, i + 2, 4)),
            Some(b'U') => (10, unicode(literal, i + 2, 8)),
            Some(b'x') => (4, unicode(literal, i + 2, 2)),
            Some(b' ' | b'\t' | b'\r' | b'\n') => {
                (bytes[i + 1..].iter().take_while(|b| b.is_ascii_whitespace()).count() + 1, 0)
            }
            _ => (2, 1),
        };
        i += raw;
        value += held;
    }
    i.min(literal.len())
}

fn unicode(literal: &str, at: usize, digits: usize) -> usize {
    let code = literal.get(at..at + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    code.and_then(char::from_u32).map_or(1, char::len_utf8)
}

fn convert(value: &Spanned<DeValue<'_>>) -> Item {
    let held = match value.get_ref() {
        DeValue::String(text) => Held::Text(text.to_string()),
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix())
            .map_or(Held::Other("a number that is too large"), Held::Integer),
        DeValue::Boolean(b) => Held::Flag(*b),
        DeValue::Array(items) => Held::List(items.iter().map(convert).collect()),
        DeValue::Table(table) => Held::Table(convert_table(table, value.span())),
        DeValue::Float(_) => Held::Other("a number with a fraction"),
        DeValue::Datetime(_) => Held::Other("a date"),
    };
    Item { value: held, span: value.span() }
}

fn convert_table(table: &DeTable<'_>, span: Range<usize>) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: key.span(),
            value: convert(value),
        })
        .collect();
    entries.sort_by_key(|e| e.key_span.start);
    Table { entries, span }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_inside_every_kind_of_string() {
        for (file, needle) in [
            ("x = 'ab{{ c }}'", "{{ c }}"),
            ("x = '''\nab\n{{ c }}'''", "{{ c }}"),
            ("x = \"a\\\"b\\u00e9{{ c }}\"", "{{ c }}"),
            ("x = \"\"\"\na \\\n   b{{ c }}\"\"\"", "{{ c }}"),
        ] {
            let mut source = Source::new(file);
            let document = source.document().unwrap();
            let text = document.text("x").unwrap();
            let at = text.value.find(needle).unwrap();
            let found = position(file, &text.span, &(at..at + needle.len()));
            assert_eq!(&file[found], needle, "{file}");
        }
    }
}
