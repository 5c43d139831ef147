//! The proposal as a file.

use super::caution::{Caution, Cautions, Part};
use super::created::{Body, Created, created};
use super::errors::{Context, Folded, Told, fold};
use super::examples::Examples;
use super::fields::{FieldDraft, fields, meaning_of};
use super::lessons::learn;
use super::pasted::{Content, Exchange, Pasted};
use super::toml::{body, comments, field_lines, headers, line, said, token_lines, toml};
use super::tree::{Node, Piece, plain};
use crate::contract::place::{Place, dig};
use crate::contract::{Media, Outcome};
use crate::user::Meaning;
use serde_json::{Map, Value as Json, json};

/// Everything that the file will say.
pub(super) struct File<'e> {
    examples: &'e Examples,
    request: Option<&'e Pasted>,
    fields: Vec<FieldDraft>,
    remarks: Vec<String>,
    created: Created,
    invalid: Option<Folded>,
    taken: Option<Folded>,
    default: Option<Node>,
    says: Vec<(&'static str, Told)>,
}

impl<'e> File<'e> {
    /// Reads all examples.
    pub(super) fn propose(examples: &'e Examples, cautions: &Cautions) -> File<'e> {
        let request = examples.asked();
        let known = match request.and_then(Pasted::tree) {
            Some(body) => body.clone(),
            None => implied(examples.created.as_ref().and_then(|e| e.reply.tree())),
        };
        let (mut fields, mut remarks) = fields(&known);
        let created = match &examples.created {
            Some(exchange) => created(&exchange.reply, &mut fields, cautions.created),
            None => Created { body: Body::Json(minimal(&fields)), ..Created::default() },
        };
        let names = request.map(|r| r.headers.iter().map(|(n, _)| n.as_str()).collect()).unwrap_or_default();
        remarks.extend(unread(names));
        let mut file = File {
            examples,
            request,
            fields,
            remarks,
            created,
            invalid: None,
            taken: None,
            default: None,
            says: Vec::new(),
        };
        file.errors(cautions);
        file
    }

    fn errors(&mut self, cautions: &Cautions) {
        let examples = self.examples;
        let fold_one = |exchange: &Option<Exchange>, fields: &[FieldDraft], caution, message| {
            let exchange = exchange.as_ref()?;
            let context = Context { fields, values: values(fields, exchange), caution, message };
            Some(fold(exchange.reply.tree()?, &context))
        };
        self.invalid = fold_one(&examples.invalid, &self.fields, cautions.invalid, "errors[0].message");
        self.taken = fold_one(&examples.taken, &self.fields, cautions.taken, "errors[0].message");
        let lone = self.invalid.as_ref().is_some_and(|f| f.single) && cautions.invalid != Caution::Literal;
        if lone && cautions.default == Caution::None {
            let folded = fold_one(&examples.invalid, &self.fields, cautions.invalid, "message");
            self.default = folded.and_then(|f| f.node);
        }
        if cautions.head != Caution::None {
            return;
        }
        if let Some(folded) = &self.invalid {
            self.says = learn(&folded.told, &mut self.fields, false, &[]);
        }
        for field in self.fields.iter_mut().filter(|f| f.has("min_length") && f.means(&Meaning::Password)) {
            field.note.clear();
        }
        if let (Some(folded), Some(exchange)) = (&self.taken, &examples.taken) {
            let values = values(&self.fields, exchange);
            let more = learn(&folded.told, &mut self.fields, true, &values);
            self.says.extend(more);
        }
    }

    /// The file's text, and where its parts begin.
    pub(super) fn write(&self) -> (String, Vec<(usize, Part)>) {
        let mut parts = vec![(0, Part::Head)];
        let mut out = self.head();
        let sections = [
            (Part::Created, Some(self.created_table())),
            (Part::Invalid, Some(self.invalid_table())),
            (Part::Taken, Some(self.taken_table())),
            (Part::Default, self.default_table()),
        ];
        for (part, text) in sections {
            let Some(text) = text else { continue };
            out.push('\n');
            parts.push((out.len(), part));
            out.push_str(&text);
        }
        (out, parts)
    }

    fn path(&self) -> (String, Option<&'static str>) {
        let target = self.request.and_then(|r| r.target.clone());
        match (self.examples.path.clone(), target) {
            (Some(path), _) => (path, None),
            (None, Some(target)) => (target, None),
            (None, None) => ("/users".to_owned(), Some("the examples do not tell; where is it?")),
        }
    }

    fn head(&self) -> String {
        let (path, path_note) = self.path();
        let title = self.examples.title.clone().unwrap_or_else(|| format!("Sign-up at POST {path}"));
        let mut out = comments(&[
            "Started by `vestibule contract new` from an example of each reply. The remarks say why each guess was made and \
             what to look at; remove them as you go. Then:"
                .to_owned(),
            "  vestibule contract check FILE                      every mistake, with its place".to_owned(),
            "  vestibule contract try FILE -d @request.json       what it answers, step by step".to_owned(),
            "  vestibule contract prove FILE --against URL        whether the old backend answers the same".to_owned(),
        ]);
        out.push('\n');
        out.push_str(&line(&format!("title = {}", toml(&title)), None));
        if let Some((word, why)) = self.created.id.as_ref().filter(|(word, _)| word != "integer") {
            out.push_str(&line(&format!("id    = {}", toml(word)), Some(why)));
        }
        out.push('\n');
        out.push_str(&comments(&self.remarks));
        out.push_str("[register]\n");
        out.push_str(&line(&format!("path   = {}", toml(&path)), path_note));
        if let Some(Content::Form(media, _)) = self.request.map(|r| &r.content) {
            let note = match media {
                Media::Multipart => "the example is multipart; its files are not read",
                _ => "the example is a form",
            };
            out.push_str(&line(&format!("accepts = [\"{}\"]", media.name()), Some(note)));
        }
        if self.created.reveals_sha256 {
            let note = "an exception to secrecy, see [register.created]";
            out.push_str(&line("reveal = [\"password_sha256\"]", Some(note)));
        }
        let told = [&self.invalid, &self.taken].into_iter().flatten();
        if self.invalid.as_ref().is_some_and(|f| f.single) {
            out.push_str(&line("errors = \"first\"", Some("the example has room for one message")));
        } else if told.into_iter().any(|f| f.first_per_field) {
            out.push_str(&line(
                "errors = \"first-per-field\"",
                Some("the example has room for one message per field"),
            ));
        }
        out.push_str(&line("fields = [", Some("in the order in which errors are listed")));
        for field in &self.fields {
            out.push_str(&field_lines(field));
        }
        out.push_str("]\n");
        for (demand, told) in &self.says {
            out.push_str(&format!(
                "says.{demand} = {{ {} }}\n",
                said(Some(&told.message), told.code.as_ref()).join(", ")
            ));
        }
        for token in &self.created.tokens {
            out.push_str(&token_lines(token));
        }
        out
    }

    fn created_table(&self) -> String {
        let mut notes = self.created.notes.clone();
        if self.examples.created.is_none() {
            notes.push(
                "no example was given: paste the old reply into `body` and replace its values".to_owned(),
            );
        }
        let mut out = comments(&notes);
        out.push_str("[register.created]\n");
        out.push_str(&self.status("created", self.examples.created.as_ref()));
        out.push_str(&content_type(self.examples.created.as_ref()));
        out.push_str(&headers(&self.created.headers));
        out.push_str(&match &self.created.body {
            Body::Empty => "body = \"\"\n".to_owned(),
            Body::Json(node) => body(&node.write()),
            Body::Text(text) => body(text),
        });
        out
    }

    fn invalid_table(&self) -> String {
        let exchange = self.examples.invalid.as_ref();
        let mut notes = self.invalid.as_ref().map(|f| f.notes.clone()).unwrap_or_default();
        if exchange.is_none() {
            notes.push("no example was given: this is a common shape".to_owned());
        }
        notes.dedup();
        let mut out = comments(&notes);
        out.push_str("[register.invalid]\n");
        out.push_str(&self.status("invalid", exchange));
        out.push_str(&content_type(exchange));
        out.push_str(&match (&self.invalid, exchange.map(|e| &e.reply.content)) {
            (Some(Folded { node: Some(node), .. }), _) => body(&node.write()),
            (_, Some(Content::Text(text))) => body(&plain(&[Piece::Pasted(text.clone())])),
            (_, Some(_)) => "body = \"\"\n".to_owned(),
            (_, None) => body(COMMON),
        });
        out
    }

    fn taken_table(&self) -> String {
        let exchange = self.examples.taken.as_ref();
        let template = |f: &Option<Folded>| f.as_ref().and_then(|f| f.node.as_ref()).map(Node::write);
        let (own, invalid) = (template(&self.taken), template(&self.invalid));
        let shared = exchange.is_none() || own.is_some() && own == invalid;
        let mut notes = self.taken.as_ref().map(|f| f.notes.clone()).unwrap_or_default();
        match exchange {
            None => notes.push("no example was given: the shape of `invalid`".to_owned()),
            Some(_) if shared => notes = vec!["the shape of `invalid`".to_owned()],
            Some(_) => {}
        }
        let mut out = comments(&notes);
        out.push_str("[register.taken]\n");
        out.push_str(&self.status("taken", exchange));
        if shared {
            return out;
        }
        out.push_str(&content_type(exchange));
        out.push_str(&match (own, exchange.map(|e| &e.reply.content)) {
            (Some(text), _) => body(&text),
            (None, Some(Content::Text(text))) => body(&plain(&[Piece::Pasted(text.clone())])),
            (None, _) => "body = \"\"\n".to_owned(),
        });
        out
    }

    fn default_table(&self) -> Option<String> {
        let node = self.default.as_ref()?;
        let note = "every other refusal: malformed, busy, failed ..; each can have a table of its own";
        Some(format!("{}[register.default]\n{}", comments(&[note.to_owned()]), body(&node.write())))
    }

    fn status(&self, outcome: &str, exchange: Option<&Exchange>) -> String {
        let said = self.examples.statuses.iter().find(|(name, _)| name == outcome).map(|(_, status)| *status);
        let seen = exchange.and_then(|e| e.reply.status);
        let note = if said.or(seen).is_none() { Some("no example tells the status") } else { None };
        let usual = Outcome::named(outcome).status();
        line(&format!("status = {}", said.or(seen).unwrap_or(usual)), note)
    }
}

/// The shape of errors when nothing is known.
const COMMON: &str = r#"{ "errors": [{% for e in errors %}{ "field": "{{ e.field }}", "code": "{{ e.code }}", "message": "{{ e.message }}" },{% endfor %}] }"#;

/// What a request without an example must have held: the values that came back.
fn implied(created: Option<&Json>) -> Json {
    let mut out = Map::new();
    gather(created.unwrap_or(&Json::Null), &mut out);
    if !out.keys().any(|k| matches!(meaning_of(k), Some(Meaning::Email | Meaning::Username))) {
        out.insert("email".to_owned(), json!("ann@example.com"));
    }
    out.insert("password".to_owned(), Json::Null);
    Json::Object(out)
}

fn gather(json: &Json, out: &mut Map<String, Json>) {
    for (key, value) in json.as_object().into_iter().flatten() {
        let known = meaning_of(key).filter(|m| *m != Meaning::Password);
        let new = known.is_some() && !out.keys().any(|k| meaning_of(k) == known);
        if new && value.is_string() {
            out.insert(key.clone(), value.clone());
        }
        gather(value, out);
    }
}

/// A created reply when there is no example.
fn minimal(fields: &[FieldDraft]) -> Node {
    let mut members = vec![("id".to_owned(), Node::Hole("user.id".to_owned()))];
    let shown = fields.iter().filter(|f| matches!(f.into, Some(Meaning::Email | Meaning::Username)));
    members.extend(shown.filter_map(|f| Some((f.name.clone(), Node::text(f.stored()?)))));
    Node::Map(members)
}

/// A remark on headers of the request that mean something to somebody.
fn unread(names: Vec<&str>) -> Option<String> {
    let usual = [
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "accept-language",
        "content-type",
        "content-length",
        "connection",
        "origin",
        "referer",
        "cookie",
        "cache-control",
        "pragma",
        "dnt",
        "te",
    ];
    let told: Vec<&str> = names
        .into_iter()
        .filter(|name| {
            let name = name.to_ascii_lowercase();
            !usual.contains(&name.as_str()) && !name.starts_with("sec-")
        })
        .collect();
    let first = told.first()?;
    Some(format!(
        "the example request also sent {}: if that matters, add a field with from = \"header:{first}\"",
        told.join(", ")
    ))
}

/// What a reply may repeat of the request it answers: address and user name.
fn values(fields: &[FieldDraft], exchange: &Exchange) -> Vec<String> {
    let unique = fields.iter().filter(|f| matches!(f.into, Some(Meaning::Email | Meaning::Username)));
    let mut out: Vec<String> = Vec::new();
    for field in unique {
        let own = exchange.request.as_ref().and_then(Pasted::tree).and_then(|body| {
            let place = Place::parse(&field.from).ok()?;
            match place {
                Place::Body(steps) => dig(body, &steps),
                _ => None,
            }
        });
        out.extend(
            [own, Some(&field.sample)].into_iter().flatten().filter_map(Json::as_str).map(str::to_owned),
        );
    }
    out.retain(|text| text.chars().count() >= 2);
    out
}

fn content_type(exchange: Option<&Exchange>) -> String {
    let named = exchange.and_then(|e| e.reply.header("content-type"));
    let other = named.filter(|t| !t.eq_ignore_ascii_case("application/json"));
    let empty = exchange.is_some_and(|e| e.reply.content == Content::Empty);
    match other.filter(|_| !empty) {
        Some(value) => headers(&[("Content-Type".to_owned(), vec![value.to_owned()])]),
        None => match exchange.map(|e| &e.reply.content) {
            Some(Content::Text(_)) => headers(&[("Content-Type".to_owned(), vec!["text/plain".to_owned()])]),
            _ => String::new(),
        },
    }
}
