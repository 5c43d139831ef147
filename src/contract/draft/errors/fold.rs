//! An error reply with the loops and names of the contract language in the place of its errors.

use super::listing::{CODE_KEYS, FIELD_KEYS, Listing, VALUE_KEYS, lone_message};
use super::{Context, Folded, Folder, Told};
use crate::contract::draft::caution::Caution;
use crate::contract::draft::created::is_request_id;
use crate::contract::draft::fields::FieldDraft;
use crate::contract::draft::guess::{self, folded};
use crate::contract::draft::sentence::stands_in;
use crate::contract::draft::tree::{Node, Piece, replaced};
use crate::user::Meaning;
use serde_json::Value as Json;

/// Folds an error reply.
pub(in crate::contract::draft) fn fold(body: &Json, context: &Context<'_>) -> Folded {
    let mut folder = Folder { context, out: Folded::default(), listed: false };
    if context.caution == Caution::Literal {
        folder.out.node = Some(Node::pasted(body));
        folder.out.notes.push("the errors stay as pasted: replace them by `errors`".to_owned());
        return folder.out;
    }
    folder.collect("", body);
    folder.listed = !folder.out.told.is_empty();
    if !folder.listed {
        folder.single(body);
    }
    let node = folder.node("", body);
    folder.out.node = Some(node);
    folder.out
}

impl Folder<'_> {
    /// A reply without a list: its one message.
    fn single(&mut self, body: &Json) {
        let Some(message) = lone_message(body) else { return };
        let about = self.context.fields.iter().find(|f| stands_in(&message, &f.name)).map(|f| f.name.clone());
        self.out.single = true;
        self.out.told = vec![Told { field: about, message, code: None }];
    }

    fn node(&mut self, key: &str, json: &Json) -> Node {
        let listing = self.listing(key, json).filter(|_| self.listed);
        if let Some(node) = listing.and_then(|listing| self.each(&listing)) {
            return node;
        }
        match json {
            Json::Object(members) => {
                Node::Map(members.iter().map(|(k, v)| (k.clone(), self.node(k, v))).collect())
            }
            Json::Array(items) => Node::List(items.iter().map(|item| self.node(key, item)).collect()),
            Json::String(text) => self.text(key, text),
            other => match guess::when(key).and_then(|_| guess::time(other, true)) {
                Some(form) => Node::Hole(form.of("now")),
                None => Node::Pasted(other.clone()),
            },
        }
    }

    /// The loop that writes a listing.
    fn each(&mut self, listing: &Listing<'_>) -> Option<Node> {
        let head = "for e in errors".to_owned();
        let by_field = "{{ e.field }}".to_owned();
        Some(match listing {
            Listing::Objects(items) => {
                let item = self.item(&items[0], None, items);
                Node::EachItem { head, item: Box::new(item) }
            }
            Listing::Texts(_) => Node::EachItem { head, item: Box::new(Node::text("e.message")) },
            Listing::FieldTexts(_) => Node::Hole("errors | by(\"field\", \"message\")".to_owned()),
            Listing::FieldText(_) => {
                Node::EachMember { head, key: by_field, value: Box::new(Node::text("e.message")) }
            }
            Listing::FieldObject(members) => {
                let all: Vec<Json> = members.values().cloned().collect();
                let (key, first) = members.iter().next()?;
                let value = self.item(first, Some(key), &all);
                Node::EachMember { head, key: by_field, value: Box::new(value) }
            }
            Listing::FieldObjects(members) => {
                let all: Vec<Json> = members.values().filter_map(Json::as_array).flatten().cloned().collect();
                let (key, first) = members.iter().next()?;
                let item = self.item(first.as_array()?.first()?, Some(key), &all);
                let list = Node::EachItem { head: "for e in list".to_owned(), item: Box::new(item) };
                let head = "for field, list in errors | by(\"field\") | items".to_owned();
                Node::EachMember { head, key: "{{ field }}".to_owned(), value: Box::new(list) }
            }
        })
    }

    /// One error of a listing, made from the first.
    fn item(&mut self, item: &Json, key: Option<&String>, all: &[Json]) -> Node {
        let told = self.told(key, item, all);
        let field = key.cloned().or(told.field.clone());
        self.part("", item, &told, field.as_deref())
    }

    fn part(&mut self, key: &str, json: &Json, told: &Told, field: Option<&str>) -> Node {
        let value_key = VALUE_KEYS.contains(&folded(key).as_str());
        match json {
            Json::Object(members) => {
                Node::Map(members.iter().map(|(k, v)| (k.clone(), self.part(k, v, told, field))).collect())
            }
            Json::Array(items) => {
                Node::List(items.iter().map(|item| self.part(key, item, told, field)).collect())
            }
            Json::String(text) if *text == told.message => Node::text("e.message"),
            Json::String(text) if Some(text.as_str()) == field => Node::text("e.field"),
            value if value_key => {
                self.shows_values(key, value, told);
                Node::Hole("e.value".to_owned())
            }
            value if told.code.as_ref() == Some(value) && CODE_KEYS.contains(&folded(key).as_str()) => {
                if value.is_string() {
                    Node::text("e.code")
                } else {
                    Node::Hole("e.code".to_owned())
                }
            }
            Json::String(text) => {
                let mut known = vec![(told.message.clone(), "e.message".to_owned())];
                let path = FIELD_KEYS.contains(&folded(key).as_str());
                known.extend(field.filter(|_| path).map(|f| (f.to_owned(), "e.field".to_owned())));
                known.retain(|(value, _)| !value.is_empty());
                Node::Text(replaced(text, &known))
            }
            other => Node::Pasted(other.clone()),
        }
    }

    fn shows_values(&mut self, key: &str, value: &Json, told: &Told) {
        let named = |f: &&FieldDraft| Some(&f.name) == told.field.as_ref();
        let password = self.context.fields.iter().find(named).is_some_and(|f| f.means(&Meaning::Password));
        self.out.notes.push(match password && !value.is_null() {
            true => format!(
                "`{key}` of the example shows a refused password; here it is null, unless [register] has \
                 reveal = [\"rejected_password\"]"
            ),
            false => format!("`{key}` of an error shows what was sent, but never the password"),
        });
    }

    /// A text outside of the listing.
    fn text(&mut self, key: &str, text: &str) -> Node {
        let told = &self.out.told;
        if told.first().is_some_and(|first| first.message == text) {
            return Node::text(self.context.message);
        }
        if let Some(pieces) = sentence(text, told).filter(|_| self.listed) {
            return Node::Text(pieces);
        }
        if let Some(form) = guess::when(key).and_then(|_| guess::time(&text.into(), true)) {
            return Node::text(form.of("now"));
        }
        if is_request_id(key) && uuid::Uuid::try_parse(text).is_ok() {
            return Node::text("request.id");
        }
        if self.context.caution == Caution::None {
            let values: Vec<(String, String)> =
                self.context.values.iter().map(|v| (v.clone(), "errors[0].value".to_owned())).collect();
            let pieces = in_any_case(text, &values);
            if pieces.iter().any(|piece| matches!(piece, Piece::Hole(_))) {
                return Node::Text(pieces);
            }
        }
        Node::Pasted(text.into())
    }
}

/// Values replaced whatever their case: an address comes back as it was typed the first time, or the second.
fn in_any_case(text: &str, values: &[(String, String)]) -> Vec<Piece> {
    let spelt = values.iter().filter_map(|(value, name)| {
        let at = text.to_lowercase().find(&value.to_lowercase())?;
        Some((text.get(at..at + value.len())?.to_owned(), name.clone()))
    });
    replaced(text, &spelt.collect::<Vec<_>>())
}

/// A sentence that joins the messages of all errors.
fn sentence(text: &str, told: &[Told]) -> Option<Vec<Piece>> {
    for with_field in [true, false] {
        let unit = |t: &Told| match (&t.field, with_field) {
            (Some(field), true) => Some(format!("{field}: {}", t.message)),
            (_, false) => Some(t.message.clone()),
            (None, true) => None,
        };
        let Some(units) = told.iter().map(unit).collect::<Option<Vec<_>>>() else { continue };
        for separator in [", ", "; ", " ", ". ", "\n", ","] {
            let joined = units.join(separator);
            let Some(at) = text.find(&joined).filter(|_| !joined.is_empty()) else { continue };
            let each = if with_field { "{{ e.field }}: {{ e.message }}" } else { "{{ e.message }}" };
            let separator = separator.replace('\n', "\\n");
            let between = format!("{{% if not loop.last %}}{separator}{{% endif %}}");
            let (before, after) = (&text[..at], &text[at + joined.len()..]);
            let mut out = vec![
                Piece::Pasted(before.to_owned()),
                Piece::Raw(format!("{{% for e in errors %}}{each}{between}{{% endfor %}}")),
                Piece::Pasted(after.to_owned()),
            ];
            out.retain(|piece| !matches!(piece, Piece::Pasted(text) if text.is_empty()));
            return Some(out);
        }
    }
    None
}
