//! Where a field stands in a request.

use serde_json::{Map, Value as Json};
use std::fmt;

/// A place in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path in the body: `user.email`, `formFields[id=email].value`.
    Body(Vec<Step>),
    Query(String),
    Header(http::HeaderName),
    Cookie(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    /// The item of a list whose member has this value.
    Pick {
        member: String,
        value: String,
    },
}

impl Step {
    /// The key, or the item's name in a list of named values (`formFields[id=email].value`).
    fn name(&self) -> Option<&str> {
        match self {
            Step::Key(key) if key == "value" => None,
            Step::Key(key) => Some(key),
            Step::Pick { value, .. } => Some(value),
        }
    }

    /// Whether both steps can lead to the same value. Items that are picked by different members may be one item.
    fn may_be(&self, other: &Step) -> bool {
        match (self, other) {
            (Step::Pick { member: a, value: x }, Step::Pick { member: b, value: y }) => a != b || x == y,
            (a, b) => a == b,
        }
    }
}

impl Place {
    /// Reads `from`. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Place, &'static str> {
        let place = match text.split_once(':') {
            Some(("query", name)) => Place::Query(name.to_owned()),
            Some(("cookie", name)) => Place::Cookie(name.to_owned()),
            Some(("header", name)) => {
                Place::Header(name.parse().map_err(|_| "this is not a header name; letters, digits and `-`")?)
            }
            _ => Place::Body(steps(text)?),
        };
        match &place {
            Place::Query(name) | Place::Cookie(name) if name.is_empty() => {
                Err("a name is missing after the colon")
            }
            _ => Ok(place),
        }
    }

    /// By what name the value stands in the request.
    pub(crate) fn last_name(&self) -> &str {
        match self {
            Place::Query(name) | Place::Cookie(name) => name,
            Place::Header(name) => name.as_str(),
            Place::Body(steps) => steps.iter().rev().find_map(Step::name).unwrap_or_default(),
        }
    }

    /// Whether what stands in `other` may be what stands here, or lie inside it.
    pub(crate) fn holds(&self, other: &Place) -> bool {
        match (self, other) {
            (Place::Body(a), Place::Body(b)) => {
                a.len() <= b.len() && a.iter().zip(b).all(|(a, b)| a.may_be(b))
            }
            (a, b) => a == b,
        }
    }

    /// The member of the body in which this place lies, if it lies in the body.
    pub(crate) fn first_key(&self) -> Option<&str> {
        match self {
            Place::Body(steps) => match steps.first() {
                Some(Step::Key(key)) => Some(key),
                _ => None,
            },
            _ => None,
        }
    }
}

/// As `from` writes it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = match self {
            Place::Body(steps) => steps,
            Place::Query(name) => return write!(f, "query:{name}"),
            Place::Header(name) => return write!(f, "header:{name}"),
            Place::Cookie(name) => return write!(f, "cookie:{name}"),
        };
        for (i, step) in steps.iter().enumerate() {
            match step {
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Pick { member, value } => write!(f, "[{member}={value}]")?,
            }
        }
        Ok(())
    }
}

fn steps(text: &str) -> Result<Vec<Step>, &'static str> {
    const SELECT: &str = "an item of a list is selected with [member=value]";
    let (mut out, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (select, after) = inner.split_once(']').ok_or(SELECT)?;
            let (member, value) = select.split_once('=').ok_or(SELECT)?;
            out.push(Step::Pick { member: member.to_owned(), value: value.to_owned() });
            rest = after.strip_prefix('.').unwrap_or(after);
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        if end == 0 {
            return Err("a name is missing between two dots");
        }
        out.push(Step::Key(rest[..end].to_owned()));
        rest = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
    }
    if out.is_empty() { Err("a place is missing") } else { Ok(out) }
}

/// The value at the end of `steps`, if there is one.
pub(crate) fn dig<'j>(json: &'j Json, steps: &[Step]) -> Option<&'j Json> {
    steps.iter().try_fold(json, |json, step| match step {
        Step::Key(key) => json.get(key),
        Step::Pick { member, value } => {
            json.as_array()?.iter().find(|item| item.get(member).and_then(Json::as_str) == Some(value))
        }
    })
}

/// Writes a value at the end of `steps`, making what is missing on the way.
pub(crate) fn put(json: &mut Json, steps: &[Step], value: Json) {
    let Some((step, rest)) = steps.split_first() else {
        *json = value;
        return;
    };
    match step {
        Step::Key(key) => {
            if !json.is_object() {
                *json = Json::Object(Map::new());
            }
            if let Json::Object(members) = json {
                put(members.entry(key).or_insert(Json::Null), rest, value);
            }
        }
        Step::Pick { member, value: picked } => {
            if !json.is_array() {
                *json = Json::Array(Vec::new());
            }
            if let Json::Array(items) = json {
                let is_picked = |item: &Json| item.get(member).and_then(Json::as_str) == Some(picked);
                let at = items.iter().position(is_picked).unwrap_or_else(|| {
                    items.push(Json::from_iter([(member.as_str(), picked.as_str())]));
                    items.len() - 1
                });
                put(&mut items[at], rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_put_is_found() {
        let mut body = Json::Null;
        for (i, text) in
            ["user.email", "user.name", "form[id=a].value", "form[id=b].value"].iter().enumerate()
        {
            let Ok(Place::Body(steps)) = Place::parse(text) else { panic!("{text}") };
            put(&mut body, &steps, json!(i));
            assert_eq!(dig(&body, &steps), Some(&json!(i)), "{text}");
        }
        let form = json!([{ "id": "a", "value": 2 }, { "id": "b", "value": 3 }]);
        assert_eq!(body, json!({ "user": { "email": 0, "name": 1 }, "form": form }));
    }

    #[test]
    fn places() {
        let body = json!({ "user": { "email": 1 }, "formFields": [{ "id": "email", "value": 2 }] });
        let dug = |text| match Place::parse(text).unwrap() {
            Place::Body(steps) => dig(&body, &steps).cloned(),
            _ => None,
        };
        assert_eq!(dug("user.email"), Some(json!(1)));
        assert_eq!(dug("formFields[id=email].value"), Some(json!(2)));
        assert_eq!(dug("formFields[id=phone].value"), None);
        assert!(matches!(Place::parse("header:X-Y"), Ok(Place::Header(_))));
        for text in ["user.email", "formFields[id=email].value", "query:x", "header:x-y", "cookie:z"] {
            assert_eq!(Place::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", ".a", "a..b", "a[b]", "a[b", "header:a b", "query:"] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn places_that_hold_others() {
        let holds = |a, b| Place::parse(a).unwrap().holds(&Place::parse(b).unwrap());
        for (a, b) in [
            ("user", "user"),
            ("user", "user.password"),
            ("f", "f[id=a].value"),
            ("f[id=a].value", "f[name=b].value"),
            ("f[id=a]", "f[id=a].value"),
            ("header:X-Y", "header:x-y"),
        ] {
            assert!(holds(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("user.password", "user"),
            ("user.email", "user.password"),
            ("users", "user"),
            ("f[id=a].value", "f[id=b].value"),
            ("f[id=a].value", "f[name=b].name"),
            ("query:x", "x"),
            ("cookie:x", "cookie:X"),
        ] {
            assert!(!holds(a, b), "{a} {b}");
        }
    }
}
