//! A request to be sent: the fields' values put where the contract reads them.

use crate::contract::wire::{self, plain};
use crate::contract::{Media, Operation, Place, Step, put};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;
use serde_json::{Map, Value as Json};
use std::sync::LazyLock;

/// The boundary of multipart bodies; no generated value contains it.
const BOUNDARY: &str = "vestibule-prove-boundary";

/// A request to be sent to both sides.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Path and query, without the prefix under which the API is mounted.
    pub path: String,
    /// Its headers, without those that every client adds.
    pub headers: HeaderMap,
    /// The body as it goes over the wire.
    pub body: Bytes,
    /// The addresses and names under which an account would be made.
    pub accounts: Vec<String>,
    /// What must not be shown to people: recorded passwords.
    pub secrets: Vec<String>,
    /// What must not be shown at all.
    pub withheld: Withheld,
}

/// The parts of an exchange in which a password may stand in a spelling in which it would not be found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Withheld {
    /// The query of the request.
    pub query: bool,
    /// The body of the request.
    pub body: bool,
    /// What was answered: an old backend may quote what it could not read.
    pub answers: bool,
}

impl Outgoing {
    /// Text without recorded passwords, and with tokens cut to their first letters: a report is shown around.
    pub(super) fn clean(&self, text: &str) -> String {
        static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"\b(eyJ[A-Za-z0-9_-]{6})[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
                .expect("a test compiles it")
        });
        let text = self.secrets.iter().fold(text.to_owned(), |text, secret| without(&text, secret));
        TOKEN.replace_all(&text, "$1..").into_owned()
    }

    /// The path and query as reports may show them.
    pub(super) fn shown_path(&self) -> String {
        match self.path.split_once('?') {
            Some((path, _)) if self.withheld.query => format!("{path}?{HIDDEN}"),
            _ => self.clean(&self.path),
        }
    }

    /// The body as reports may show it.
    pub(super) fn shown_body(&self) -> String {
        if self.withheld.body { HIDDEN.to_owned() } else { self.clean(&String::from_utf8_lossy(&self.body)) }
    }

    /// What was answered, or a part of it, as reports may show it.
    pub(super) fn shown_answer(&self, text: &str) -> String {
        if self.withheld.answers && !text.is_empty() { HIDDEN.to_owned() } else { self.clean(text) }
    }
}

/// The text without this secret, in each of the spellings in which clients usually write one.
pub(super) fn without(text: &str, secret: &str) -> String {
    let written = Json::from(secret).to_string();
    let inside = &written[1..written.len() - 1];
    let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let component = utf8_percent_encode(secret, COMPONENT).to_string();
    let forms = [inside, secret, encoded.as_str(), percent.as_str(), component.as_str()];
    forms.iter().fold(text.to_owned(), |text, form| text.replace(form, HIDDEN))
}

/// What JavaScript's `encodeURIComponent` encodes (ECMA-262, section 19.2.6).
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// What stands in the place of a secret.
pub(super) const HIDDEN: &str = "***";

/// One value per field of the contract; `None` is left out of the request.
pub(super) type Values = Vec<Option<Json>>;

/// Puts values where the contract reads them. `more` are members of the body that no field names.
pub(super) fn compose(
    operation: &Operation,
    values: &Values,
    media: Media,
    more: &[(&str, Json)],
) -> Outgoing {
    let mut headers = HeaderMap::new();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&operation.query);
    let mut cookies = Vec::new();
    let mut body = Json::Object(Map::new());
    for (field, value) in operation.fields.iter().zip(values) {
        let Some(value) = value else { continue };
        match &field.from {
            Place::Body(steps) => put(&mut body, steps, value.clone()),
            Place::Query(name) => drop(query.append_pair(name, &plain(value))),
            Place::Cookie(name) => {
                let value = plain(value);
                let encoded = utf8_percent_encode(&value, NON_ALPHANUMERIC);
                cookies.push(format!("{name}={encoded}"));
            }
            Place::Header(name) => {
                if let Ok(value) = HeaderValue::from_bytes(plain(value).as_bytes()) {
                    headers.insert(name.clone(), value);
                }
            }
        }
    }
    for (name, value) in more {
        put(&mut body, &[Step::Key((*name).to_owned())], value.clone());
    }
    let (content_type, body) = wire::write(media, &body, BOUNDARY);
    if let Ok(value) = HeaderValue::from_str(&content_type) {
        headers.entry(CONTENT_TYPE).or_insert(value);
    }
    let cookies = HeaderValue::from_str(&cookies.join("; ")).ok().filter(|line| !line.is_empty());
    headers.extend(cookies.map(|line| (COOKIE, line)));
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    Outgoing {
        method: Method::POST,
        path: format!("{}{mark}{query}", operation.path),
        headers,
        body: body.into(),
        accounts: accounts(operation, values),
        secrets: Vec::new(),
        withheld: Withheld::default(),
    }
}

/// The values under which somebody would find the account again.
pub(super) fn accounts(operation: &Operation, values: &Values) -> Vec<String> {
    let pairs = operation.fields.iter().zip(values);
    pairs.filter(|(field, _)| field.identifies()).filter_map(|(_, v)| v.as_ref()).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::load;
    use serde_json::json;

    const NESTED: &str = r#"
        [register]
        path = "/api/?action=register"
        accepts = ["json", "form", "multipart"]
        fields = [
          { name = "email", from = "user.email", into = "email" },
          { name = "phone", from = "formFields[id=phone].value", into = "extra.phone" },
          { name = "lang", from = "query:lang", into = "extra.lang" },
          { name = "key", from = "header:X-Key" },
          { name = "csrf", from = "cookie:csrf" },
          { name = "password", rules = [{ required = true }] },
        ]
        created.body = "{}"
        invalid.body = "{}"
    "#;

    fn composed(media: Media) -> Outgoing {
        let contract = load(NESTED).contract.expect("a contract");
        let values = ["a@b.co", "+49 1", "de", "k", "c d", "p"].map(|v| Some(json!(v))).to_vec();
        compose(&contract.register, &values, media, &[("more", json!("x"))])
    }

    #[test]
    fn values_stand_where_the_contract_reads_them() {
        let request = composed(Media::Json);
        assert_eq!(request.path, "/api/?action=register&lang=de");
        assert_eq!(request.headers["x-key"], "k");
        assert_eq!(request.headers["cookie"], "csrf=c%20d");
        let body: Json = serde_json::from_slice(&request.body).unwrap();
        let fields = json!([{ "id": "phone", "value": "+49 1" }]);
        assert_eq!(
            body,
            json!({ "user": { "email": "a@b.co" }, "formFields": fields, "password": "p", "more": "x" })
        );
        assert_eq!(request.accounts, ["a@b.co"]);
    }

    #[test]
    fn forms_write_brackets_and_multipart_parts() {
        let form = composed(Media::Form);
        assert!(form.body.starts_with(b"user%5Bemail%5D=a%40b.co&"), "{:?}", form.body);
        let parts = composed(Media::Multipart);
        let text = String::from_utf8_lossy(&parts.body);
        assert!(text.contains("name=\"user[email]\"\r\n\r\na@b.co\r\n") && text.ends_with("boundary--\r\n"));
    }
}
