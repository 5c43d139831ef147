//! The tokens of a created reply: JWTs, random texts and cookies, and how long they live.

use super::super::caution::Caution;
use super::super::guess::{self, folded};
use super::super::pasted::Pasted;
use super::super::token::{Make, TokenDraft, bearer, is_lifetime, whole};
use super::super::tree::Node;
use super::{Reader, as_text};
use serde_json::{Map, Value as Json};

impl Reader<'_> {
    /// First of all the tokens, so that everything that is about them finds them.
    pub(super) fn tokens(&mut self, key: &str, json: &Json) {
        match json {
            Json::Object(members) => members.iter().for_each(|(key, value)| self.tokens(key, value)),
            Json::Array(items) => items.iter().for_each(|item| self.tokens(key, item)),
            Json::String(text) => {
                self.token(key, bearer(text).1, &format!("`{key}` of the created example"));
            }
            _ => {}
        }
    }

    /// Makes a token of a text that looks like one.
    fn token(&mut self, key: &str, text: &str, place: &str) {
        let is_id = self.id.as_ref().and_then(Json::as_str) == Some(text);
        let sent = self.fields.iter().any(|f| f.sample.as_str() == Some(text));
        let known = self.out.tokens.iter().any(|t| t.text == text);
        if self.caution == Caution::Literal || is_id || sent || known {
            return;
        }
        let (make, lifetime, note) = if let Some(claims) = guess::claims(text) {
            let (node, lifetime) = self.claims(&claims);
            let seconds = lifetime.map_or_else(String::new, |l| format!(", which ends after {l} seconds"));
            (Make::Claims(node), lifetime, format!("{place} is a JWT{seconds}"))
        } else if guess::is_token(key, text) {
            let (recipe, longer) = guess::token_recipe(text);
            let why = if longer { "; made longer, because a shorter one can be guessed" } else { "" };
            (Make::Random(recipe), None, format!("{place} looks like random text{why}"))
        } else {
            return;
        };
        let name = self.token_name(key);
        let lifetime = lifetime.map(guess::lifetime);
        self.out.tokens.push(TokenDraft { name, make, lifetime, note, text: text.to_owned() });
    }

    fn token_name(&self, key: &str) -> String {
        let key = folded(key);
        let names = ["refresh", "csrf", "xsrf", "session", "verification", "api"];
        let name = names.into_iter().find(|name| key.contains(name)).unwrap_or("access");
        let free = |name: &str| !self.out.tokens.iter().any(|t| t.name == name);
        let numbered = (2..).map(|n| format!("{name}{n}"));
        std::iter::once(name.to_owned()).chain(numbered).find(|n| free(n)).unwrap_or_default()
    }

    /// Claims with their values replaced; `iat` and `exp` are appended when a token is made.
    fn claims(&mut self, claims: &Map<String, Json>) -> (Node, Option<i64>) {
        let seconds = |name: &str| claims.get(name).and_then(Json::as_i64);
        let lifetime = seconds("exp").and_then(|exp| Some(exp - seconds("iat").or(seconds("nbf"))?));
        let kept = claims.iter().filter(|(name, _)| !matches!(name.as_str(), "iat" | "exp"));
        let mut members = Vec::new();
        for (name, value) in kept {
            let node = match (name.as_str(), value) {
                ("nbf", Json::Number(_)) => Node::Hole("now | seconds".to_owned()),
                ("jti", Json::String(_)) => Node::text("random.uuid"),
                ("sub", Json::String(text)) if self.id.as_ref().map(as_text).as_ref() == Some(text) => {
                    Node::text("user.id")
                }
                _ => self.node(name, value),
            };
            members.push((name.clone(), node));
        }
        (Node::Map(members), lifetime)
    }

    pub(super) fn cookies(&mut self, reply: &Pasted) {
        for (_, cookie) in reply.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let Some((name, rest)) = cookie.split_once('=') else { continue };
            let value = rest.split(';').next().unwrap_or_default();
            // Whatever a cookie holds that nobody can guess is a session.
            let key = if guess::is_token(name, value) { name } else { "session" };
            self.token(key, value, &format!("the cookie `{name}`"));
        }
    }

    /// What says how long a token lives without being inside of one.
    pub(super) fn lifetimes(&mut self, key: &str, json: &Json) {
        match json {
            Json::Object(members) => members.iter().for_each(|(key, value)| self.lifetimes(key, value)),
            Json::Array(items) => items.iter().for_each(|item| self.lifetimes(key, item)),
            value if is_lifetime(key) => self.expires = self.expires.or(whole(value)),
            _ => {}
        }
    }

    pub(super) fn default_lifetimes(&mut self) {
        let expires = self.expires.map(guess::lifetime);
        for token in self.out.tokens.iter_mut().filter(|t| t.lifetime.is_none()) {
            let said = expires.clone().filter(|_| token.name != "refresh");
            if said.is_none() {
                token.note.push_str("; nothing says how long it lives: an hour?");
            }
            token.lifetime = Some(said.unwrap_or_else(|| "1h".to_owned()));
        }
    }
}
