//! What the fields of a decoded request stand for: the account that is asked for, what only one account may have, the
//! proof of work; and what of them is kept.

use super::fields::{Fields, echo, password_of, unknown_members};
use super::guard;
use super::operation::{Contract, Unknown};
use super::place::{Place, dig, put};
use super::request::Request;
use crate::user::{Meaning, Submitted};
use serde_json::{Map, Number, Value as Json};
use zeroize::{Zeroize as _, Zeroizing};

impl Contract {
    /// What the fields mean; the rest of the body too, when the contract keeps it.
    pub fn submitted(&self, fields: &Fields) -> Submitted {
        let mut out = Submitted::default();
        for (field, input) in self.register.fields.iter().zip(&fields.inputs) {
            let Some(meaning) = &field.into else { continue };
            let Some(value) = input.as_ref().filter(|v| !v.is_null()) else { continue };
            let text = || value.as_str().map(str::to_owned);
            match meaning {
                Meaning::Email => out.email = text(),
                Meaning::Username => out.username = text(),
                Meaning::Password => out.password = text(),
                Meaning::Name => out.name = text(),
                Meaning::FirstName => out.first_name = text(),
                Meaning::LastName => out.last_name = text(),
                Meaning::Id => out.id = text().filter(|id| !id.is_empty()),
                Meaning::Extra(name) => drop(out.extra.insert(name.clone(), value.clone())),
            }
        }
        let password = password_of(&self.register, fields);
        out.extra.values_mut().for_each(|value| *value = guard::without_passwords(value, password));
        if self.register.unknown == Unknown::Keep {
            // Under the name of a stored value only its field may store something: the rules have seen no other.
            let is_stored = |key: &str| {
                let extras = self.register.fields.iter().filter_map(|field| field.into.as_ref());
                extras.into_iter().any(|meaning| matches!(meaning, Meaning::Extra(name) if name == key))
            };
            for (key, value) in
                unknown_members(&self.register, &fields.body).filter(|(key, _)| !is_stored(key))
            {
                if let Some(value) = guard::harmless(key, value, password) {
                    out.extra.entry(key).or_insert(value);
                }
            }
        }
        out
    }

    /// The unique claims that these fields will make: kinds and values, for an early look-up. Only values whose
    /// normalised form is the value itself are listed here; addresses and names are claimed by their own types.
    pub fn unique_extras(&self, fields: &Fields) -> Vec<(String, String)> {
        let unique = self.register.fields.iter().zip(&fields.inputs);
        let password = password_of(&self.register, fields);
        unique
            .filter(|(field, _)| {
                matches!(field.into, Some(Meaning::Extra(_))) && field.rules.iter().any(|r| r.unique)
            })
            .filter_map(|(field, input)| {
                let value = match input.as_ref()? {
                    Json::Null => return None,
                    Json::String(text) => text.clone(),
                    Json::Number(number) => decimal(number),
                    // As it is stored.
                    other => guard::without_passwords(other, password).to_string(),
                };
                Some((field.into.as_ref()?.to_string(), value))
            })
            .collect()
    }

    /// What was sent as a proof of work.
    pub fn proof<'f>(&self, fields: &'f Fields) -> Option<&'f str> {
        let mut pairs = self.register.fields.iter().zip(&fields.inputs);
        pairs.find(|(field, _)| field.proves()).and_then(|(_, input)| input.as_ref()?.as_str())
    }

    /// What is still needed once everything was understood: the fields, and of the body only what replies show. A request
    /// waits for its hash together with this, and a tree of small values takes far more memory than the text it was. The
    /// password and what only rules see go before that wait; their memory is wiped, and that of the body.
    pub fn kept(&self, mut fields: Fields) -> Fields {
        let password = password_of(&self.register, &fields).map(|text| Zeroizing::new(text.to_owned()));
        let password = password.as_deref().map(String::as_str);
        let empty = || Json::Object(Map::new());
        let body = if self.register.echoes_body { echo(&self.register, &fields) } else { empty() };
        wipe(&mut fields.body);
        for (field, input) in self.register.fields.iter().zip(&mut fields.inputs) {
            if let (Some(Meaning::Extra(_)), Some(value)) = (&field.into, input) {
                *value = guard::without_passwords(value, password);
            }
        }
        for (field, input) in self.register.fields.iter().zip(&mut fields.inputs) {
            let is_stored = field.into.is_some() && !field.is_password();
            if field.secret && !is_stored && !field.proves() {
                input.iter_mut().for_each(wipe);
                *input = None;
            }
        }
        Fields { body, ..fields }
    }

    /// What a client wrote as one text, the same whenever the same is written again: the whole body, and the fields
    /// that come from elsewhere. The spacing of JSON and the boundary of a multipart body make no difference. The
    /// password is in it.
    pub fn written(&self, request: Request<'_>, fields: &Fields) -> Zeroizing<String> {
        let elsewhere = self.register.fields.iter();
        let elsewhere = elsewhere.map(|field| request.beside_body(&field.from).unwrap_or_default());
        let elsewhere: Json = elsewhere.collect();
        Zeroizing::new(format!("{}{elsewhere}", fields.body))
    }

    /// [`Contract::written`] with another value, or none, in the place of a proof of work: it says nothing about what is asked
    /// for, and whoever sends a request again may have had to make a new one.
    pub fn asked(&self, request: Request<'_>, fields: &Fields) -> Zeroizing<String> {
        match self.register.fields.iter().find(|field| field.proves()).map(|field| &field.from) {
            Some(Place::Body(steps)) if dig(&fields.body, steps).is_some() => {
                let mut fields = fields.clone();
                put(&mut fields.body, steps, Json::Null);
                self.written(request, &fields)
            }
            Some(Place::Header(name)) => {
                let mut headers = request.headers.clone();
                headers.remove(name);
                self.written(Request { headers: &headers, ..request }, fields)
            }
            _ => self.written(request, fields),
        }
    }
}

/// One text for each number, however it is written: 5 and 5.0 are one (JSON Schema 2020-12, section 6.3 of its core).
fn decimal(number: &Number) -> String {
    let signed = -(2_f64.powi(63))..2_f64.powi(63);
    match number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0) {
        Some(whole) if signed.contains(&whole) => (whole as i64).to_string(),
        Some(whole) if whole > 0.0 && whole < 2_f64.powi(64) => (whole as u64).to_string(),
        _ => number.to_string(),
    }
}

/// Overwrites every text in it.
fn wipe(tree: &mut Json) {
    match tree {
        Json::String(text) => text.zeroize(),
        Json::Array(items) => items.iter_mut().for_each(wipe),
        Json::Object(members) => members.values_mut().for_each(wipe),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
