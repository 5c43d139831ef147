//! The lists of names and domains that are not wanted.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use super::check::Check;
use crate::names::{BadLine, Names, RESERVED, domains, reserved};

/// How a list is read.
type Reader = fn(&str) -> Result<HashSet<String>, BadLine>;

impl Check<'_> {
    /// Which user names and addresses are not wanted; every file is read as a whole.
    pub(super) fn names(&mut self) -> Names {
        let names = self.loaded.config.names.clone();
        let mut refused = self.list("names.also_reserved", &names.also_reserved, reserved);
        if names.reserved {
            refused.extend(reserved(RESERVED).expect("a test reads the list that is brought along"));
        }
        if names.accepted.is_some() && names.disposable.is_none() {
            let hint = "set `names.disposable`, too".to_owned();
            self.refuse("names.accepted", "is of no use without a list of disposable domains", Some(hint));
        }
        Names {
            reserved: refused,
            restriction: names.restriction,
            distinct: names.distinct,
            disposable: self.list("names.disposable", &names.disposable, domains),
            accepted: self.list("names.accepted", &names.accepted, domains),
        }
    }

    fn list(&mut self, key: &str, path: &Option<PathBuf>, read: Reader) -> HashSet<String> {
        let Some(path) = path else { return HashSet::new() };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let reason = format!("names {}, which cannot be read: {error}", path.display());
                self.refuse(key, reason, None);
                return HashSet::new();
            }
        };
        read(&text).unwrap_or_else(|BadLine { line, more }| {
            let entry = if key == "names.also_reserved" { "user name" } else { "domain" };
            let further =
                if more == 0 { String::new() } else { format!(", and {more} further lines are none") };
            let reason = format!("names {}, whose line is no {entry}: {0}:{line}{further}", path.display());
            self.refuse(key, reason, Some(format!("one {entry} a line; # begins a comment")));
            HashSet::new()
        })
    }
}
