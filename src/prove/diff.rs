//! Two answers compared: status, content type, the headers that matter, and the body as a tree.
//!
//! What Vestibule itself answers differently each time is known from a second Vestibule, with another clock and other
//! dice, that gets the same requests: only there is a value compared by kind.

use super::exchange::Answer;
use super::mask::{Jwt, Kind, Recipes, describe, is_like, number, span};
use super::request::Outgoing;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

/// The longest value that is told in full.
const SHOWN: usize = 120;
/// Seconds by which the lifetimes of two tokens may differ: they are made a moment apart.
const MOMENT: i64 = 2;

/// One place at which the answers differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where: `status`, `header location`, `$.errors[0].msg`.
    pub at: String,
    /// What the old backend has there.
    pub old: String,
    /// What Vestibule has there.
    pub new: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: old {}, Vestibule {}", self.at, self.old, self.new)
    }
}

/// One place at which the answers were compared by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// Where.
    pub at: String,
    /// As what.
    pub kind: String,
}

/// What a comparison finds.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    pub(super) differences: Vec<Difference>,
    pub(super) masked: Vec<Masked>,
}

/// How answers of one contract are compared.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) recipes: Recipes,
    pub(super) headers: Vec<HeaderName>,
}

impl Rules {
    /// Compares the old answer to a request with Vestibule's; `twin` is what the second Vestibule said.
    pub(super) fn compare(&self, request: &Outgoing, old: &Answer, new: &Answer, twin: &Answer) -> Findings {
        let mut diff = Diff { rules: self, request, old: old.at, new: new.at, found: Findings::default() };
        if old.status != new.status {
            diff.differs("status", old.status.to_string(), new.status.to_string());
        }
        // An account on one side and a refusal on the other: the rest differs by necessity.
        if old.status / 100 == new.status / 100 {
            diff.content_type(old, new);
            let headers = |answer: &Answer| self.tree(&answer.headers);
            diff.members("header", &headers(old), &headers(new), Some(&headers(twin)));
            diff.body(old, new, twin);
        }
        diff.found
    }

    /// The headers that matter, as a tree.
    fn tree(&self, headers: &HeaderMap) -> Map<String, Json> {
        let mut out = Map::new();
        for name in &self.headers {
            let lines: Vec<String> = headers
                .get_all(name)
                .iter()
                .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
                .collect();
            if *name == http::header::SET_COOKIE {
                out.extend(lines.iter().map(|line| cookie(line)));
            } else if !lines.is_empty() {
                out.insert(name.to_string(), json!(lines.join(", ")));
            }
        }
        out
    }
}

/// `Set-Cookie` (RFC 6265, section 4.1): attributes without regard to case or order.
fn cookie(line: &str) -> (String, Json) {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next().unwrap_or_default().split_once('=').unwrap_or_default();
    let mut attributes: Vec<(String, Json)> = parts
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) => (name.trim().to_ascii_lowercase(), json!(value.trim())),
            None => (part.to_ascii_lowercase(), json!(true)),
        })
        .collect();
    attributes.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = Map::new();
    out.insert("value".to_owned(), json!(value));
    out.extend(attributes);
    (format!("set-cookie {name}"), Json::Object(out))
}

struct Diff<'r> {
    rules: &'r Rules,
    request: &'r Outgoing,
    /// When each side answered.
    old: Timestamp,
    new: Timestamp,
    found: Findings,
}

impl Diff<'_> {
    fn differs(&mut self, at: &str, old: impl Into<String>, new: impl Into<String>) {
        self.found.differences.push(Difference { at: at.to_owned(), old: old.into(), new: new.into() });
    }

    /// A value as a difference tells it.
    fn told(&self, value: &Json) -> String {
        self.short(&value.to_string())
    }

    fn quoted(&self, text: &str) -> String {
        self.told(&Json::from(text))
    }

    /// The beginning, without what must not be shown.
    fn short(&self, text: &str) -> String {
        let text = self.request.shown_answer(text);
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}..", &text[..end]),
            None => text,
        }
    }

    fn masked(&mut self, at: &str, kind: impl Into<String>) {
        self.found.masked.push(Masked { at: at.to_owned(), kind: kind.into() });
    }

    fn content_type(&mut self, old: &Answer, new: &Answer) {
        let empty = |answer: &Answer| answer.body.as_ref().is_none_or(|b| b.is_empty());
        if empty(old) && empty(new) {
            return;
        }
        let essence = |answer: &Answer| {
            let value = answer.headers.get(http::header::CONTENT_TYPE)?;
            let text = String::from_utf8_lossy(value.as_bytes());
            Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        };
        let (one, two) = (essence(old), essence(new));
        if one != two {
            let told = |essence: Option<String>| essence.unwrap_or_else(|| "none".to_owned());
            self.differs("content type", told(one), told(two));
        }
    }

    fn body(&mut self, old: &Answer, new: &Answer, twin: &Answer) {
        let Some(old_bytes) = &old.body else { return };
        let text = |answer: &Answer| {
            String::from_utf8_lossy(answer.body.as_deref().unwrap_or_default()).into_owned()
        };
        let (one, two) = (String::from_utf8_lossy(old_bytes).into_owned(), text(new));
        let tree = |text: &str| serde_json::from_str::<Json>(text).ok();
        match (tree(&one), tree(&two)) {
            (Some(one), Some(two)) => self.value("$", &one, &two, tree(&text(twin)).as_ref()),
            (None, None) => self.lines(one.trim_end(), two.trim_end(), text(twin).trim_end()),
            (old_tree, _) => {
                let kind = |is_tree: bool, text: &str| match (is_tree, text.is_empty()) {
                    (_, true) => "nothing".to_owned(),
                    (true, _) => format!("JSON {}", self.short(text)),
                    (false, _) => format!("text {}", self.short(text)),
                };
                let is_tree = old_tree.is_some();
                let (one, two) = (kind(is_tree, &one), kind(!is_tree, &two));
                self.differs("body", one, two);
            }
        }
    }

    /// Text that is no JSON, line by line.
    fn lines(&mut self, old: &str, new: &str, twin: &str) {
        if old == new {
            return;
        }
        let (ours, twins): (Vec<&str>, Vec<&str>) = (new.lines().collect(), twin.lines().collect());
        let theirs: Vec<&str> = old.lines().collect();
        if theirs.len() != ours.len() {
            let lines = |lines: &[&str], text: &str| format!("{} lines: {}", lines.len(), self.short(text));
            let (one, two) = (lines(&theirs, old), lines(&ours, new));
            return self.differs("body", one, two);
        }
        for (i, (one, two)) in theirs.iter().zip(&ours).enumerate() {
            let volatile = twins.get(i).is_some_and(|twin| twin != two);
            self.text(&format!("body line {}", i + 1), one, two, volatile.then(|| twins[i]));
        }
    }

    fn value(&mut self, at: &str, old: &Json, new: &Json, twin: Option<&Json>) {
        match (old, new) {
            (Json::Object(one), Json::Object(two)) => {
                self.members(at, one, two, twin.and_then(Json::as_object));
            }
            (Json::Array(one), Json::Array(two)) => {
                self.items(at, one, two, twin.and_then(Json::as_array).map(Vec::as_slice));
            }
            (Json::String(one), Json::String(two)) => {
                let twin = twin.and_then(Json::as_str).filter(|twin| twin != two);
                self.text(at, one, two, twin);
            }
            (Json::Number(one), Json::Number(two)) => {
                let volatile = twin.is_some_and(|twin| twin != new);
                let (kind_one, kind_two) = (number(one, self.old), number(two, self.new));
                if volatile && kind_one.is_like(&kind_two) {
                    self.masked(at, kind_two.to_string());
                } else if volatile {
                    self.differs(at, format!("{one} ({kind_one})"), format!("{two} ({kind_two})"));
                } else if one.as_f64() != two.as_f64() || one.as_f64().is_none() && one != two {
                    self.differs(at, one.to_string(), two.to_string());
                }
            }
            _ if old == new => {}
            _ => {
                let (one, two) = (self.told(old), self.told(new));
                self.differs(at, one, two);
            }
        }
    }

    /// A text; `twin` is the second Vestibule's when that one wrote something else.
    fn text(&mut self, at: &str, old: &str, new: &str, twin: Option<&str>) {
        let Some(twin) = twin else {
            if old != new {
                let (one, two) = (self.quoted(old), self.quoted(new));
                self.differs(at, one, two);
            }
            return;
        };
        if let Some(new_token) = Jwt::read(new) {
            return match Jwt::read(old) {
                Some(old_token) => self.tokens(at, &old_token, &new_token, Jwt::read(twin).as_ref()),
                None => {
                    let one = self.quoted(old);
                    self.differs(at, one, new_token.describe(self.new));
                }
            };
        }
        let kinds = |text: &str, at: Timestamp| self.rules.recipes.kinds(text, at);
        let (one, two) = (kinds(old, self.old), kinds(new, self.new));
        if is_like(&one, &two) {
            return self.masked(at, describe(&two));
        }
        let told = |text: &str, kinds: &[Kind]| format!("{} ({})", self.quoted(text), describe(kinds));
        let (one, two) = (told(old, &one), told(new, &two));
        self.differs(at, one, two);
    }

    fn tokens(&mut self, at: &str, old: &Jwt, new: &Jwt, twin: Option<&Jwt>) {
        let before = self.found.differences.len();
        if old.algorithm != new.algorithm {
            self.differs(&format!("{at} alg"), &*old.algorithm, &*new.algorithm);
        }
        if old.issued.is_some() != new.issued.is_some() {
            let told = |issued: Option<i64>| if issued.is_some() { "a time" } else { "nothing" };
            self.differs(&format!("{at} claims.iat"), told(old.issued), told(new.issued));
        }
        if let (Some(one), Some(two)) = (old.issued, new.issued) {
            let time = |seconds: i64, at: Timestamp| number(&seconds.into(), at);
            let (one, two) = (time(one, self.old), time(two, self.new));
            if !one.is_like(&two) {
                self.differs(&format!("{at} claims.iat"), one.to_string(), two.to_string());
            }
        }
        let (one, two) = (old.lifetime(self.old), new.lifetime(self.new));
        let same = one.zip(two).is_some_and(|(one, two)| (one - two).abs() <= MOMENT);
        if !same && one != two {
            let told = |lifetime: Option<i64>| lifetime.map_or("no expiry".to_owned(), span);
            self.differs(&format!("{at} exp - iat"), told(one), told(two));
        }
        self.members(&format!("{at} claims"), &old.claims, &new.claims, twin.map(|t| &t.claims));
        if self.found.differences.len() == before {
            self.masked(at, new.describe(self.new));
        }
    }

    fn members(
        &mut self,
        at: &str,
        old: &Map<String, Json>,
        new: &Map<String, Json>,
        twin: Option<&Map<String, Json>>,
    ) {
        let place = |key: &str| member(at, key);
        let twin = |key: &str| twin.and_then(|t| t.get(key));
        for (key, two) in new {
            if let Some(one) = old.get(key) {
                self.value(&place(key), one, two, twin(key));
            }
        }
        let mut extra: Vec<(&String, &Json)> =
            old.iter().filter(|(key, _)| !new.contains_key(*key)).collect();
        for (key, two) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
            // A member that is missing here and one like it that is too much there: it has another name.
            let renamed = extra.iter().position(|(_, one)| self.alike(one, two, twin(key)));
            match renamed.map(|i| extra.remove(i)) {
                Some((name, _)) => {
                    self.differs(&place(key), format!("calls it {name:?}"), format!("{key:?}"));
                }
                None => {
                    let two = self.told(two);
                    self.differs(&place(key), "has none", two);
                }
            }
        }
        for (key, one) in extra {
            let one = self.told(one);
            self.differs(&place(key), one, "has none");
        }
    }

    fn items(&mut self, at: &str, old: &[Json], new: &[Json], twin: Option<&[Json]>) {
        let twin = |i: usize| twin.and_then(|t| t.get(i));
        if old.len() == new.len() {
            for (i, (one, two)) in old.iter().zip(new).enumerate() {
                self.value(&format!("{at}[{i}]"), one, two, twin(i));
            }
            return;
        }
        let pairs = self.common(old, new, &twin);
        for (i, one) in old.iter().enumerate().filter(|(i, _)| !pairs.iter().any(|(o, _)| o == i)) {
            let one = self.told(one);
            self.differs(&format!("{at}[{i}]"), one, "has no such item");
        }
        for (i, two) in new.iter().enumerate().filter(|(i, _)| !pairs.iter().any(|(_, n)| n == i)) {
            let two = self.told(two);
            self.differs(&format!("{at}[{i}]"), "has no such item", two);
        }
    }

    /// The longest row of items that stand in both lists, in order.
    fn common<'t>(
        &self,
        old: &[Json],
        new: &[Json],
        twin: &impl Fn(usize) -> Option<&'t Json>,
    ) -> Vec<(usize, usize)> {
        let mut longest = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
        for (o, one) in old.iter().enumerate().rev() {
            for (n, two) in new.iter().enumerate().rev() {
                longest[o][n] = match self.alike(one, two, twin(n)) {
                    true => longest[o + 1][n + 1] + 1,
                    false => longest[o + 1][n].max(longest[o][n + 1]),
                };
            }
        }
        let (mut o, mut n, mut pairs) = (0, 0, Vec::new());
        while o < old.len() && n < new.len() {
            if self.alike(&old[o], &new[n], twin(n)) {
                pairs.push((o, n));
                (o, n) = (o + 1, n + 1);
            } else if longest[o + 1][n] >= longest[o][n + 1] {
                o += 1;
            } else {
                n += 1;
            }
        }
        pairs
    }

    fn alike(&self, old: &Json, new: &Json, twin: Option<&Json>) -> bool {
        let mut diff = Diff { found: Findings::default(), ..*self };
        diff.value("", old, new, twin);
        diff.found.differences.is_empty()
    }
}

/// The place of a member: `$.user.id`, `$["a b"]`.
fn member(at: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    match at {
        "header" => format!("{at} {key}"),
        _ if plain => format!("{at}.{key}"),
        _ => format!("{at}[{}]", Json::from(key)),
    }
}

#[cfg(test)]
mod tests;
