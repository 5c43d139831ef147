//! The types of JSON, as a rule's `type` names them.

use serde_json::Value as Json;

/// The types of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonType {
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
}

impl JsonType {
    pub(crate) const ALL: [(&'static str, JsonType); 6] = [
        ("string", JsonType::String),
        ("integer", JsonType::Integer),
        ("number", JsonType::Number),
        ("boolean", JsonType::Boolean),
        ("array", JsonType::Array),
        ("object", JsonType::Object),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, t)| *t == self).map_or("string", |(name, _)| name)
    }

    pub(crate) fn fits(self, json: &Json) -> bool {
        match self {
            JsonType::String => json.is_string(),
            JsonType::Integer => {
                json.is_i64() || json.is_u64() || json.as_f64().is_some_and(|f| f.fract() == 0.0)
            }
            JsonType::Number => json.is_number(),
            JsonType::Boolean => json.is_boolean(),
            JsonType::Array => json.is_array(),
            JsonType::Object => json.is_object(),
        }
    }
}
