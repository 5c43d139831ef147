//! Which contract is served where.

use std::fmt;

use super::setting::{Raw, Setting, ValueError};

/// One contract to serve: `NAME_OR_FILE` or `NAME_OR_FILE@/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The name of a shipped contract, or a path to a file.
    pub contract: String,
    /// Where it was asked to be mounted: `Some("")` is the root, `Some("/v1")` below it (never a trailing slash);
    /// `None` leaves it to the rule for unprefixed contracts.
    pub prefix: Option<String>,
}

const EXPECTED: &str = "NAME_OR_FILE or NAME_OR_FILE@/prefix";
const LIST: &str = "a list of NAME_OR_FILE or NAME_OR_FILE@/prefix";

impl Mount {
    /// `None` when the contract is missing or the prefix is no plain path.
    fn parse(text: &str) -> Option<Mount> {
        let text = text.trim();
        // The prefix starts at the last `@/`, so that a directory may carry an `@` in its name.
        let Some((contract, prefix)) = text.rsplit_once("@/") else {
            return (!text.is_empty()).then(|| Mount { contract: text.to_owned(), prefix: None });
        };
        if contract.is_empty() {
            return None;
        }
        if prefix.is_empty() {
            return Some(Mount { contract: contract.to_owned(), prefix: Some(String::new()) });
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        prefix
            .split('/')
            .all(plain_segment)
            .then(|| Mount { contract: contract.to_owned(), prefix: Some(format!("/{prefix}")) })
    }
}

/// Only the unreserved characters of RFC 3986, section 2.3: a prefix needs no escapes and no pattern syntax.
fn plain_segment(segment: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(unreserved)
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.as_deref() {
            None => f.write_str(&self.contract),
            Some("") => write!(f, "{}@/", self.contract),
            Some(prefix) => write!(f, "{}@{prefix}", self.contract),
        }
    }
}

impl Setting for Vec<Mount> {
    fn read(raw: Raw<'_>) -> Result<Vec<Mount>, ValueError> {
        raw.list(LIST, |item| {
            let text = item.text(EXPECTED)?;
            Mount::parse(text).ok_or_else(|| ValueError::Not { expected: EXPECTED, found: text.to_owned() })
        })
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().map(|mount| toml::Value::String(mount.to_string())).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_contract_and_prefix() {
        let parse = |text| Mount::parse(text).map(|mount| (mount.contract, mount.prefix));
        let some =
            |contract: &str, prefix: Option<&str>| Some((contract.to_owned(), prefix.map(str::to_owned)));
        assert_eq!(parse("express"), some("express", None));
        assert_eq!(parse("express@/"), some("express", Some("")));
        assert_eq!(parse(" a@b/ours.toml@/v1/old/ "), some("a@b/ours.toml", Some("/v1/old")));
        for text in ["", "  ", "@/x", "a@//", "a@/x//y", "a@/../b", "a@/{x}", "a@/ü", "a@/x?y"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn shows_what_it_read() {
        for text in ["express", "express@/", "ours.toml@/v1"] {
            assert_eq!(Mount::parse(text).unwrap().to_string(), text);
        }
    }
}
