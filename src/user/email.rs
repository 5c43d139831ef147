//! E-mail addresses: one policy, used everywhere.

use std::fmt;
use std::sync::LazyLock;

use email_address::{EmailAddress, Options};
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use regex::Regex;

use super::fold::fold;

/// Longest local part, in octets (RFC 5321, section 4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// Longest address, in octets (RFC 5321, section 4.5.3.1.3, less the angle brackets; RFC 3696, erratum 1690).
const MAX_ADDRESS: usize = 254;

/// An e-mail address: `dot-atom@domain` of RFC 5321, with the non-ASCII letters of RFC 6531. No display name, no
/// comment, no quoted local part, no IP address, and a domain of at least two labels whose last begins with a letter.
///
/// It is kept twice. [`Email::as_str`] is what was written, for display and for mail. [`Email::key`] decides whether
/// two addresses are the same, and therefore one account:
/// - the domain as lower-case A-labels (UTS #46, non-transitional), so `Bücher.example` is `xn--bcher-kva.example`;
/// - the local part in NFC under full Unicode case folding (Unicode 3.13, the `C` and `F` mappings, no locale), in
///   NFC again. SMTP lets a host tell `Smith` from `smith`; none that matters does, and people do not. NFC and not
///   NFKC, because the rules of one provider (dots, `+tags`, ligatures) are not those of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email {
    written: String,
    key: String,
}

/// Why a text is not an e-mail address. The words are for people and never repeat the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// No `@`.
    #[error("there is no @-sign")]
    NoAtSign,
    /// `Name <address>` or a part of that.
    #[error("only the address itself may be given, without a name or angle brackets")]
    DisplayName,
    /// Nothing before the `@`.
    #[error("the part before the @-sign is empty")]
    LocalEmpty,
    /// More than 64 octets before the `@`.
    #[error("the part before the @-sign is longer than {MAX_LOCAL} bytes")]
    LocalTooLong,
    /// A quoted local part; unquoted it would be a second spelling of the same mailbox.
    #[error("the part before the @-sign is in quotes, which is not supported")]
    LocalQuoted,
    /// A character or a dot where none may be.
    #[error("the part before the @-sign has a character or a dot that may not be there")]
    LocalInvalid,
    /// White space, a control character, or one that cannot be seen.
    #[error("it contains a space or an invisible character")]
    Invisible,
    /// Nothing after the `@`.
    #[error("the part after the @-sign is empty")]
    DomainEmpty,
    /// Not a host name.
    #[error("the part after the @-sign is not a valid domain")]
    DomainInvalid,
    /// Only one label.
    #[error("the part after the @-sign is not a complete domain such as example.com")]
    DomainIncomplete,
    /// An IP address, bracketed or bare.
    #[error("the part after the @-sign is an IP address instead of a domain")]
    DomainIsAddress,
    /// More than 254 octets.
    #[error("the address is longer than {MAX_ADDRESS} bytes")]
    TooLong,
}

impl Email {
    /// Reads one address. Nothing is trimmed.
    ///
    /// # Errors
    /// The first [`EmailError`] found, from left to right.
    pub fn parse(text: &str) -> Result<Email, EmailError> {
        if text.len() > MAX_ADDRESS {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError::NoAtSign)?;
        check_local(local)?;
        let domain = to_a_labels(domain)?;
        // Normalisation may turn a letter into what may not be there (U+037E is a semicolon then) and make a text longer.
        let folded = fold(local);
        check_local(&folded)?;
        check_syntax(&folded, &domain)?;
        // Both spellings are used on the wire, and the A-labels may be the longer one.
        if local.len().max(folded.len()) + 1 + domain.len() > MAX_ADDRESS {
            return Err(EmailError::TooLong);
        }
        Ok(Email { written: text.to_owned(), key: format!("{folded}@{domain}") })
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The normalised address: equal for equal mailboxes, and itself an address with the same key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The domain as lower-case A-labels.
    pub fn domain(&self) -> &str {
        self.key.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

fn check_local(local: &str) -> Result<(), EmailError> {
    // Control, format, private and unassigned characters, white space, and everything else a font leaves blank: two
    // addresses that look alike must not be two accounts, and no address may break a log line or a mail header.
    static INVISIBLE: LazyLock<Regex> =
        LazyLock::new(|| class(r"[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]"));
    if local.contains(['<', '>']) {
        return Err(EmailError::DisplayName);
    }
    if local.is_empty() {
        return Err(EmailError::LocalEmpty);
    }
    if local.starts_with('"') {
        return Err(EmailError::LocalQuoted);
    }
    if INVISIBLE.is_match(local) {
        return Err(EmailError::Invisible);
    }
    if local.len() > MAX_LOCAL {
        return Err(EmailError::LocalTooLong);
    }
    Ok(())
}

/// The domain as lower-case A-labels.
fn to_a_labels(domain: &str) -> Result<String, EmailError> {
    // UTS #46 silently drops some invisible characters. The joiners are left to it, since several scripts need them
    // and it checks their context.
    static INVISIBLE: LazyLock<Regex> =
        LazyLock::new(|| class(r"[[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]--[\u{200C}\u{200D}]]"));
    if domain.is_empty() {
        return Err(EmailError::DomainEmpty);
    }
    if domain.ends_with('>') {
        return Err(EmailError::DisplayName);
    }
    if domain.starts_with('[') {
        return Err(EmailError::DomainIsAddress);
    }
    if INVISIBLE.is_match(domain) {
        return Err(EmailError::Invisible);
    }
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| EmailError::DomainInvalid)?;
    let (_, last) = ascii.rsplit_once('.').ok_or(EmailError::DomainIncomplete)?;
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(EmailError::DomainIsAddress);
    }
    if !last.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(EmailError::DomainInvalid);
    }
    Ok(ascii.into_owned())
}

/// Holds the address against the grammar. Every visible non-ASCII character is `atext` by RFC 6531, section 3.3; the
/// parser knows only some of them (a decomposed é fails), so each stands for a letter here.
fn check_syntax(local: &str, domain: &str) -> Result<(), EmailError> {
    let mut masked: String = local.chars().map(|c| if c.is_ascii() { c } else { 'x' }).collect();
    masked.push('@');
    let before_domain = masked.len();
    masked.push_str(domain);
    let strict = Options { minimum_sub_domains: 2, allow_domain_literal: false, allow_display_text: false };
    match EmailAddress::parse_with_options(&masked, strict) {
        Ok(_) => Ok(()),
        Err(_) if EmailAddress::is_valid_local_part(&masked[..before_domain - 1]) => {
            Err(EmailError::DomainInvalid)
        }
        Err(_) => Err(EmailError::LocalInvalid),
    }
}

fn class(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern that the tests compile")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    fn key(text: &str) -> String {
        Email::parse(text).unwrap_or_else(|e| panic!("{text:?}: {e}")).key().to_owned()
    }

    #[test]
    fn spellings_of_one_mailbox_have_one_key() {
        let spellings: [&[&str]; 8] = [
            &[
                "ada@example.com",
                "ADA@EXAMPLE.COM",
                "Ada@Example.Com",
                "ada@ｅｘａｍｐｌｅ.com",
                "ada@example。com",
            ],
            &[
                "zo\u{eb}@example.com",
                "zoe\u{308}@example.com",
                "ZO\u{cb}@example.com",
                "ZOE\u{308}@Example.com",
            ],
            &[
                "a@b\u{fc}cher.example",
                "a@bu\u{308}cher.example",
                "A@B\u{dc}CHER.example",
                "a@xn--bcher-kva.example",
            ],
            &["straße@example.com", "STRASSE@example.com", "STRAẞE@example.com"],
            &["ς@example.com", "Σ@example.com", "σ@example.com"],
            &["i\u{307}@example.com", "\u{130}@example.com"],
            &["\u{212a}elvin@example.com", "kelvin@example.com"],
            &["ꮳ@example.com", "Ꮳ@example.com"],
        ];
        for group in spellings {
            for spelling in group {
                assert_eq!(key(spelling), key(group[0]), "{spelling}");
                assert_eq!(Email::parse(spelling).unwrap().as_str(), *spelling);
            }
        }
    }

    #[test]
    fn different_mailboxes_have_different_keys() {
        for (a, b) in [
            ("a.b@example.com", "ab@example.com"),
            ("a+b@example.com", "a@example.com"),
            ("\u{131}@example.com", "i@example.com"),
            ("\u{fb01}n@example.fi", "\u{ff46}in@example.fi"),
            ("a@faß.example", "a@fass.example"),
        ] {
            assert_ne!(key(a), key(b), "{a} and {b}");
        }
    }

    #[test]
    fn ordinary_and_unusual_addresses_are_accepted() {
        for text in [
            "a@b.co",
            "o'hara@example.ie",
            "x!#$%&'*+-/=?^_`{|}~y@example.com",
            "1@2.com",
            "अजय@डाटा.भारत",
            "用户@例子.公司",
            "क्ष@example.com",
            "a@a--b.com",
            "a@r3---sn-x.example.com",
            "😀@example.com",
        ] {
            assert!(Email::parse(text).is_ok(), "{text}: {:?}", Email::parse(text));
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        use EmailError::*;
        let table: [(EmailError, &[&str]); 10] = [
            (NoAtSign, &["", "example.com"]),
            (
                DisplayName,
                &["Ada <ada@example.com>", " <ada@example.com>", "<ada@example.com>", "ada@example.com>"],
            ),
            (LocalEmpty, &["@example.com"]),
            (LocalQuoted, &["\"ada\"@example.com", "\"a@b\"@example.com"]),
            (
                LocalInvalid,
                &[
                    "a..b@example.com",
                    ".a@example.com",
                    "a.@example.com",
                    "a@b@example.com",
                    "a(c)@example.com",
                    "a,b@example.com",
                    "a\u{37e}b@example.com",
                ],
            ),
            (
                Invisible,
                &[
                    " ada@example.com",
                    "ada@example.com ",
                    "a b@example.com",
                    "ada@example.com\n",
                    "a\r\nb@example.com",
                    "a\0@example.com",
                    "a\u{200b}@example.com",
                    "a\u{202e}@example.com",
                    "a\u{fe0f}@x.com",
                    "a\u{85}b@example.com",
                    "a\u{3164}@example.com",
                    "a@ex\u{ad}ample.com",
                    "a@\u{feff}example.com",
                ],
            ),
            (DomainEmpty, &["a@"]),
            (DomainIncomplete, &["a@localhost"]),
            (DomainIsAddress, &["a@[127.0.0.1]", "a@[IPv6:::1]", "a@127.0.0.1"]),
            (
                DomainInvalid,
                &[
                    "a@example.1a",
                    "a@example..com",
                    "a@.example.com",
                    "a@example.com.",
                    "a@-example.com",
                    "a@exa_mple.com",
                    "a@exam(c)ple.com",
                    "a@xn--\u{fc}.com",
                    "a@a\u{200d}b.com",
                ],
            ),
        ];
        for (error, texts) in table {
            for text in texts {
                assert_eq!(Email::parse(text), Err(error), "{text:?}");
            }
        }
    }

    #[test]
    fn lengths_are_counted_in_octets() {
        let local = |n| Email::parse(&format!("{}@example.com", "a".repeat(n)));
        assert!(local(64).is_ok());
        assert_eq!(local(65), Err(EmailError::LocalTooLong));
        assert_eq!(Email::parse(&format!("{}@example.com", "é".repeat(33))), Err(EmailError::LocalTooLong));
        // 64 bytes as written, 96 when folded.
        assert_eq!(Email::parse(&format!("{}@example.com", "ŉ".repeat(32))), Err(EmailError::LocalTooLong));

        let domain = format!("{0}.{0}.{1}.com", "b".repeat(63), "c".repeat(57));
        let longest = format!("{}@{domain}", "a".repeat(64));
        assert_eq!((longest.len(), Email::parse(&longest).is_ok()), (254, true));
        assert_eq!(Email::parse(&longest.replace(".com", ".info")), Err(EmailError::TooLong));
        assert_eq!(Email::parse(&format!("a@{}.com", "b".repeat(64))), Err(EmailError::DomainInvalid));
        // 25 characters of three bytes are more than 63 bytes, but their A-label is not.
        assert!(Email::parse(&format!("a@{}.com", "例".repeat(25))).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".{0,80}|\\PC{1,20}@\\PC{1,20}\\.com") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(email.as_str(), &text);
                prop_assert!(!email.key().chars().any(char::is_whitespace));
            }
        }

        #[test]
        fn a_key_is_an_address_with_itself_as_key(text in "[\\p{L}\\p{M}0-9._+-]{1,12}@[a-zß-öÄ-Ü0-9-]{1,10}\\.(com|Example|de)") {
            if let Ok(email) = Email::parse(&text) {
                // Folding may lengthen a local part past its limit; that text is a key but no address.
                if email.key().rsplit_once('@').unwrap().0.len() <= MAX_LOCAL {
                    let again = Email::parse(email.key()).unwrap();
                    prop_assert_eq!(again.key(), email.key());
                }
            }
        }

        #[test]
        fn case_and_normal_form_never_matter(text in "[\\p{Latin}\\p{Greek}\\p{Cyrillic}\\p{Mn}]{1,8}@[a-z]{1,8}\\.com") {
            let Ok(email) = Email::parse(&text) else { return Ok(()) };
            let decomposed: String = text.nfd().collect();
            let upper: String = text.chars().map(|c| if c == 'ı' { c.to_string() } else { c.to_uppercase().collect() }).collect();
            for spelling in [decomposed, upper] {
                if let Ok(other) = Email::parse(&spelling) {
                    prop_assert_eq!(other.key(), email.key());
                }
            }
        }
    }
}
