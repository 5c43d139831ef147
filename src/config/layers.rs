//! The four layers in their order, and what comes out of them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::flags::Flag;
use super::keys::CONFIG_VARIABLE;
use super::merge::Merge;
use super::problem::Place;
use super::{Config, Origin, Problem, Problems, environment, file, flags};

/// The default layer itself, with its comments; `vestibule config default` prints it.
pub const DEFAULT_FILE: &str = include_str!("../../config.default.toml");

/// What there is besides the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Flags in the order given. Several for one list add up; several for one plain value are refused.
    pub flags: Vec<Flag>,
    /// The environment. Variables that do not start with `VESTIBULE_` are skipped.
    pub environment: Vec<(String, String)>,
    /// The file of `--config`; when there is none, `VESTIBULE_CONFIG` may name one.
    pub file: Option<PathBuf>,
}

/// The merged configuration with its origins.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is in effect.
    pub config: Config,
    places: BTreeMap<String, Place>,
}

impl Loaded {
    /// Where the value of a key (`listen`, `secrets.parse_app`) came from; `None` when it is not set.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.places.get(key).map(|place| &place.origin)
    }

    /// For rooms that find fault with a value later (a cost too low, a contract that is broken): the problem, shown at
    /// the value's origin. `reason` continues a sentence that starts with the key and holds no secret.
    pub fn problem(&self, key: &str, reason: impl fmt::Display) -> Problem {
        let place = self.places.get(key).cloned().unwrap_or(Place::of(Origin::Default));
        Problem::new(place, format!("`{key}` {reason}"))
    }
}

pub(super) fn read(sources: &Sources) -> (Loaded, Problems) {
    let mut merge = Merge::new(Config::blank());
    file::read(None, DEFAULT_FILE, &mut merge);
    if let Some((path, named_by)) = named_file(sources) {
        match std::fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => file::read(Some(&path), &text, &mut merge),
            Err(error) => {
                let message = format!("the configuration file {} cannot be read: {error}", path.display());
                merge.refuse(Problem::new(Place::of(named_by), message));
            }
        }
    }
    environment::read(&sources.environment, &mut merge);
    flags::read(&sources.flags, &mut merge);
    let (config, places, problems) = merge.finish();
    (Loaded { config, places }, problems)
}

fn named_file(sources: &Sources) -> Option<(PathBuf, Origin)> {
    if let Some(path) = &sources.file {
        return Some((path.clone(), Origin::Flag("--config".to_owned())));
    }
    let (name, path) = sources.environment.iter().find(|(name, _)| name == CONFIG_VARIABLE)?;
    Some((PathBuf::from(path), Origin::Variable(name.clone())))
}
