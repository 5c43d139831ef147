//! What templates and expressions see. A room can be asked for a member; it cannot be written, listed or filtered.

use jiff::Timestamp;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use serde_json::Value as Json;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A closed room: `user`, `request`, `input`, one error. Members are found by name only.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) name: &'static str,
    pub(crate) members: Vec<(Name, Value)>,
}

/// What a member is called: one of the language's own words, or a word of the contract's.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    Own(&'static str),
    Contracts(Arc<str>),
}

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Name::Own(name) => name,
            Name::Contracts(name) => name,
        }
    }
}

impl From<&'static str> for Name {
    fn from(name: &'static str) -> Name {
        Name::Own(name)
    }
}

impl From<Arc<str>> for Name {
    fn from(name: Arc<str>) -> Name {
        Name::Contracts(name)
    }
}

impl Room {
    pub(crate) fn value(name: &'static str, members: Vec<(Name, Value)>) -> Value {
        Value::from_object(Room { name, members })
    }
}

impl Object for Room {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.members.iter().find(|(name, _)| name.as_str() == key).map(|(_, value)| value.clone())
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
    // An `Err` here would panic inside `to_string`; writers refuse rooms before they get this far.
    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// A point in time; as text it is `2024-06-10T12:34:56.789Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Time {
    pub(crate) fn value(at: Timestamp) -> Value {
        Value::from_object(Time(at))
    }
}

impl Object for Time {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn custom_cmp(self: &Arc<Self>, other: &minijinja::value::DynObject) -> Option<std::cmp::Ordering> {
        other.downcast_ref::<Time>().map(|other| self.0.cmp(&other.0))
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))
    }
}

/// A field that the client did not write: false, `is undefined`, never text.
#[derive(Debug)]
pub(crate) struct Absent;

impl Object for Absent {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn is_true(self: &Arc<Self>) -> bool {
        false
    }
    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// A value that may be asked about (`is none`, `is undefined`) but never written: the password, a shared secret.
#[derive(Debug)]
pub(crate) struct Hidden;

impl Object for Hidden {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// Something that is made when it is first written, and only then: a token, a random value.
pub(crate) struct Lazy {
    make: Box<dyn Fn() -> Value + Send + Sync>,
    made: OnceLock<Value>,
    /// `{{ tokens.NAME.lifetime }}`, in seconds.
    lifetime: Option<i64>,
}

impl Lazy {
    pub(crate) fn new(lifetime: Option<i64>, make: impl Fn() -> Value + Send + Sync + 'static) -> Arc<Lazy> {
        Arc::new(Lazy { make: Box::new(make), made: OnceLock::new(), lifetime })
    }

    /// The value, if any template has asked for it.
    pub(crate) fn made(&self) -> Option<&Value> {
        self.made.get()
    }

    pub(crate) fn force(&self) -> &Value {
        self.made.get_or_init(|| (self.make)())
    }
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lazy(..)")
    }
}

impl Object for Lazy {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "lifetime").then_some(self.lifetime).flatten().map(Value::from)
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.force())
    }
}

/// Local variables of a loop in front of everything else.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) locals: Vec<(Box<str>, Value)>,
    pub(crate) root: Value,
}

impl Object for Layer {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let local = self.locals.iter().rev().find(|(name, _)| &**name == key);
        local.map(|(_, value)| value.clone()).or_else(|| self.root.get_attr(key).ok())
    }
}

/// A client's JSON as a template value.
pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(*b),
        Json::Number(n) => n
            .as_i64()
            .map(Value::from)
            .or_else(|| n.as_u64().map(Value::from))
            .unwrap_or_else(|| Value::from(n.as_f64().unwrap_or_default())),
        Json::String(s) => Value::from(s.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(members) => Value::from_pairs(members.iter().map(|(k, v)| (k.as_str(), from_json(v)))),
    }
}

/// What a field holds, as an expression sees it.
pub(crate) fn seen(json: Option<&Json>) -> Value {
    json.map_or_else(|| Value::from_object(Absent), from_json)
}

/// Whether a value must never be written whole.
pub(super) fn unwritable(value: &Value) -> Option<String> {
    if let Some(room) = value.downcast_object_ref::<Room>() {
        return Some(format!("`{}` is not a value: name one of its members", room.name));
    }
    value.downcast_object_ref::<Hidden>().map(|_| "this value is never written".to_owned())
}

/// Tokens and random values become what they are when they are first written.
pub(super) fn forced(value: &Value) -> Option<&Value> {
    value.downcast_object_ref::<Lazy>().map(Lazy::force)
}
