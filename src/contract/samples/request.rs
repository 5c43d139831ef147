//! A request that the contract takes: plausible values, exchanged one by one until no rule refuses them.

use super::deployment::{circumstances, secrets};
use super::values::candidates;
use crate::contract::clean::clean;
use crate::contract::place::{Place, dig, put};
use crate::contract::{Circumstances, Contract, Field, Fields, Media, rules, wire};
use crate::user::NewUser;
use http::HeaderName;
use percent_encoding::{AsciiSet, CONTROLS};
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// The boundary between the parts of a multipart body.
const BOUNDARY: &str = "----vestibule-example";

/// What a cookie's value cannot hold (RFC 6265 section 4.1.1), and the percent sign.
const IN_COOKIES: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

/// A request that the contract takes, in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// How the body is written: the first of the contract's `accepts`.
    pub media: Media,
    /// The value of `Content-Type`, with the boundary of a multipart body.
    pub content_type: String,
    /// The pairs of the query string, those that the contract's path asks for first.
    pub query: Vec<(String, String)>,
    /// The headers that fields are read from, without `Cookie` and `Content-Type`.
    pub headers: Vec<(HeaderName, String)>,
    /// The cookies that fields are read from.
    pub cookies: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// The body as a tree.
    pub(crate) tree: Json,
}

/// A request that passes the contract's own rules. Where the deployment's secret belongs, `<its name>` stands.
///
/// Rules can be written that no sample meets (a check digit, say); the example is then as near as samples come.
pub fn example_request(contract: &Contract) -> Example {
    let draft = Draft::new(contract);
    draft.written(contract.register.accepts.first().copied().unwrap_or(Media::Json))
}

impl Example {
    /// The query string, without the question mark; empty when there is none.
    pub fn query_string(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish()
    }

    /// The value of `Cookie`, if fields are read from cookies.
    pub fn cookie(&self) -> Option<String> {
        let encoded = |value: &str| percent_encoding::utf8_percent_encode(value, IN_COOKIES).to_string();
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        let line = pairs.collect::<Vec<_>>().join("; ");
        Some(line).filter(|line| !line.is_empty())
    }

    /// The body's tree as the pairs of a form: `user[email]`, `tags[]`.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        wire::pairs(&self.tree)
    }
}

/// A value for every field, on the way to an example or away from one.
#[derive(Clone)]
pub(super) struct Draft<'c> {
    contract: &'c Contract,
    now: Circumstances,
    pub(super) values: Vec<Option<Json>>,
}

impl<'c> Draft<'c> {
    /// The most plausible values that the rules take.
    pub(super) fn new(contract: &'c Contract) -> Draft<'c> {
        let now = Circumstances { secrets: Arc::new(secrets(contract)), ..circumstances() };
        let choices: Vec<Vec<Json>> = contract.register.fields.iter().map(candidates).collect();
        let mut draft = Draft { contract, now, values: Vec::new() };
        draft.values = choices.iter().map(|list| list.first().cloned()).collect();
        for i in 0..draft.values.len() {
            if draft.is_around_others(i) {
                draft.values[i] = None;
            }
        }
        // A value can depend on another, and that one on a third; more rounds than fields help nobody.
        for _ in 0..=draft.values.len() {
            let refused = draft.refused();
            if refused.is_empty() {
                break;
            }
            refused.into_iter().for_each(|i| draft.exchange(i, &choices[i]));
        }
        draft
    }

    /// Tries the candidates of a field, then what other fields hold (`value == input.password`), then nothing.
    fn exchange(&mut self, i: usize, choices: &[Json]) {
        if self.is_around_others(i) {
            return;
        }
        let before = self.values[i].clone();
        let others = self.values.clone().into_iter().flatten();
        let tried = choices.iter().cloned().chain(others).map(Some).chain([None]);
        for value in tried.collect::<Vec<_>>() {
            self.values[i] = value;
            if !self.refused().contains(&i) {
                return;
            }
        }
        self.values[i] = before;
    }

    /// Whether a field's place holds the places of other fields, so that they make up its value.
    fn is_around_others(&self, i: usize) -> bool {
        let fields = &self.contract.register.fields;
        let Place::Body(own) = &fields[i].from else { return false };
        let inside = |f: &Field| matches!(&f.from, Place::Body(steps) if steps.len() > own.len() && steps.starts_with(own));
        fields.iter().any(inside)
    }

    /// The fields that the contract's rules refuse, or that mean nothing.
    fn refused(&self) -> Vec<usize> {
        let fields = self.fields();
        let operation = &self.contract.register;
        let mut out = rules::refused(operation, &fields, &self.now);
        if let Err(problems) = NewUser::parse(self.contract.submitted(&fields)) {
            let meant = |f: &Field| problems.iter().any(|p| f.into.as_ref() == Some(&p.meaning));
            out.extend((0..operation.fields.len()).filter(|i| meant(&operation.fields[*i])));
        }
        out
    }

    /// The values as the server reads them: dug out of one body and cleaned.
    pub(super) fn fields(&self) -> Fields {
        let body = self.body();
        let fields = &self.contract.register.fields;
        let mut inputs: Vec<Option<Json>> = Vec::with_capacity(fields.len());
        for (field, value) in fields.iter().zip(&self.values) {
            let mut input = match &field.from {
                Place::Body(steps) => dig(&body, steps).cloned(),
                _ => value.clone(),
            };
            clean(field, &mut input, &self.now);
            inputs.push(input);
        }
        Fields { inputs, body }
    }

    /// The body, the places that hold others last.
    fn body(&self) -> Json {
        let mut body = Json::Object(Map::new());
        let fields = &self.contract.register.fields;
        for around in [false, true] {
            for (i, (field, value)) in fields.iter().zip(&self.values).enumerate() {
                let (Place::Body(steps), Some(value)) = (&field.from, value) else { continue };
                if self.is_around_others(i) == around {
                    put(&mut body, steps, value.clone());
                }
            }
        }
        body
    }

    pub(super) fn now(&self) -> &Circumstances {
        &self.now
    }

    fn written(&self, media: Media) -> Example {
        let operation = &self.contract.register;
        let tree = self.body();
        let (content_type, body) = wire::write(media, &tree, BOUNDARY);
        let (headers, cookies) = (Vec::new(), Vec::new());
        let mut out =
            Example { media, content_type, query: operation.query.clone(), headers, cookies, body, tree };
        for (field, value) in operation.fields.iter().zip(&self.values) {
            let Some(value) = value.as_ref().map(wire::plain) else { continue };
            match &field.from {
                Place::Body(_) => {}
                // What the path already asks for is there.
                Place::Query(name) if out.query.iter().any(|(known, _)| known == name) => {}
                Place::Query(name) => out.query.push((name.clone(), value)),
                Place::Header(name) => out.headers.push((name.clone(), value)),
                Place::Cookie(name) => out.cookies.push((name.clone(), value)),
            }
        }
        out
    }
}
