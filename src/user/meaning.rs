//! What a submitted field means to the server, whatever the client calls it.

use std::fmt;
use std::str::FromStr;

/// What a field means. The words are those a contract writes: `email`, `first_name`, `extra.phone` ...
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// The e-mail address.
    Email,
    /// The user name.
    Username,
    /// The password.
    Password,
    /// The full name.
    Name,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// An id that the client brings along.
    Id,
    /// Another value, stored under this name.
    Extra(String),
}

/// The text is none of the words that say what a field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected email, username, password, name, first_name, last_name, id, or extra. and a name such as extra.phone"
)]
pub struct UnknownMeaning;

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Meaning::Email => f.write_str("email"),
            Meaning::Username => f.write_str("username"),
            Meaning::Password => f.write_str("password"),
            Meaning::Name => f.write_str("name"),
            Meaning::FirstName => f.write_str("first_name"),
            Meaning::LastName => f.write_str("last_name"),
            Meaning::Id => f.write_str("id"),
            Meaning::Extra(name) => write!(f, "extra.{name}"),
        }
    }
}

impl FromStr for Meaning {
    type Err = UnknownMeaning;

    /// Reads a word as [`Meaning`]'s `Display` writes it. The name of an extra value consists of ASCII letters,
    /// digits, `_` and `-`.
    fn from_str(text: &str) -> Result<Meaning, UnknownMeaning> {
        Ok(match text {
            "email" => Meaning::Email,
            "username" => Meaning::Username,
            "password" => Meaning::Password,
            "name" => Meaning::Name,
            "first_name" => Meaning::FirstName,
            "last_name" => Meaning::LastName,
            "id" => Meaning::Id,
            _ => match text.strip_prefix("extra.") {
                Some(name) if is_name(name) => Meaning::Extra(name.to_owned()),
                _ => return Err(UnknownMeaning),
            },
        })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_as_they_are_written() {
        for word in ["email", "username", "password", "name", "first_name", "last_name", "id", "extra.phone"]
        {
            assert_eq!(word.parse::<Meaning>().unwrap().to_string(), word);
        }
        assert_eq!("extra.phone".parse(), Ok(Meaning::Extra("phone".into())));
    }

    #[test]
    fn other_words_are_refused() {
        for word in ["", "Email", "mail", "extra", "extra.", "extra.a b", "extra.a.b", "role"] {
            assert_eq!(word.parse::<Meaning>(), Err(UnknownMeaning), "{word}");
        }
    }
}
