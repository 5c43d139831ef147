//! A request as the contract reads it, and what is read of it beside its body.

use super::place::Place;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value as Json;

/// A request as the contract reads it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// The query string, without the question mark.
    pub query: Option<&'r str>,
    /// All headers.
    pub headers: &'r HeaderMap,
    /// The whole body.
    pub body: &'r Bytes,
}

impl Request<'_> {
    /// Whether more than one value stands at a place that is a parameter or a header: readers disagree about which counts. (Of
    /// cookies of one name browsers send several on purpose, that of the nearest path first; RFC 6265, section 5.4.)
    pub(super) fn is_twofold(&self, place: &Place) -> bool {
        match place {
            Place::Query(name) => {
                let pairs = form_urlencoded::parse(self.query.unwrap_or_default().as_bytes());
                pairs.filter(|(key, _)| key == name).nth(1).is_some()
            }
            Place::Header(name) => self.headers.get_all(name).iter().nth(1).is_some(),
            Place::Body(_) | Place::Cookie(_) => false,
        }
    }

    /// What stands at a place, unless that lies in the body.
    pub(crate) fn beside_body(&self, place: &Place) -> Option<Json> {
        match place {
            Place::Body(_) => None,
            Place::Query(name) => query(self.query, name),
            Place::Header(name) => header(self.headers, name).map(Json::String),
            Place::Cookie(name) => cookie(self.headers, name).map(Json::String),
        }
    }
}

fn query(query: Option<&str>, name: &str) -> Option<Json> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| Json::String(value.into_owned()))
}

/// A header as text; one that is not UTF-8 counts as absent.
pub(super) fn header(headers: &HeaderMap, name: &http::HeaderName) -> Option<String> {
    headers.get(name).and_then(|v| std::str::from_utf8(v.as_bytes()).ok()).map(str::to_owned)
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = headers.get_all(http::header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    let mut pairs = pairs.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| {
        let value = value.trim_matches('"');
        percent_encoding::percent_decode_str(value)
            .decode_utf8()
            .map_or_else(|_| value.to_owned(), Into::into)
    })
}
