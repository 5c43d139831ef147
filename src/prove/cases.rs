//! Every case of a contract: what is right, each rule broken alone and all together, values that are missing, null,
//! empty or of another type, duplicates, bodies and content types that are not as they should be.

use super::Answer;
use super::breaks::{address, breaks, free_text, wrong_types};
use super::request::{Outgoing, Values, compose};
use super::values::{Fresh, Good, NoGoodValue, fit, meets_plain_demands, text_of};
use crate::contract::{Contract, Field, JsonType, Media, Place, Secrets};
use crate::user::Meaning;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// How long a text becomes where the contract sets no bound.
const LONG: usize = 100;

/// One thing to find out, in one or more requests.
#[derive(Debug)]
pub struct Case {
    /// Its stable name: `missing-email`.
    pub name: String,
    /// What it shows, for people.
    pub about: String,
    /// The requests, in order.
    pub requests: Vec<Outgoing>,
    /// The recorded answers to them, when they were recorded.
    pub recorded: Vec<Answer>,
}

/// Builds every case of a contract. Each uses addresses and names of its own, made from `seed`.
///
/// # Errors
/// When a field accepts nothing that was tried.
pub async fn cases(contract: &Contract, secrets: Arc<Secrets>, seed: u64) -> Result<Vec<Case>, NoGoodValue> {
    let good = Good::find(contract, secrets, seed).await?;
    let mut builder = Builder { good, n: 0, cases: Vec::new() };
    builder.good_ones().await;
    builder.broken_alone().await;
    builder.per_field();
    builder.together();
    builder.duplicates();
    builder.bodies();
    builder.content_types();
    Ok(builder.cases)
}

/// A request that the contract accepts, beside those of the cases.
pub(super) async fn first(
    contract: &Contract,
    secrets: Arc<Secrets>,
    seed: u64,
) -> Result<Outgoing, NoGoodValue> {
    let good = Good::find(contract, secrets, seed).await?;
    Ok(compose(&contract.register, &good.values(good.fresh(0)), good.media(), &[]))
}

struct Builder<'c> {
    good: Good<'c>,
    n: u32,
    cases: Vec<Case>,
}

impl<'c> Builder<'c> {
    fn contract(&self) -> &'c Contract {
        self.good.contract
    }

    fn fields(&self) -> &'c [Field] {
        &self.contract().register.fields
    }

    /// The account of the next case.
    fn next(&mut self) -> Fresh {
        self.n += 1;
        self.good.fresh(self.n)
    }

    fn next_values(&mut self) -> Values {
        let fresh = self.next();
        self.good.values(fresh)
    }

    fn request(&self, values: &Values) -> Outgoing {
        compose(&self.contract().register, values, self.good.media(), &[])
    }

    fn add(&mut self, name: impl Into<String>, about: impl Into<String>, requests: Vec<Outgoing>) {
        let name = name.into();
        if self.cases.iter().all(|case| case.name != name) {
            self.cases.push(Case { name, about: about.into(), requests, recorded: Vec::new() });
        }
    }

    fn add_values(&mut self, name: impl Into<String>, about: impl Into<String>, values: &Values) {
        let request = self.request(values);
        self.add(name, about, vec![request]);
    }

    /// Replaces the value of a field, and of those that repeat it.
    fn replace(&self, values: &mut Values, i: usize, value: &Json) {
        values[i] = Some(value.clone());
        for (j, original) in self.good.same_as.iter().enumerate() {
            if *original == Some(i) {
                values[j] = Some(value.clone());
            }
        }
    }

    async fn good_ones(&mut self) {
        let values = self.next_values();
        self.add_values("all-fields", "every field, as it should be", &values);
        let mut values = self.next_values();
        for i in 0..values.len() {
            let taken = values[i].take();
            if self.good.judge(&values).await.is_err() {
                values[i] = taken;
            }
        }
        if values.iter().any(Option::is_none) {
            self.add_values("required-only", "only the fields that must be there", &values);
        }
        self.unicode();
        self.bounds("shortest-values", "texts as short as the rules allow", |field, text| {
            let (least, _) = field.lengths();
            (least > 0 && !field.identifies()).then(|| fit(text, least, least))
        });
        self.bounds(
            "longest-values",
            "texts as long as the rules allow, or 100 characters",
            |field, text| {
                let (_, most) = field.lengths();
                let length = if most == usize::MAX { LONG.max(text.chars().count()) } else { most };
                let length = if address(field) { length.min(64 + "@example.com".len()) } else { length };
                Some(fit(text, length, length))
            },
        );
        let values = self.next_values();
        let more = [("vestibule_unknown", json!("x"))];
        let request = compose(&self.contract().register, &values, self.good.media(), &more);
        self.add("unknown-member", "a member that no field names", vec![request]);
    }

    fn unicode(&mut self) {
        let fields = self.fields();
        let mut values = self.next_values();
        let mut changed = false;
        for (i, field) in fields.iter().enumerate() {
            let plain = free_text(field) && !field.identifies() && self.good.same_as[i].is_none();
            let text = text_of(values[i].as_ref());
            let written = if field.is_password() {
                format!("{text}\u{e4}\u{1f600}")
            } else {
                format!("Zoë {text} 李")
            };
            if plain && meets_plain_demands(field, &written) {
                self.replace(&mut values, i, &json!(written));
                changed = true;
            }
        }
        if changed {
            self.add_values("unicode", "letters and signs beyond ASCII", &values);
        }
        for (i, field) in fields.iter().enumerate().filter(|(_, f)| f.identifies() && free_text(f)) {
            let mut values = self.next_values();
            let written = format!("zoë{}", text_of(values[i].as_ref()));
            if !meets_plain_demands(field, &written) {
                continue;
            }
            values[i] = Some(json!(written));
            self.add_values(
                format!("{}-unicode", slug(field)),
                format!("`{}` with a letter beyond ASCII", field.name),
                &values,
            );
        }
        for (i, field) in fields.iter().enumerate().filter(|(_, f)| address(f)) {
            let mut values = self.next_values();
            values[i] = Some(json!(format!("zoë{}", text_of(values[i].as_ref()))));
            self.add_values(
                format!("{}-unicode", slug(field)),
                format!("`{}` with a letter beyond ASCII before the @", field.name),
                &values,
            );
        }
    }

    fn bounds(&mut self, name: &str, about: &str, bound: impl Fn(&Field, &str) -> Option<String>) {
        let fields = self.fields();
        let mut values = self.next_values();
        let mut changed = false;
        for (i, field) in fields.iter().enumerate() {
            let suits = (free_text(field) || address(field)) && self.good.same_as[i].is_none();
            let text = text_of(values[i].as_ref());
            let Some(written) = bound(field, &text).filter(|_| suits) else { continue };
            if written != text && meets_plain_demands(field, &written) {
                self.replace(&mut values, i, &json!(written));
                changed = true;
            }
        }
        if changed {
            self.add_values(name, about, &values);
        }
    }

    /// Each rule broken, and nothing else.
    async fn broken_alone(&mut self) {
        let fields = self.fields();
        for (i, field) in fields.iter().enumerate() {
            for broken in breaks(field, &text_of(self.good.values(self.good.fresh(0))[i].as_ref())) {
                let mut values = self.next_values();
                self.replace(&mut values, i, &broken.value);
                if self.good.judge(&values).await.is_err() {
                    let about = format!("`{}` {}", field.name, broken.about);
                    self.add_values(format!("{}-{}", slug(field), broken.name), about, &values);
                }
            }
            self.broken_check(i, field).await;
        }
    }

    /// A `check` is an expression; what breaks it is found by trying.
    async fn broken_check(&mut self, i: usize, field: &Field) {
        if !field.rules.iter().any(|r| r.check.is_some()) && self.good.same_as[i].is_none() {
            return;
        }
        let good = self.good.values(self.good.fresh(0))[i].clone();
        let text = text_of(good.as_ref());
        let tries = [json!(format!("{text}x")), json!(text.to_uppercase()), json!("1"), json!(0), json!(-1)];
        let tries = tries.into_iter().chain([json!("2999-12-31"), json!("password"), json!("other")]);
        for value in tries.filter(|v| field.json_type().fits(v) && Some(v) != good.as_ref()) {
            if value.as_str().is_some_and(|text| !meets_plain_demands(field, text)) {
                continue;
            }
            let mut values = self.next_values();
            values[i] = Some(value);
            if self.good.judge(&values).await.is_err() {
                let about = format!("`{}` does not pass its check", field.name);
                return self.add_values(format!("{}-check", slug(field)), about, &values);
            }
        }
    }

    fn per_field(&mut self) {
        for (i, field) in self.fields().iter().enumerate() {
            let (slug, name) = (slug(field), &field.name);
            let mut values = self.next_values();
            values[i] = None;
            self.add_values(format!("missing-{slug}"), format!("without `{name}`"), &values);
            let mut values = self.next_values();
            self.replace(&mut values, i, &json!(""));
            self.add_values(format!("empty-{slug}"), format!("`{name}` is \"\""), &values);
            if !self.is_json(field) {
                continue;
            }
            let mut values = self.next_values();
            self.replace(&mut values, i, &Json::Null);
            self.add_values(format!("null-{slug}"), format!("`{name}` is null"), &values);
            for (type_name, _) in wrong_types(field) {
                let mut values = self.next_values();
                let wrong = self.wrong(field, type_name, &values, i);
                self.replace(&mut values, i, &wrong);
                let about = format!("`{name}` is of type {type_name}");
                self.add_values(format!("{slug}-wrong-type-{type_name}"), about, &values);
            }
        }
    }

    /// Whether types other than text can be written for a field.
    fn is_json(&self, field: &Field) -> bool {
        self.good.media() == Media::Json && matches!(field.from, Place::Body(_))
    }

    /// A value of another type that is still unlike those of other accounts, should the old backend accept it.
    fn wrong(&self, field: &Field, type_name: &str, values: &Values, i: usize) -> Json {
        let text = text_of(values[i].as_ref());
        match type_name {
            "number" => json!(self.good.fresh(self.n).number()),
            "boolean" => json!(true),
            "array" => json!([text]),
            "object" => json!({ "value": text }),
            _ if field.json_type() == JsonType::Boolean => json!("perhaps"),
            _ => json!("text"),
        }
    }

    /// Everything wrong at the same time.
    fn together(&mut self) {
        let fields = self.fields();
        let all =
            |values: Values, keep: &dyn Fn(&Field) -> bool, value: &dyn Fn(usize, Json) -> Option<Json>| {
                let pairs = fields.iter().zip(values).enumerate();
                pairs
                    .map(|(i, (f, v))| if keep(f) { v } else { value(i, v.unwrap_or_default()) })
                    .collect::<Values>()
            };
        let outside = |field: &Field| !matches!(field.from, Place::Body(_));
        let values = self.next_values();
        self.add_values("all-missing", "no field at all", &all(values, &outside, &|_, _| None));
        let values = self.next_values();
        let empty = all(values, &outside, &|_, _| Some(json!("")));
        self.add_values("all-empty", "every field is \"\"", &empty);
        let values = self.next_values();
        let broken = all(values.clone(), &outside, &|i, v| {
            let broken = breaks(&fields[i], &text_of(Some(&v))).into_iter().next();
            Some(broken.map_or(v, |b| b.value))
        });
        if broken != values {
            self.add_values("all-rules-broken", "every field breaks a rule", &broken);
        }
        if self.good.media() != Media::Json {
            return;
        }
        let values = self.next_values();
        self.add_values("all-null", "every field is null", &all(values, &outside, &|_, _| Some(Json::Null)));
        let values = self.next_values();
        let number = json!(self.good.fresh(self.n).number());
        let wrong = all(values, &outside, &|i, _| {
            Some(if fields[i].json_type() == JsonType::String { number.clone() } else { json!("text") })
        });
        self.add_values("all-wrong-type", "every field is of another type", &wrong);
    }

    /// Registered, and then again.
    fn duplicates(&mut self) {
        let fields = self.fields();
        let unique: Vec<usize> = (0..fields.len()).filter(|&i| fields[i].identifies()).collect();
        if unique.is_empty() {
            return;
        }
        let values = self.next_values();
        let request = self.request(&values);
        self.add("duplicate", "registered, then once more", vec![request.clone(), request]);
        for &i in &unique {
            let (slug, name) = (slug(&fields[i]), &fields[i].name);
            if unique.len() > 1 {
                let (one, mut two) = (self.next_values(), self.next_values());
                two[i] = one[i].clone();
                let requests = vec![self.request(&one), self.request(&two)];
                self.add(format!("duplicate-{slug}"), format!("only `{name}` is in use"), requests);
            }
            if !matches!(fields[i].into, Some(Meaning::Email | Meaning::Username)) {
                continue;
            }
            let (one, mut two) = (self.next_values(), self.next_values());
            let upper = text_of(one[i].as_ref()).to_uppercase();
            if json!(upper) == one[i].clone().unwrap_or_default() || !meets_plain_demands(&fields[i], &upper)
            {
                continue;
            }
            two[i] = Some(json!(upper));
            let requests = vec![self.request(&one), self.request(&two)];
            let about = format!("registered, then `{name}` once more in capital letters");
            self.add(format!("duplicate-{slug}-other-case"), about, requests);
        }
    }

    fn bodies(&mut self) {
        let values = self.next_values();
        let plain = self.request(&values);
        let with = |body: &'static [u8], accounts: bool| {
            let mut request = plain.clone();
            request.body = Bytes::from_static(body);
            if !accounts {
                request.accounts.clear();
            }
            request
        };
        if self.good.media() == Media::Json {
            self.add("malformed-json", "a body that ends in the middle", vec![with(b"{\"email\": ", false)]);
            self.add("array-body", "an array instead of an object", vec![with(b"[]", false)]);
        }
        self.add("empty-body", "no body at all", vec![with(b"", false)]);
        let mut get = with(b"", false);
        get.method = Method::GET;
        get.headers.remove(CONTENT_TYPE);
        self.add("method-get", "GET instead of POST", vec![get]);
    }

    fn content_types(&mut self) {
        let media = self.good.media();
        let odd = |value: Option<&'static str>| value.map(HeaderValue::from_static);
        let mut types = vec![("none", "a body without a Content-Type", odd(None))];
        types.push(("text-plain", "the body as text/plain", odd(Some("text/plain"))));
        if media == Media::Json {
            let charset = odd(Some("application/json; charset=utf-8"));
            types.push(("with-charset", "application/json with a charset", charset));
        }
        for (name, about, value) in types {
            let values = self.next_values();
            let mut request = self.request(&values);
            match value {
                Some(value) => drop(request.headers.insert(CONTENT_TYPE, value)),
                None => drop(request.headers.remove(CONTENT_TYPE)),
            }
            self.add(format!("content-type-{name}"), about, vec![request]);
        }
        for &other in self.contract().register.accepts.iter().filter(|m| **m != media) {
            let values = self.next_values();
            let good = compose(&self.contract().register, &values, other, &[]);
            self.add(
                format!("{}-all-fields", other.name()),
                format!("every field, as {}", other.name()),
                vec![good],
            );
            let nothing = compose(&self.contract().register, &vec![None; values.len()], other, &[]);
            self.add(
                format!("{}-all-missing", other.name()),
                format!("no field, as {}", other.name()),
                vec![nothing],
            );
        }
    }
}

/// A field's name as part of a case's name.
fn slug(field: &Field) -> String {
    let name: String = field.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    name.trim_matches('-').to_ascii_lowercase()
}

/// The header names that the contract's replies set, beside those that always matter.
pub(super) fn headers_that_matter(contract: &Contract) -> Vec<http::HeaderName> {
    let always = [http::header::SET_COOKIE, http::header::LOCATION, http::header::WWW_AUTHENTICATE];
    let mut names: Vec<http::HeaderName> = always.into_iter().collect();
    for reply in &contract.register.replies {
        names.extend(reply.headers.iter().map(|(name, _)| name.clone()));
    }
    names.retain(|name| *name != CONTENT_TYPE);
    names.sort_by_key(|name| name.as_str().to_owned());
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
