//! Peppers: secrets outside of the database that a hash needs beside the password, so that a stolen database alone
//! verifies nothing. They are Argon2's secret value `K` (RFC 9106, section 3.1); which one a hash was made with stands in
//! its PHC string as `keyid`.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Shortest secret, in bytes.
const MIN_SECRET: usize = 32;
/// Longest id, in bytes: what the PHC format allows for Argon2's `keyid`.
const MAX_ID: usize = 8;
/// Base64 as programs write it, with or without `=` at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The name of a pepper: 1 to 8 ASCII letters, digits, `-`, `_` or `.`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// Reads a name as it stands in the file.
    pub fn parse(text: &str) -> Option<KeyId> {
        let is_good = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let fits = (1..=MAX_ID).contains(&text.len()) && text.bytes().all(is_good);
        fits.then(|| KeyId(text.into()))
    }

    /// Reads it as it stands in a PHC string, where it is in Base64.
    pub fn of_phc(text: &str) -> Option<KeyId> {
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        KeyId::parse(std::str::from_utf8(&bytes).ok()?)
    }

    /// As it stands in a PHC string.
    pub fn to_phc(&self) -> String {
        STANDARD_NO_PAD.encode(self.0.as_bytes())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One secret and its name. It is wiped when it is dropped.
pub(super) struct Pepper {
    pub(super) id: KeyId,
    pub(super) secret: Zeroizing<Vec<u8>>,
}

/// The peppers of a deployment, the oldest first; none is also a choice. Clones share them.
#[derive(Clone, Default)]
pub struct Peppers(Vec<Arc<Pepper>>);

/// Why a file holds no peppers.
#[derive(Debug, thiserror::Error)]
pub enum PepperError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It is not what it should be: every bad line, counted from 1. The words do not repeat what stands there.
    #[error("is not a list of peppers: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Lines(Vec<BadLine>),
}

/// A line of the file that is no pepper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {fault}")]
pub struct BadLine {
    /// Counted from 1; behind the last one when the file is empty.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not two words.
    #[error("is not an id and a secret")]
    Shape,
    /// The first word.
    #[error("has an id of other than 1 to {MAX_ID} letters, digits, `-`, `_` and `.`")]
    Id,
    /// The first word again.
    #[error("has the id of an earlier line")]
    Again,
    /// The second word.
    #[error("has a secret that is not in Base64")]
    Base64,
    /// Too little.
    #[error("has a secret of less than {MIN_SECRET} bytes")]
    Short,
    /// No pepper at all.
    #[error("is the end, and there is no pepper")]
    None,
}

impl Peppers {
    /// Reads a file: a line `ID SECRET` for each, the secret in Base64; the last one is for new hashes, and the others are
    /// for those that were made with them. Empty lines and those that begin with `#` count for nothing.
    ///
    /// # Errors
    /// [`PepperError`].
    pub fn read(file: &Path) -> Result<Peppers, PepperError> {
        let text = Zeroizing::new(std::fs::read_to_string(file)?);
        Peppers::parse(&text).map_err(PepperError::Lines)
    }

    fn parse(text: &str) -> Result<Peppers, Vec<BadLine>> {
        let mut peppers: Vec<Arc<Pepper>> = Vec::new();
        let mut bad = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match pepper(line) {
                Ok(pepper) if peppers.iter().any(|other| other.id == pepper.id) => {
                    bad.push(BadLine { line: number + 1, fault: Fault::Again });
                }
                Ok(pepper) => peppers.push(Arc::new(pepper)),
                Err(fault) => bad.push(BadLine { line: number + 1, fault }),
            }
        }
        if bad.is_empty() && peppers.is_empty() {
            bad.push(BadLine { line: text.lines().count() + 1, fault: Fault::None });
        }
        if bad.is_empty() { Ok(Peppers(peppers)) } else { Err(bad) }
    }

    /// Whether this one is among them.
    pub fn has(&self, id: &KeyId) -> bool {
        self.find(id).is_some()
    }

    /// The one for new hashes.
    pub(super) fn newest(&self) -> Option<&Arc<Pepper>> {
        self.0.last()
    }

    pub(super) fn find(&self, id: &KeyId) -> Option<&Arc<Pepper>> {
        self.0.iter().find(|pepper| pepper.id == *id)
    }
}

impl fmt::Debug for Peppers {
    /// The names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|pepper| &pepper.id)).finish()
    }
}

/// A line for the file: this name and a secret of these bytes.
pub fn line(id: &KeyId, secret: &[u8; MIN_SECRET]) -> Zeroizing<String> {
    Zeroizing::new(format!("{id} {}", *Zeroizing::new(BASE64.encode(secret))))
}

fn pepper(line: &str) -> Result<Pepper, Fault> {
    let (id, secret) = line.split_once(char::is_whitespace).ok_or(Fault::Shape)?;
    let secret = secret.trim_start();
    if secret.contains(char::is_whitespace) {
        return Err(Fault::Shape);
    }
    let id = KeyId::parse(id).ok_or(Fault::Id)?;
    let secret = Zeroizing::new(BASE64.decode(secret).map_err(|_| Fault::Base64)?);
    if secret.len() < MIN_SECRET { Err(Fault::Short) } else { Ok(Pepper { id, secret }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_for_new_hashes_and_all_are_for_old_ones() {
        let (first, second) = (KeyId::parse("2025").unwrap(), KeyId::parse("a_b-c.d1").unwrap());
        let lines = [line(&first, &[1; 32]), line(&second, &[2; 32])];
        let text = format!("# the peppers\n\n {}\r\n{}==  \n", *lines[0], lines[1].trim_end_matches('='));
        // 32 bytes take 43 characters and one `=`, so two are one too many.
        assert_eq!(Peppers::parse(&text).unwrap_err(), [BadLine { line: 4, fault: Fault::Base64 }]);
        let peppers = Peppers::parse(&text.replace("==", "")).unwrap();
        assert_eq!(*peppers.newest().unwrap().secret, [2; 32]);
        assert_eq!(*peppers.find(&first).unwrap().secret, [1; 32]);
        assert!(!peppers.has(&KeyId::parse("2024").unwrap()));
        assert_eq!(format!("{peppers:?}"), r#"[KeyId("2025"), KeyId("a_b-c.d1")]"#);
    }

    #[test]
    fn every_bad_line_is_told_and_none_is_repeated() {
        let good = line(&KeyId::parse("a").unwrap(), &[1; 32]);
        let text = format!("{}\nb\nb c d\nlonger-id x\nb !\nb c2hvcnQ=\n{}\n", *good, *good);
        let bad = Peppers::parse(&text).unwrap_err();
        let faults: Vec<(usize, Fault)> = bad.iter().map(|bad| (bad.line, bad.fault)).collect();
        use Fault::*;
        assert_eq!(faults, [(2, Shape), (3, Shape), (4, Id), (5, Base64), (6, Short), (7, Again)]);
        let said = PepperError::Lines(bad).to_string();
        assert!(
            !said.contains("c2hv") && said.contains("line 6 has a secret of less than 32 bytes"),
            "{said}"
        );
        assert_eq!(Peppers::parse("# none\n").unwrap_err(), [BadLine { line: 2, fault: None }]);
    }

    #[test]
    fn ids_are_what_a_phc_string_can_hold() {
        for good in ["a", "12345678", "A.z-_9"] {
            let id = KeyId::parse(good).unwrap();
            assert_eq!(KeyId::of_phc(&id.to_phc()), Some(id));
        }
        for bad in ["", "123456789", "a b", "a$", "a,b", "é"] {
            assert_eq!(KeyId::parse(bad), None);
            assert_eq!(KeyId::of_phc(&STANDARD_NO_PAD.encode(bad)), None);
        }
        assert_eq!(KeyId::of_phc("not base64"), None);
    }
}
