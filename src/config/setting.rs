//! How one value is read from a layer and shown again.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::de::DeValue;

use crate::network::{Network, NetworkError};
use crate::spelling::nearest;

/// A value as a layer wrote it: typed in a file, plain text in the environment and in flags.
#[derive(Clone, Copy)]
pub(super) enum Raw<'a> {
    Toml(&'a DeValue<'a>),
    Text(&'a str),
}

/// Why a value was refused. The text continues a sentence that starts with the key.
#[derive(Debug, thiserror::Error)]
pub(super) enum ValueError {
    #[error("must be {expected}, not {found}")]
    Type { expected: &'static str, found: &'static str },
    #[error("must be {expected}; {found:?} is not")]
    Not { expected: &'static str, found: String },
    #[error("must be {expected}")]
    Hidden { expected: &'static str },
    #[error("must be one of {}; {found:?} is not", quoted(.choices))]
    Choice { choices: &'static [&'static str], found: String },
    #[error("must be from {least} to {most}; {found} is not")]
    Outside { least: String, most: String, found: String },
    #[error("must have at least {least} bytes; this one has {found}")]
    Short { least: usize, found: usize },
    #[error("must not be empty")]
    Empty,
    #[error("is {found:?}, which {error}")]
    Network { found: String, error: NetworkError },
    #[error("names the file {}, which cannot be read: {error}", path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("has mistakes in its items")]
    Items(Vec<(usize, ValueError)>),
}

/// A type that a configuration key can have.
pub(super) trait Setting: Sized {
    fn read(raw: Raw<'_>) -> Result<Self, ValueError>;
    /// As it would be written in a file; `None` when it is not set.
    fn show(&self) -> Option<toml::Value>;
}

impl<'a> Raw<'a> {
    /// The items of a list, each as `one` reads it: an array in a file, separated by commas elsewhere; or every
    /// mistake with the number of its item.
    pub(super) fn list<T>(
        self,
        expected: &'static str,
        one: impl Fn(Raw<'a>) -> Result<T, ValueError>,
    ) -> Result<Vec<T>, ValueError> {
        let results: Vec<_> = match self {
            Raw::Text(text) if text.trim().is_empty() => Vec::new(),
            Raw::Text(text) => text.split(',').map(|item| one(Raw::Text(item.trim()))).collect(),
            Raw::Toml(DeValue::Array(items)) => {
                items.iter().map(|item| one(Raw::Toml(item.get_ref()))).collect()
            }
            Raw::Toml(other) => return Err(ValueError::Type { expected, found: type_name(other) }),
        };
        let (mut values, mut mistakes) = (Vec::new(), Vec::new());
        for (at, result) in results.into_iter().enumerate() {
            match result {
                Ok(value) => values.push(value),
                Err(mistake) => mistakes.push((at, mistake)),
            }
        }
        if mistakes.is_empty() { Ok(values) } else { Err(ValueError::Items(mistakes)) }
    }
}

impl Raw<'_> {
    /// The text, or a complaint that says what was expected instead.
    pub(super) fn text(&self, expected: &'static str) -> Result<&str, ValueError> {
        match self {
            Raw::Text(text) => Ok(text),
            Raw::Toml(DeValue::String(text)) => Ok(text),
            Raw::Toml(other) => Err(ValueError::Type { expected, found: type_name(other) }),
        }
    }

    fn whole(&self) -> Result<i128, ValueError> {
        const EXPECTED: &str = "a whole number";
        let not = |found: &str| ValueError::Not { expected: EXPECTED, found: found.to_owned() };
        match self {
            Raw::Text(text) => text.trim().parse().map_err(|_| not(text)),
            Raw::Toml(DeValue::Integer(number)) => {
                i128::from_str_radix(number.as_str(), number.radix()).map_err(|_| not(number.as_str()))
            }
            Raw::Toml(other) => Err(ValueError::Type { expected: EXPECTED, found: type_name(other) }),
        }
    }
}

impl ValueError {
    /// What to write instead, when that can be told.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            ValueError::Choice { choices, found } => {
                nearest(found, choices.iter().copied()).map(|near| format!("did you mean `{near}`?"))
            }
            _ => None,
        }
    }
}

/// Refuses what lies outside of a range.
pub(super) fn within<T: PartialOrd + Setting>(
    value: &T,
    range: &RangeInclusive<T>,
) -> Result<(), ValueError> {
    if range.contains(value) {
        return Ok(());
    }
    let text = |value: &T| value.show().map(|value| value.to_string()).unwrap_or_default();
    Err(ValueError::Outside { least: text(range.start()), most: text(range.end()), found: text(value) })
}

/// The name of a TOML type with its article.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn quoted(choices: &[&str]) -> String {
    choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ")
}

pub(super) fn choose<T: Copy>(
    raw: Raw<'_>,
    choices: &'static [&'static str],
    values: &[T],
) -> Result<T, ValueError> {
    let found = raw.text("a string")?;
    match choices.iter().position(|choice| *choice == found) {
        Some(at) => Ok(values[at]),
        None => Err(ValueError::Choice { choices, found: found.to_owned() }),
    }
}

impl Setting for bool {
    fn read(raw: Raw<'_>) -> Result<bool, ValueError> {
        const EXPECTED: &str = "true or false";
        match raw {
            Raw::Toml(DeValue::Boolean(value)) => Ok(*value),
            Raw::Text("true") => Ok(true),
            Raw::Text("false") => Ok(false),
            Raw::Text(text) => Err(ValueError::Not { expected: EXPECTED, found: text.to_owned() }),
            Raw::Toml(other) => Err(ValueError::Type { expected: EXPECTED, found: type_name(other) }),
        }
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Boolean(*self))
    }
}

impl Setting for u32 {
    fn read(raw: Raw<'_>) -> Result<u32, ValueError> {
        let found = raw.whole()?;
        u32::try_from(found).map_err(|_| ValueError::Outside {
            least: u32::MIN.to_string(),
            most: u32::MAX.to_string(),
            found: found.to_string(),
        })
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Integer((*self).into()))
    }
}

impl Setting for usize {
    fn read(raw: Raw<'_>) -> Result<usize, ValueError> {
        u32::read(raw).map(|number| number as usize)
    }

    fn show(&self) -> Option<toml::Value> {
        i64::try_from(*self).ok().map(toml::Value::Integer)
    }
}

impl Setting for SocketAddr {
    fn read(raw: Raw<'_>) -> Result<SocketAddr, ValueError> {
        const EXPECTED: &str = "an IP address and a port like \"127.0.0.1:8080\" or \"[::]:8080\"";
        let found = raw.text(EXPECTED)?;
        found.parse().map_err(|_| ValueError::Not { expected: EXPECTED, found: found.to_owned() })
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.to_string()))
    }
}

impl Setting for Option<SocketAddr> {
    fn read(raw: Raw<'_>) -> Result<Option<SocketAddr>, ValueError> {
        SocketAddr::read(raw).map(Some)
    }

    fn show(&self) -> Option<toml::Value> {
        self.as_ref().and_then(Setting::show)
    }
}

impl Setting for Vec<Network> {
    fn read(raw: Raw<'_>) -> Result<Vec<Network>, ValueError> {
        const LIST: &str = "a list of addresses and networks like \"10.0.0.0/8\"";
        raw.list(LIST, |item| {
            let text = item.text("an address or a network like \"10.0.0.0/8\"")?.trim();
            text.parse().map_err(|error| ValueError::Network { found: text.to_owned(), error })
        })
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().map(|net| toml::Value::String(net.to_string())).collect()))
    }
}
