//! Where an error reply lists its errors, and what each of them tells.

use super::super::fields::FieldDraft;
use super::super::guess::folded;
use super::super::sentence::stands_in;
use super::{Folder, Told};
use crate::contract::language::DEMANDS;
use serde_json::{Map, Value as Json};

const MESSAGE_KEYS: [&str; 12] = [
    "msg",
    "message",
    "detail",
    "errormessage",
    "errordescription",
    "error",
    "reason",
    "description",
    "text",
    "defaultmessage",
    "messages",
    "title",
];
pub(super) const FIELD_KEYS: [&str; 14] = [
    "field",
    "param",
    "path",
    "property",
    "loc",
    "source",
    "pointer",
    "fieldname",
    "name",
    "key",
    "attribute",
    "target",
    "propertyname",
    "parameter",
];
pub(super) const CODE_KEYS: [&str; 12] = [
    "code",
    "kind",
    "rule",
    "tag",
    "constraint",
    "validator",
    "errorcode",
    "type",
    "errortype",
    "keyword",
    "validation",
    "key",
];
pub(super) const VALUE_KEYS: [&str; 5] = ["value", "input", "rejectedvalue", "invalidvalue", "received"];

/// How a part of a reply lists its errors.
pub(super) enum Listing<'j> {
    Objects(&'j [Json]),
    Texts(&'j [Json]),
    /// Field -> list of texts.
    FieldTexts(&'j Map<String, Json>),
    /// Field -> text.
    FieldText(&'j Map<String, Json>),
    /// Field -> object.
    FieldObject(&'j Map<String, Json>),
    /// Field -> list of objects.
    FieldObjects(&'j Map<String, Json>),
}

impl Folder<'_> {
    pub(super) fn listing<'j>(&self, key: &str, json: &'j Json) -> Option<Listing<'j>> {
        match json {
            Json::Array(items) if items.is_empty() => None,
            Json::Array(items) if items.iter().all(|i| i.is_object() && message_of(i).is_some()) => {
                Some(Listing::Objects(items))
            }
            Json::Array(items) if items.iter().all(Json::is_string) => {
                let folded = folded(key);
                let listed =
                    folded.is_empty() || folded.contains("error") || MESSAGE_KEYS.contains(&folded.as_str());
                let about_fields = folded == "nonfielderrors";
                (listed && !about_fields).then_some(Listing::Texts(items))
            }
            Json::Object(members) => self.map(key, members),
            _ => None,
        }
    }

    /// An object whose keys are fields.
    fn map<'j>(&self, key: &str, members: &'j Map<String, Json>) -> Option<Listing<'j>> {
        let common = ["nonfielderrors", "base", "all", "root"];
        let is_field = |k: &String| self.field(k).is_some() || common.contains(&folded(k).as_str());
        let fields = !members.is_empty() && members.keys().all(is_field);
        let named = matches!(folded(key).as_str(), "errors" | "fielderrors" | "fields" | "validationerrors");
        let all = |test: &dyn Fn(&Json) -> bool| !members.is_empty() && members.values().all(test);
        let items = |json: &Json, test: &dyn Fn(&Json) -> bool| {
            json.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(test))
        };
        if (fields || named) && all(&|v| items(v, &Json::is_string)) {
            Some(Listing::FieldTexts(members))
        } else if (fields || named) && all(&|v| items(v, &|i| message_of(i).is_some())) {
            Some(Listing::FieldObjects(members))
        } else if (fields || named) && all(&|v| v.is_object() && message_of(v).is_some()) {
            Some(Listing::FieldObject(members))
        } else if fields && all(&|v| v.as_str().is_some_and(|t| t.contains(' '))) {
            Some(Listing::FieldText(members))
        } else {
            None
        }
    }

    /// The field that a name, a path or a pointer leads to.
    fn field(&self, text: &str) -> Option<&str> {
        let last = text.rsplit(['.', '/', ']', '[']).find(|part| !part.is_empty())?;
        let known = |f: &&FieldDraft| f.name == text || f.from == text || f.name == last;
        self.context.fields.iter().find(known).map(|f| f.name.as_str())
    }

    /// All errors that the reply lists; the first listing counts.
    pub(super) fn collect(&mut self, key: &str, json: &Json) {
        if !self.out.told.is_empty() {
            return;
        }
        match self.listing(key, json) {
            Some(Listing::Objects(items)) => {
                let told: Vec<Told> = items.iter().map(|i| self.told(None, i, items)).collect();
                self.out.told = told;
            }
            Some(Listing::Texts(items)) => {
                let about = |text: &str| {
                    let named = |f: &&FieldDraft| stands_in(text, &f.name);
                    self.context.fields.iter().find(named).map(|f| f.name.clone())
                };
                let texts = items.iter().filter_map(Json::as_str);
                self.out.told = texts
                    .map(|text| Told { field: about(text), message: text.to_owned(), code: None })
                    .collect();
            }
            Some(Listing::FieldTexts(members)) => {
                let texts =
                    members.iter().flat_map(|(k, v)| v.as_array().into_iter().flatten().map(move |t| (k, t)));
                self.out.told = texts.map(|(k, t)| self.text_of(k, t)).collect();
            }
            Some(Listing::FieldText(members)) => {
                self.out.first_per_field = true;
                self.out.told = members.iter().map(|(k, v)| self.text_of(k, v)).collect();
            }
            Some(Listing::FieldObject(members)) => {
                let all: Vec<Json> = members.values().cloned().collect();
                self.out.first_per_field = true;
                self.out.told = members.iter().map(|(k, v)| self.told(Some(k), v, &all)).collect();
            }
            Some(Listing::FieldObjects(members)) => {
                let all: Vec<Json> = members.values().filter_map(Json::as_array).flatten().cloned().collect();
                let items =
                    members.iter().flat_map(|(k, v)| v.as_array().into_iter().flatten().map(move |i| (k, i)));
                self.out.told = items.map(|(k, item)| self.told(Some(k), item, &all)).collect();
            }
            None => match json {
                Json::Object(members) => members.iter().for_each(|(k, v)| self.collect(k, v)),
                Json::Array(items) => items.iter().for_each(|item| self.collect(key, item)),
                _ => {}
            },
        }
    }

    fn text_of(&self, key: &str, text: &Json) -> Told {
        let message = text.as_str().unwrap_or_default().to_owned();
        Told { field: self.field(key).map(str::to_owned), message, code: None }
    }

    pub(super) fn told(&self, key: Option<&String>, item: &Json, all: &[Json]) -> Told {
        let field = key.and_then(|k| self.field(k)).or_else(|| self.field_of(item)).map(str::to_owned);
        Told { field, message: message_of(item).unwrap_or_default(), code: code_of(item, all) }
    }

    fn field_of(&self, item: &Json) -> Option<&str> {
        let members = item.as_object()?;
        let named = FIELD_KEYS.iter().find_map(|known| {
            let (_, value) = members.iter().find(|(k, _)| folded(k) == *known)?;
            match value {
                Json::String(text) => self.field(text),
                Json::Array(path) => self.field(path.last()?.as_str()?),
                Json::Object(_) => self.field_of(value),
                _ => None,
            }
        });
        // `{ "source": { "pointer": "/data/email" } }` is found above; any other member that is a field's name, here.
        named.or_else(|| members.values().find_map(|v| self.field(v.as_str()?)))
    }
}

/// The message of one error.
fn message_of(item: &Json) -> Option<String> {
    let members = item.as_object()?;
    let direct = MESSAGE_KEYS.iter().find_map(|known| {
        let (_, value) = members.iter().find(|(k, _)| folded(k) == *known)?;
        value.as_str().map(str::to_owned)
    });
    // `{ "property": "email", "constraints": { "isEmail": ".." } }`
    direct.or_else(|| {
        let inner = members.values().find_map(Json::as_object)?;
        inner.values().find_map(Json::as_str).filter(|text| text.contains(' ')).map(str::to_owned)
    })
}

/// The message of a reply that lists no errors: under the best of its keys, least deep.
pub(super) fn lone_message(body: &Json) -> Option<String> {
    let members = match body {
        Json::Object(members) => members,
        Json::String(text) => return Some(text.clone()),
        _ => return None,
    };
    let direct = MESSAGE_KEYS.iter().find_map(|known| {
        let (_, value) = members.iter().find(|(k, _)| folded(k) == *known)?;
        value.as_str().map(str::to_owned)
    });
    direct.or_else(|| members.values().find_map(lone_message_inside))
}

fn lone_message_inside(json: &Json) -> Option<String> {
    json.is_object().then(|| lone_message(json)).flatten()
}

/// The code of one error, if the replies' codes tell errors apart.
fn code_of(item: &Json, all: &[Json]) -> Option<Json> {
    CODE_KEYS.iter().find_map(|known| {
        let of = |item: &Json| -> Option<Json> {
            let members = item.as_object()?;
            let found = members.iter().find(|(k, _)| folded(k) == *known).map(|(_, v)| v.clone());
            found.filter(|v| v.is_string() || v.is_i64())
        };
        let code = of(item)?;
        let text = code.as_str().unwrap_or_default();
        let differ = all.iter().any(|other| of(other).is_some_and(|c| c != code));
        let plain = *known != "key" && !(*known == "type" && text == "field");
        let telling = differ || DEMANDS.contains(&text) || all.len() == 1 && plain && !text.contains(' ');
        telling.then_some(code)
    })
}
