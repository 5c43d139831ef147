//! The expression engine: MiniJinja with exactly the filters, tests and functions of the contract language.

use super::values::{Absent, Room, Time};
use super::write;
use crate::contract::language::duration;
use crate::user::Password;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, filters};
use regex::Regex;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{LazyLock, Mutex};

/// Filters of the language.
pub(crate) const FILTERS: [&str; 20] = [
    "after",
    "base64",
    "by",
    "capitalize",
    "date",
    "items",
    "join",
    "json",
    "length",
    "list",
    "lower",
    "map",
    "millis",
    "replace",
    "seconds",
    "select",
    "selectattr",
    "trim",
    "upper",
    "urlencode",
];
/// Tests of the language, as in `value is none`.
pub(crate) const TESTS: [&str; 7] =
    ["common_password", "defined", "in", "matching", "none", "string", "undefined"];
/// Functions of the language.
pub(crate) const FUNCTIONS: [&str; 1] = ["similar"];

/// Instructions one expression may take.
const FUEL: u64 = 20_000;
/// Text that a filter may produce.
const MOST_TEXT: usize = 64 * 1024;

/// The one engine: immutable, shared by all contracts.
pub(crate) static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(engine);

fn engine() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(16);
    engine.add_filter("by", by);
    engine.add_filter("date", date);
    engine.add_filter("after", after);
    engine.add_filter("millis", |v: Value| time(&v).map(Timestamp::as_millisecond));
    engine.add_filter("seconds", |v: Value| time(&v).map(Timestamp::as_second));
    engine.add_filter("base64", |v: Value| text(&v).map(|t| base64(&t)));
    engine.add_filter("json", |v: Value| {
        let mut out = String::new();
        write::json(&mut out, &v, 0).map(|()| out)
    });
    engine.add_filter("urlencode", |v: Value| {
        text(&v).map(|t| {
            percent_encoding::utf8_percent_encode(&t, percent_encoding::NON_ALPHANUMERIC).to_string()
        })
    });
    engine.add_filter("lower", |v: Value| changed(v, |t| Ok(t.to_lowercase())));
    engine.add_filter("upper", |v: Value| changed(v, |t| Ok(t.to_uppercase())));
    engine.add_filter("capitalize", |v: Value| changed(v, |t| Ok(capitalize(t))));
    engine.add_filter("trim", |v: Value| changed(v, |t| Ok(t.trim().to_owned())));
    engine.add_filter("replace", replace);
    engine.add_filter("map", filters::map);
    engine.add_filter("join", join);
    engine.add_filter("length", length);
    engine.add_filter("select", filters::select);
    engine.add_filter("selectattr", filters::selectattr);
    engine.add_filter("list", filters::list);
    engine.add_filter("items", filters::items);
    engine.add_test("in", contained);
    engine.add_test("undefined", absent);
    engine.add_test("defined", |v: &Value| !absent(v));
    engine.add_test("string", |v: &Value| v.as_str().is_some());
    engine.add_test("none", |v: &Value| v.is_none());
    engine.add_test("common_password", |v: &Value| v.as_str().is_some_and(common_password));
    let patterns: Mutex<HashMap<String, Regex>> = Mutex::default();
    engine.add_test("matching", move |v: &Value, pattern: &str| matching(&patterns, v, pattern));
    engine.add_function("similar", similar);
    engine
}

fn refuse<T>(what: impl Into<std::borrow::Cow<'static, str>>) -> Result<T, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, what))
}

fn absent(value: &Value) -> bool {
    value.is_undefined() || value.downcast_object_ref::<Absent>().is_some()
}

/// Whether a value is one of a list, a key of a map, or a part of a text; what was not sent holds nothing. Anything else is an error,
/// so that `is not in` passes for nothing that cannot be looked into.
fn contained(state: &State<'_, '_>, value: &Value, of: &Value) -> Result<bool, Error> {
    match of.kind() {
        _ if absent(of) => Ok(false),
        ValueKind::None => Ok(false),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::String => {
            minijinja::tests::is_in(state, value, of)
        }
        _ => refuse("only a list, a map or a text can be looked into"),
    }
}

/// A value as text; rooms, lists and hidden values have none. What was not sent is an error, so that `clean`
/// leaves it absent and a rule over it is broken.
fn text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        _ if absent(value) => refuse("there is no value here"),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => refuse("a list or map is not text"),
        _ => write::plain(value),
    }
}

/// What a filter makes of a text. Null, numbers, booleans, lists and maps are no text and stay what they are, so that
/// `clean = "value | trim"` turns no wrong type into a right one.
fn changed(value: Value, change: impl FnOnce(&str) -> Result<String, Error>) -> Result<Value, Error> {
    use minijinja::value::ValueKind::{Bool, Iterable, Map, None, Number, Seq};
    match value.kind() {
        None | Number | Bool | Seq | Map | Iterable => Ok(value),
        _ => text(&value).and_then(|t| change(&t)).map(Value::from),
    }
}

/// `errors | by("field")`: groups in order of first appearance; with a second name, that member of each.
fn by(list: Value, key: &str, member: Option<&str>) -> Result<Value, Error> {
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    // By what is written: 1 and "1" are one key of a JSON object.
    let mut known: HashMap<String, usize> = HashMap::new();
    for item in list.try_iter()? {
        let group = attribute(&item, key)?;
        let value = match member {
            Some(member) => attribute(&item, member)?,
            None => item,
        };
        let next = groups.len();
        match known.entry(text(&group)?) {
            Entry::Occupied(at) => groups[*at.get()].1.push(value),
            Entry::Vacant(new) => {
                new.insert(next);
                groups.push((group, vec![value]));
            }
        }
    }
    Ok(Value::from_pairs(groups.into_iter().map(|(k, v)| (k, Value::from(v)))))
}

fn attribute(item: &Value, name: &str) -> Result<Value, Error> {
    let value = item.get_attr(name)?;
    if value.is_undefined() { refuse(format!("the items have no `{name}`")) } else { Ok(value) }
}

fn time(value: &Value) -> Result<Timestamp, Error> {
    match value.downcast_object_ref::<Time>() {
        Some(time) => Ok(time.0),
        None => refuse("this filter works on times"),
    }
}

/// `date("%Y-%m-%d", zone)`: strftime, in UTC or an IANA time zone; an unknown or absent zone is UTC. The text is
/// marked as the server's own: headers leave its spaces and commas alone (`Expires=Mon, 10 Jun 2024 13:34:56 GMT`).
fn date(value: Value, format: &str, zone: Option<Value>) -> Result<Value, Error> {
    let zone =
        zone.filter(|z| z.is_true()).and_then(|z| z.as_str().and_then(|name| TimeZone::get(name).ok()));
    let at = time(&value)?.to_zoned(zone.unwrap_or(TimeZone::UTC));
    jiff::fmt::strtime::format(format, &at)
        .map(Value::from_safe_string)
        .map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string()))
}

/// `now | after("1h")`, `now | after("-16y")`, `now | after(tokens.access.lifetime)` (seconds).
fn after(value: Value, by: Value) -> Result<Value, Error> {
    let at = time(&value)?;
    let span = match (by.as_i64(), by.as_str().and_then(duration::span)) {
        (Some(seconds), _) => Span::new()
            .try_seconds(seconds)
            .map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string()))?,
        (None, Some(span)) => span,
        (None, None) => return refuse("a duration reads \"15m\", \"1h\", \"7d\" or \"-16y\""),
    };
    let later = at.to_zoned(TimeZone::UTC).checked_add(span);
    later
        .map(|at| Time::value(at.timestamp()))
        .map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string()))
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars.flat_map(char::to_lowercase)).collect()
    })
}

fn replace(value: Value, from: &str, to: &str) -> Result<Value, Error> {
    if from.is_empty() {
        return refuse("`replace` needs something to look for");
    }
    changed(value, |text| {
        let grown = text.len() + text.matches(from).count().saturating_mul(to.len());
        if grown > MOST_TEXT + text.len() {
            refuse("this text grows too long")
        } else {
            Ok(text.replace(from, to))
        }
    })
}

fn join(list: Value, separator: Option<&str>) -> Result<String, Error> {
    let mut out = String::new();
    for (i, item) in list.try_iter()?.enumerate() {
        if i > 0 {
            out.push_str(separator.unwrap_or_default());
        }
        out.push_str(&text(&item)?);
        if out.len() > MOST_TEXT {
            return refuse("this text grows too long");
        }
    }
    Ok(out)
}

/// Code points of a text, items of a list.
fn length(value: Value, _: Kwargs) -> Result<usize, Error> {
    match (value.as_str(), value.len()) {
        (Some(text), _) => Ok(text.chars().count()),
        (None, Some(n)) if value.downcast_object_ref::<Room>().is_none() => Ok(n),
        _ => refuse("only a text or a list has a length"),
    }
}

/// Longer texts, in bytes, resemble nothing. A password that long is refused whatever it is like, also where its normal
/// form is shorter than what was written; and how much is compared must not be a stranger's choice.
const MOST_COMPARED: usize = 3 * Password::MAX_BYTES;

/// Whether a password resembles another answer, in the measure of Django's `UserAttributeSimilarityValidator`: the
/// other answer and each word in it are held against it without regard to case, and 0.7 of both texts' characters
/// must be shared, wherever they stand. An answer that is far shorter than the password is left out.
fn similar(a: Value, b: Value) -> bool {
    let (Some(a), Some(b)) = (a.as_str(), b.as_str()) else { return false };
    if a.len().max(b.len()) > MOST_COMPARED {
        return false;
    }
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let long = a.chars().count();
    compared(long, &b).any(|part| alike(&a, long, part))
}

/// What of an answer is held against a password of so many characters: the words that are not far shorter, and the whole.
fn compared(long: usize, answer: &str) -> impl Iterator<Item = &str> {
    let words = answer.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.chain([answer]).filter(move |part| {
        let short = part.chars().count();
        short > 0 && (long < 10 * short || 20 * short >= 7 * long)
    })
}

/// `long` is the password's length, counted once: a long answer has many parts.
fn alike(password: &str, long: usize, part: &str) -> bool {
    let mut left: HashMap<char, usize> = HashMap::new();
    for c in part.chars() {
        *left.entry(c).or_default() += 1;
    }
    let shared = password.chars().filter(|c| left.get_mut(c).filter(|n| **n > 0).map(|n| *n -= 1).is_some());
    20 * shared.count() >= 7 * (long + part.chars().count())
}

fn common_password(password: &str) -> bool {
    static LIST: LazyLock<std::collections::HashSet<&str>> =
        LazyLock::new(|| include_str!("../common_passwords.txt").lines().collect());
    LIST.contains(password.to_lowercase().trim())
}

/// Patterns are compiled once; the loader has already checked each literal one.
fn matching(patterns: &Mutex<HashMap<String, Regex>>, value: &Value, pattern: &str) -> Result<bool, Error> {
    let Some(text) = value.as_str() else {
        return match value.kind() {
            ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
                refuse("a list or map matches no pattern")
            }
            _ => Ok(false),
        };
    };
    // Patterns come from contracts only, so there are few of them; the lock is not held while one is matched.
    let known = |patterns: &Mutex<HashMap<String, Regex>>| {
        patterns.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(pattern).cloned()
    };
    if let Some(regex) = known(patterns) {
        return Ok(regex.is_match(text));
    }
    let regex = crate::contract::language::pattern(pattern)
        .map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string()))?;
    let mut patterns = patterns.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    patterns.insert(pattern.to_owned(), regex.clone());
    drop(patterns);
    Ok(regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn eval_json(source: &str, value: Json) -> Result<Value, Error> {
        let scene = Value::from_pairs([("value", super::super::from_json(&value))]);
        ENGINE.compile_expression(source).unwrap().eval(scene)
    }

    #[test]
    fn groups_have_one_key_each_as_json_writes_it() {
        let mut out = String::new();
        let list = json!([{ "k": 1, "v": "a" }, { "k": "1", "v": "b" }, { "k": null, "v": "c" }]);
        write::json(&mut out, &eval_json("value | by('k', 'v')", list).unwrap(), 0).unwrap();
        assert_eq!(out, r#"{"1":["a","b"],"":["c"]}"#);
        assert!(eval_json("value | by('k')", json!([{ "k": [] }])).is_err());
    }

    #[test]
    fn no_filter_grows_without_bound() {
        let many: Vec<Json> = (0..20_000).map(|i| json!({ "k": i })).collect();
        assert!(eval_json("value | by('k')", many.into()).is_ok());
        assert!(eval_json("value | replace('a', value)", "a".repeat(60_000).into()).is_err());
    }

    fn eval(expression: &str, value: Value) -> Value {
        let compiled = ENGINE.compile_expression(expression).unwrap();
        compiled.eval(Room::value("test", vec![("value".into(), value)])).unwrap()
    }

    #[test]
    fn what_is_no_text_is_left_alone() {
        for filter in ["lower", "upper", "capitalize", "trim", "replace('1', '2')"] {
            for value in [Value::from(11), Value::from(true), Value::from(()), Value::from(vec![1])] {
                assert_eq!(eval(&format!("value | {filter}"), value.clone()), value, "{filter}");
            }
        }
        assert_eq!(eval("value | trim | capitalize", Value::from(" aB ")), Value::from("Ab"));
    }

    #[test]
    fn similarity_is_measured_as_django_does() {
        for (password, answer, expected) in [
            ("janesmith1", "janesmith", true),
            ("htimsenaj", "JaneSmith", true), // the order of the characters does not matter
            ("correct horse", "jane", false),
            ("jane.doe99", "jane.doe@example.com", false), // neither the address nor a word of it is near enough
            ("secret99", "secret@x.io", true),
            ("x", "", false),
            ("abcdefghijklmnopqrst", "ab", false),
        ] {
            let pair = vec![Value::from(password), Value::from(answer)];
            assert_eq!(
                eval("similar(value[0], value[1])", Value::from(pair)).is_true(),
                expected,
                "{password}"
            );
        }
    }

    /// The work is counted in characters that are looked at.
    #[test]
    fn what_similarity_costs_is_not_a_strangers_choice() {
        let most_of_a_body = 64 * 1024;
        for word in [1, 2, 10, 100, 300, 307, 308, 1000, MOST_COMPARED] {
            let answer = format!("{} ", "b".repeat(word)).repeat(most_of_a_body / (word + 1));
            for long in [1, 8, 64, 1000, MOST_COMPARED] {
                let answer = &answer[..answer.len().min(MOST_COMPARED)];
                let looked_at: usize = compared(long, answer).map(|part| long + part.chars().count()).sum();
                assert!(looked_at <= 13 * MOST_COMPARED, "{word} {long}: {looked_at}");
            }
        }
        let similar = |password: usize, answer: usize| {
            let texts = [password, answer].map(|length| Value::from("a".repeat(length)));
            eval("similar(value[0], value[1])", Value::from(texts.to_vec())).is_true()
        };
        assert!(similar(MOST_COMPARED, MOST_COMPARED));
        assert!(!similar(MOST_COMPARED + 1, MOST_COMPARED + 1) && !similar(most_of_a_body, most_of_a_body));
        assert!(!similar(MOST_COMPARED, MOST_COMPARED + 1));
    }
}
