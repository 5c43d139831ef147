//! The top layer: flags.

use super::merge::{Entry, Merge, Target, suggestion};
use super::problem::Place;
use super::setting::Raw;
use super::{Origin, Problem};

/// One flag.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The dotted name of the key that it sets.
    pub key: String,
    /// Its value as text; items of a list are separated by commas.
    pub value: String,
    /// How it was called: `--listen`.
    pub flag: String,
}

/// The key whose flag may be repeated.
const LIST: &str = "contracts";

pub(super) fn read(flags: &[Flag], merge: &mut Merge) {
    let items: Vec<&str> =
        flags.iter().filter(|flag| flag.key == LIST).map(|flag| flag.value.as_str()).collect();
    let list = items.join(",");
    let first = flags.iter().find(|flag| flag.key == LIST).map(|flag| (flag, list.as_str()));
    let plain = flags.iter().filter(|flag| flag.key != LIST).map(|flag| (flag, flag.value.as_str()));
    let mut entries = Vec::new();
    for (flag, value) in plain.chain(first) {
        let place = Place::of(Origin::Flag(flag.flag.clone()));
        if let Some(target) = target(flag, &place, merge) {
            entries.push(Entry { target, raw: Raw::Text(value), place, items: Vec::new() });
        }
    }
    merge.layer(entries);
}

fn target(flag: &Flag, place: &Place, merge: &mut Merge) -> Option<Target> {
    let Some(target) = Target::named(&flag.key) else {
        let hint = suggestion(&flag.key).map(|near| format!("did you mean `{near}`?"));
        let message = format!("unknown key `{}`", flag.key.escape_debug());
        merge.refuse(Problem::new(place.clone(), message).with_hint(hint));
        return None;
    };
    // The database's address is let through: `--database` is worth it, and one with a password can stand in the file or in
    // VESTIBULE_DATABASE.
    if target.is_secret() && flag.key != "database" {
        let name = target.name();
        let variable = super::keys::variable(&name);
        let message =
            format!("`{name}` may not be given on the command line, which others on this machine can read");
        let hint = format!("set {variable}, or {variable}_FILE to the path of a file that holds it");
        merge.refuse(Problem::new(place.clone(), message).with_hint(Some(hint)));
        return None;
    }
    Some(target)
}
