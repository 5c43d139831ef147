//! Puts one layer over another and remembers where each value came from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::keys::{SECRETS, is_secret_name, set_named_secret};
use super::problem::Place;
use super::setting::Raw;
use super::{Config, KEYS, Key, Origin, Problem, Problems};
use crate::spelling::nearest;

/// What a dotted name means.
pub(super) enum Target {
    Key(&'static Key),
    /// `secrets.NAME` or `secrets.NAME_file`, without the `secrets.`.
    Secret(String),
}

impl Target {
    pub(super) fn named(name: &str) -> Option<Target> {
        match name.strip_prefix(SECRETS).and_then(|rest| rest.strip_prefix('.')) {
            Some(secret) => is_secret_name(secret).then(|| Target::Secret(secret.to_owned())),
            None => Key::named(name).map(Target::Key),
        }
    }

    /// Whether the value itself must not be shown. The path of a file that holds a secret may be.
    pub(super) fn is_secret(&self) -> bool {
        match self {
            Target::Key(key) => key.secret,
            Target::Secret(name) => !name.ends_with("_file"),
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Target::Key(key) => key.name.to_owned(),
            Target::Secret(name) => format!("{SECRETS}.{name}"),
        }
    }

    /// The key whose value stands in the file that this one names: `token_secret` for `token_secret_file`.
    fn read_from_file(&self) -> Option<String> {
        self.name().strip_suffix("_file").map(str::to_owned)
    }
}

/// One value of one layer.
pub(super) struct Entry<'a> {
    pub(super) target: Target,
    pub(super) raw: Raw<'a>,
    pub(super) place: Place,
    /// Where the items stand, when the value is a list in a file.
    pub(super) items: Vec<Place>,
}

/// The merge under way.
pub(super) struct Merge {
    config: Config,
    places: BTreeMap<String, Place>,
    problems: Vec<Problem>,
}

impl Merge {
    pub(super) fn new(config: Config) -> Merge {
        Merge { config, places: BTreeMap::new(), problems: Vec::new() }
    }

    pub(super) fn refuse(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Puts a layer on top. Within one layer nothing wins over anything: two values for one key are a mistake.
    pub(super) fn layer(&mut self, entries: Vec<Entry<'_>>) {
        let mut given: BTreeMap<String, Origin> = BTreeMap::new();
        for entry in entries {
            let name = entry.target.name();
            let slot = entry.target.read_from_file().unwrap_or_else(|| name.clone());
            if let Some(first) = given.get(&slot) {
                let message = format!("`{name}` is a second value for `{slot}`; the first is from {first}");
                self.refuse(Problem::new(entry.place, message));
                continue;
            }
            given.insert(slot, entry.place.origin.clone());
            self.apply(entry);
        }
    }

    /// What could be read, and what could not: a refused value leaves the one below it in effect.
    pub(super) fn finish(mut self) -> (Config, BTreeMap<String, Place>, Problems) {
        self.problems.sort_by_key(Problem::position);
        (self.config, self.places, Problems::from(self.problems))
    }

    fn apply(&mut self, entry: Entry<'_>) {
        let done = match &entry.target {
            Target::Key(key) => (key.set)(&mut self.config, entry.raw),
            Target::Secret(name) => set_named_secret(&mut self.config, name, entry.raw),
        };
        match done {
            Ok(()) => self.remember(entry),
            Err(error) => {
                let found = Problem::of_value(&entry.target.name(), error, &entry.place, &entry.items);
                self.problems.extend(found);
            }
        }
    }

    fn remember(&mut self, entry: Entry<'_>) {
        let name = entry.target.name();
        self.places.remove(&format!("{name}_file"));
        if let (Some(slot), Ok(path)) = (entry.target.read_from_file(), entry.raw.text("a path")) {
            let named_by = Box::new(entry.place.origin.clone());
            let origin = Origin::SecretFile { path: PathBuf::from(path), named_by };
            self.places.insert(slot, Place { origin, excerpt: entry.place.excerpt.clone() });
        }
        self.places.insert(name, entry.place);
    }
}

/// The dotted name that was most likely meant: by its spelling, or by its last part when the table was forgotten.
pub(super) fn suggestion(name: &str) -> Option<&'static str> {
    let names = || KEYS.iter().map(|key| key.name);
    let forgotten = |key: &&'static str| key.rsplit_once('.').is_some_and(|(_, last)| last == name);
    nearest(name, names()).or_else(|| names().find(forgotten))
}
