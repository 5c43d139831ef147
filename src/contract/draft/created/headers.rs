//! The headers of a created reply that clients may look at.

use super::super::caution::Caution;
use super::super::guess;
use super::super::pasted::Pasted;
use super::super::token::bearer;
use super::super::tree::plain;
use super::Reader;

/// Headers that the server, a proxy or the connection sets.
const OWN: [&str; 14] = [
    "date",
    "server",
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
    "cache-control",
    "x-content-type-options",
    "referrer-policy",
    "x-request-id",
    "etag",
    "vary",
    "x-powered-by",
    "content-encoding",
];

impl Reader<'_> {
    pub(super) fn headers(&mut self, reply: &Pasted) {
        if self.caution != Caution::None {
            return;
        }
        let (mut left_out, mut cookies) = (Vec::new(), Vec::new());
        for (name, value) in &reply.headers {
            match name.to_ascii_lowercase().as_str() {
                "content-type" => {}
                "set-cookie" => cookies.push(self.cookie(value)),
                "location" => {
                    let pieces = self.pieces(value);
                    self.out.headers.push((name.clone(), vec![plain(&pieces)]));
                }
                lower => match self.out.tokens.iter().find(|t| t.text == bearer(value).1) {
                    Some(token) => {
                        let text = format!("{}{{{{ tokens.{} }}}}", bearer(value).0, token.name);
                        self.out.headers.push((name.clone(), vec![text]));
                    }
                    None if OWN.contains(&lower) => {}
                    None => left_out.push(name.clone()),
                },
            }
        }
        if !cookies.is_empty() {
            self.out.headers.push(("Set-Cookie".to_owned(), cookies));
        }
        if !left_out.is_empty() {
            self.out.notes.push(format!("headers that were left out: {}", left_out.join(", ")));
        }
    }

    fn cookie(&mut self, cookie: &str) -> String {
        let mut out = Vec::new();
        let mut token = None;
        for (i, part) in cookie.split(';').map(str::trim).enumerate() {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if i == 0 {
                token = self.out.tokens.iter().find(|t| t.text == value).map(|t| t.name.clone());
                let value = token.as_ref().map_or(value.to_owned(), |t| format!("{{{{ tokens.{t} }}}}"));
                out.push(format!("{name}={value}"));
                continue;
            }
            match (name.to_ascii_lowercase().as_str(), &token) {
                ("max-age", Some(token)) => {
                    if let Some(t) =
                        self.out.tokens.iter_mut().find(|t| t.name == *token && t.lifetime.is_none())
                    {
                        t.lifetime = value.parse().ok().map(guess::lifetime);
                    }
                    out.push(format!("{name}={{{{ tokens.{token}.lifetime }}}}"));
                }
                ("expires", Some(token)) => {
                    if !cookie.to_ascii_lowercase().contains("max-age") {
                        self.out.notes.push("a cookie's `Expires` was written as `Max-Age`".to_owned());
                        out.push(format!("Max-Age={{{{ tokens.{token}.lifetime }}}}"));
                    }
                }
                _ => out.push(part.to_owned()),
            }
        }
        out.join("; ")
    }
}
