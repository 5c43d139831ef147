//! Which user names and addresses a deployment does not want, although they are valid. Pure; files are read at start.
//!
//! - A reserved user name is one that looks like a name of a list.
//! - A user name that mixes scripts more than [`Restriction`] lets it (UTS 39, section 5.2).
//! - A user name that looks like somebody else's: its looks are [`Key`]s, and the store's index decides.
//! - An address at a disposable domain.

mod list;
mod looks;

use std::collections::HashSet;

use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _};

use crate::user::{Email, Key, Meaning, NewUser, Problem, Username};
pub use list::{BadLine, domains, reserved};

/// The list that the program brings along.
pub const RESERVED: &str = include_str!("names/reserved.txt");

/// The kind of the claims that keep look-alikes apart; no contract can have one of this name.
pub const LOOKS: &str = "looks";

/// How many scripts a user name may mix, by the levels of UTS 39, section 5.2. ASCII is always let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restriction {
    /// Any.
    #[default]
    None,
    /// Latin with one other that is in common use, but not with Cyrillic or Greek.
    Moderate,
    /// Latin with those of Chinese, Japanese or Korean only.
    High,
    /// One.
    Single,
}

/// What a deployment does not want.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The looks of reserved user names, as [`reserved()`] reads them.
    pub reserved: HashSet<String>,
    /// How many scripts may be mixed.
    pub restriction: Restriction,
    /// Whether user names that look alike are one.
    pub distinct: bool,
    /// Domains whose addresses, and those of their subdomains, are refused, as A-labels.
    pub disposable: HashSet<String>,
    /// Domains that are accepted although they, or those above them, are disposable.
    pub accepted: HashSet<String>,
}

impl Names {
    /// Judges a valid user, and gives what it must claim beside its user name.
    ///
    /// # Errors
    /// Everything that is not wanted, in the order of [`NewUser::parse`].
    pub fn judge(&self, user: &NewUser) -> Result<Vec<Key>, Vec<Problem>> {
        let problem = |meaning: Meaning, reason: &str| Problem { meaning, reason: reason.to_owned() };
        let email = user.email.as_ref().and_then(|email| self.unwanted_address(email));
        let name = user.username.as_ref().and_then(|name| self.unwanted_name(name));
        let problems: Vec<Problem> = email
            .map(|reason| problem(Meaning::Email, reason))
            .into_iter()
            .chain(name.map(|reason| problem(Meaning::Username, reason)))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(user.username.as_ref().filter(|_| self.distinct).map(claims).unwrap_or_default())
    }

    fn unwanted_address(&self, email: &Email) -> Option<&'static str> {
        let within = |list: &HashSet<String>| above(email.domain()).any(|domain| list.contains(domain));
        (within(&self.disposable) && !within(&self.accepted)).then_some(
            "addresses of this domain are not accepted, because it gives them to anybody for a moment",
        )
    }

    fn unwanted_name(&self, name: &Username) -> Option<&'static str> {
        if !self.reserved.is_empty() && looks::looks(name).iter().any(|look| self.reserved.contains(look)) {
            return Some("the user name is reserved");
        }
        if !self.restriction.admits(name.key()) {
            return Some(
                "the user name mixes letters of different scripts, or has letters that are hardly used",
            );
        }
        let fits = |claim: &Key| claim.value.len() <= Key::MAX_BYTES;
        (self.distinct && !claims(name).iter().all(fits)).then_some("the user name is too long")
    }
}

/// The claims of a user name's looks: whoever holds one of them looks like it.
pub fn claims(name: &Username) -> Vec<Key> {
    looks::looks(name).into_iter().map(|value| Key { kind: LOOKS.to_owned(), value }).collect()
}

/// A domain and the ones that it is a part of: `a.b.example`, `b.example`, `example`.
fn above(domain: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(domain), |domain| domain.split_once('.').map(|(_, rest)| rest))
}

impl Restriction {
    fn admits(self, name: &str) -> bool {
        let level = match self {
            Restriction::None => return true,
            Restriction::Moderate => RestrictionLevel::ModeratelyRestrictive,
            Restriction::High => RestrictionLevel::HighlyRestrictive,
            Restriction::Single => RestrictionLevel::SingleScript,
        };
        // Punctuation of ASCII belongs to no script, and most of it to no identifier of UTS 39.
        let letters: String = name.chars().filter(|c| !c.is_ascii() || c.is_ascii_alphanumeric()).collect();
        letters.is_ascii() || letters.as_str().check_restriction_level(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(names: &Names, username: &str) -> Option<&'static str> {
        names.unwanted_name(&Username::parse(username).expect("a valid user name"))
    }

    #[test]
    fn the_list_that_is_brought_along_is_whole_and_catches_disguises() {
        let names = Names { reserved: reserved(RESERVED).expect("every line is a name"), ..Names::default() };
        for name in [
            "admin",
            "ADMIN",
            "\u{430}dmin",
            "adm1n",
            "Adm\u{131}n",
            "r00t",
            "no-reply",
            "lnfo",
            "favicon.ico",
        ] {
            assert_eq!(reason(&names, name), Some("the user name is reserved"), "{name}");
        }
        for name in ["adrian", "administrate", "roots", "jane"] {
            assert_eq!(reason(&names, name), None, "{name}");
        }
    }

    #[test]
    fn each_restriction_admits_what_it_says() {
        use Restriction::*;
        let admitted = |name| [Moderate, High, Single].map(|level| level.admits(name));
        assert_eq!(admitted("zo\u{eb}.m!x_1"), [true; 3], "one script with punctuation");
        assert_eq!(admitted("\u{430}\u{43d}\u{43d}\u{430}7"), [true; 3], "all Cyrillic");
        assert_eq!(admitted("p\u{430}ypal"), [false; 3], "Latin and Cyrillic");
        assert_eq!(admitted("tokyo\u{6771}\u{4eac}"), [true, true, false], "Latin and Han");
        assert_eq!(admitted("ok\u{e01}\u{e32}"), [true, false, false], "Latin and Thai");
        assert!(Restriction::None.admits("p\u{430}ypal"));
    }

    #[test]
    fn a_domain_stands_for_those_below_it_and_the_second_list_wins() {
        let names = Names {
            disposable: domains("trash.example\nxn--bcher-kva.example").expect("domains"),
            accepted: domains("good.trash.example").expect("a domain"),
            ..Names::default()
        };
        let refused =
            |address: &str| names.unwanted_address(&Email::parse(address).expect("valid")).is_some();
        for address in ["a@trash.example", "a@x.TRASH.example", "a@B\u{fc}cher.example"] {
            assert!(refused(address), "{address}");
        }
        for address in
            ["a@nottrash.example", "a@good.trash.example", "a@very.good.trash.example", "a@example.com"]
        {
            assert!(!refused(address), "{address}");
        }
    }
}
