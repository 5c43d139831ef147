//! What a request asks for, whatever proves the work for it.

use super::place::{Place, dig, put};
use super::{Contract, Fields, Request};
use serde_json::Value as Json;
use zeroize::Zeroizing;

impl Contract {
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
