//! User names.

use std::fmt;

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::Error;
use precis_profiles::precis_core::profile::{PrecisFastInvocation, stabilize};
use unicode_normalization::UnicodeNormalization;

/// Longest user name, in code points, as written and as key: what the column holds.
const MAX_CODE_POINTS: usize = 255;

/// A user name by the PRECIS profile UsernameCaseMapped (RFC 8265, section 3.3): letters, digits, marks and visible
/// ASCII, no spaces, and the bidirectional rule for scripts that are written from right to left.
///
/// `@` is refused although the profile allows it, full-width ones included: whoever signs in with a user name or an
/// address must never be able to mean two accounts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username {
    written: String,
    key: String,
}

/// Why a text is not a user name. The words are for people and never repeat the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// There is nothing in it.
    #[error("the user name is empty")]
    Empty,
    /// More than 255 code points.
    #[error("the user name is longer than {MAX_CODE_POINTS} characters")]
    TooLong,
    /// An @-sign.
    #[error("the user name contains an @-sign")]
    AtSign,
    /// White space.
    #[error("the user name contains a space")]
    Space,
    /// A character that RFC 8264 disallows in identifiers.
    #[error("the user name contains a character that user names may not have")]
    Character,
    /// Letters of right-to-left and left-to-right scripts mixed (RFC 5893, section 2).
    #[error("the user name mixes letters that are written from right to left with others")]
    Direction,
}

impl Username {
    /// Reads one user name. Nothing is trimmed.
    ///
    /// # Errors
    /// [`UsernameError`].
    pub fn parse(text: &str) -> Result<Username, UsernameError> {
        if text.is_empty() {
            return Err(UsernameError::Empty);
        }
        // The normal form has at least a third of the code points, so longer texts need no look. The profile looks at the
        // whole text for some characters of it, so it sees none that is too long.
        if text.len() > 3 * 4 * MAX_CODE_POINTS {
            return Err(UsernameError::TooLong);
        }
        let written: String = text.nfc().collect();
        if written.chars().count() > MAX_CODE_POINTS {
            return Err(UsernameError::TooLong);
        }
        // The profile is not idempotent for every text; RFC 8264, section 7 has it repeated until it is.
        let key = stabilize(written.as_str(), |s| UsernameCaseMapped::enforce(s)).map_err(why)?.into_owned();
        if key.contains('@') {
            return Err(UsernameError::AtSign);
        }
        if key.chars().count() > MAX_CODE_POINTS {
            return Err(UsernameError::TooLong);
        }
        Ok(Username { written, key })
    }

    /// The name as it was written, in NFC.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The name as it is compared: width-mapped, lower-case, NFC.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

fn why(error: Error) -> UsernameError {
    match error {
        Error::BadCodepoint(info) if char::from_u32(info.cp).is_some_and(char::is_whitespace) => {
            UsernameError::Space
        }
        Error::BadCodepoint(_) | Error::Unexpected(_) => UsernameError::Character,
        Error::Invalid => UsernameError::Direction,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_too_long_is_not_looked_at() {
        // Some characters have the profile look at the whole text, each time: a thousand of them cost 50 ms.
        let text = format!("A{} x", "\u{30fb}".repeat(1000));
        assert_eq!(Username::parse(&text[..text.len() - 2]), Err(UsernameError::TooLong));
        assert_eq!(Username::parse(&text), Err(UsernameError::TooLong), "and not for its space");
        let longest = "x".repeat(MAX_CODE_POINTS);
        assert!(Username::parse(&longest).is_ok());
        assert_eq!(Username::parse(&(longest + "x")), Err(UsernameError::TooLong));
    }

    #[test]
    fn names_are_compared_by_the_profile() {
        let same = [
            ("juliet", "Juliet"),
            ("fran\u{e7}ois", "FRANC\u{327}OIS"),
            ("ｊｕｌｉｅｔ", "juliet"),
            ("σ", "Σ"),
            ("\u{212b}", "å"),
        ];
        for (a, b) in same {
            assert_eq!(Username::parse(a).unwrap().key(), Username::parse(b).unwrap().key(), "{a} and {b}");
        }
        // RFC 8265, section 3.5: these stay apart.
        for (a, b) in [("fussball", "fu\u{df}ball"), ("π", "Π\u{301}"), ("σ", "ς")] {
            assert_ne!(Username::parse(a).unwrap().key(), Username::parse(b).unwrap().key(), "{a} and {b}");
        }
    }

    #[test]
    fn what_was_written_is_kept_in_nfc() {
        let name = Username::parse("Franc\u{327}ois").unwrap();
        assert_eq!((name.as_str(), name.key()), ("Fran\u{e7}ois", "fran\u{e7}ois"));
        assert_eq!(name.to_string(), name.as_str());
    }

    #[test]
    fn refusals_name_their_reason() {
        use UsernameError::*;
        let table = [
            ("", Empty),
            ("foo bar", Space),
            (" foo", Space),
            ("foo\u{3000}", Space),
            ("foo\n", Space),
            ("foo\0", Character),
            ("a@b", AtSign),
            ("a\u{ff20}b", AtSign),
            ("henry\u{2163}", Character),
            ("\u{265a}", Character),
            ("\u{200b}", Character),
            ("a\u{202e}b", Character),
            ("a\u{5d0}", Direction),
            ("\u{e000}", Character),
        ];
        for (text, error) in table {
            assert_eq!(Username::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_counted_in_code_points() {
        assert!(Username::parse(&"ü".repeat(255)).is_ok());
        assert!(Username::parse(&"u\u{308}".repeat(255)).is_ok());
        for n in [256, 1 << 20] {
            assert_eq!(Username::parse(&"ü".repeat(n)), Err(UsernameError::TooLong));
        }
    }

    proptest! {
        #[test]
        fn keys_are_stable(text in ".{0,40}|[\\p{L}\\p{N}\\p{Mn}]{1,20}") {
            if let Ok(name) = Username::parse(&text) {
                let again = Username::parse(name.key()).unwrap();
                prop_assert_eq!(again.key(), name.key());
                prop_assert_eq!(Username::parse(name.as_str()).unwrap(), name);
            }
        }
    }
}
