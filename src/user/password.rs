//! The password as a value.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// A password in Unicode normalisation form C (NIST SP 800-63B-4, section 3.1.1.2): one that was typed composed and
/// one that was typed decomposed are the same. Otherwise it stays exactly as written: never trimmed, never cut, no
/// change of case, NUL and spaces included. Its memory is wiped on drop, and it cannot be cloned or printed.
pub struct Password {
    text: Zeroizing<String>,
}

/// Why a text cannot be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// There is nothing in it.
    #[error("the password is empty")]
    Empty,
    /// More than [`Password::MAX_BYTES`].
    #[error("the password is longer than {} bytes", Password::MAX_BYTES)]
    TooLong,
}

impl Password {
    /// The longest password, in bytes of UTF-8 after normalisation. It bounds the work before any hashing and leaves
    /// room for a passphrase of 256 characters of any script.
    pub const MAX_BYTES: usize = 1024;

    /// Normalisation never shrinks a text to less than a third of its bytes (three Hangul jamo of three bytes each
    /// become one syllable of three bytes), so anything longer than this is refused without looking at it.
    pub const MAX_BYTES_WRITTEN: usize = 3 * Password::MAX_BYTES;

    /// Normalises `text` and measures it. How strong it must be is for others to say.
    ///
    /// # Errors
    /// [`PasswordError`] when it is empty or too long.
    pub fn parse(text: &str) -> Result<Password, PasswordError> {
        if text.is_empty() {
            return Err(PasswordError::Empty);
        }
        if text.len() > Password::MAX_BYTES_WRITTEN {
            return Err(PasswordError::TooLong);
        }
        // Reserved at full size, because a string that grows leaves unwiped copies behind.
        let mut normal = Zeroizing::new(String::with_capacity(Password::MAX_BYTES));
        for c in text.nfc() {
            if normal.len() + c.len_utf8() > Password::MAX_BYTES {
                return Err(PasswordError::TooLong);
            }
            normal.push(c);
        }
        Ok(Password { text: normal })
    }

    /// The bytes to hash: UTF-8 in NFC, 1 to [`Password::MAX_BYTES`] of them.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_are_those_of_the_normal_form() {
        assert_eq!(Password::parse("").unwrap_err(), PasswordError::Empty);
        assert!(Password::parse(&"a".repeat(1024)).is_ok());
        assert_eq!(Password::parse(&"a".repeat(1025)).unwrap_err(), PasswordError::TooLong);
        assert_eq!(Password::parse(&"a".repeat(1 << 20)).unwrap_err(), PasswordError::TooLong);
        let syllables = 341; // Of three bytes each; written as jamo they take 3069 bytes.
        assert!(Password::parse(&"\u{1112}\u{1161}\u{11ab}".repeat(syllables)).is_ok());
    }

    #[test]
    fn composed_and_decomposed_are_one_password_and_nothing_else_is() {
        let same = |a: &str, b: &str| {
            Password::parse(a).unwrap().as_bytes() == Password::parse(b).unwrap().as_bytes()
        };
        assert!(same("caf\u{e9}", "cafe\u{301}"));
        for (a, b) in
            [("a", "A"), ("a", "a "), ("a", " a"), ("a", "a\0"), ("\u{fb01}", "fi"), ("a\0b", "a\0c")]
        {
            assert!(!same(a, b), "{a:?} and {b:?}");
        }
    }

    #[test]
    fn it_does_not_print_itself() {
        assert_eq!(format!("{:?}", Password::parse("secret").unwrap()), "Password(..)");
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent(text in "\\PC{1,200}|.{1,200}") {
            if let Ok(once) = Password::parse(&text) {
                let normal = std::str::from_utf8(once.as_bytes()).unwrap();
                let twice = Password::parse(normal).unwrap();
                prop_assert_eq!(once.as_bytes(), twice.as_bytes());
            }
        }

        #[test]
        fn twins_that_differ_in_one_byte_stay_different(
            text in "[ -~]{140,300}",
            place in prop::sample::select(vec![0_usize, 55, 71, 72, 73, 127, 128, 129, 139]),
        ) {
            let mut twin = text.clone().into_bytes();
            twin[place] = if twin[place] == b'x' { b'y' } else { b'x' };
            let twin = String::from_utf8(twin).unwrap();
            let (one, other) = (Password::parse(&text).unwrap(), Password::parse(&twin).unwrap());
            prop_assert_ne!(one.as_bytes(), other.as_bytes());
        }
    }
}
