//! How a hash is written in the database: the PHC string format
//! (<https://github.com/P-H-C/phc-string-format>), as every Argon2 library reads and writes it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use subtle::ConstantTimeEq;

use super::{KeyId, Params, ParamsError};

/// Longest text that is looked at; the longest one that is accepted has less.
const MAX_TEXT: usize = 320;

/// A stored Argon2id hash: `$argon2id$v=19$m=19456,t=2,p=1$salt$tag`, with `,keyid=..` behind the cost when a pepper went
/// into it.
#[derive(Clone, PartialEq, Eq)]
pub struct Phc {
    params: Params,
    key_id: Option<KeyId>,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

/// Why a text is not a stored hash that may be computed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhcError {
    /// It is not a PHC string, or a part of it is malformed.
    #[error("the stored password is not a PHC string of Argon2id")]
    Malformed,
    /// Another function than Argon2id, or another version than 1.3.
    #[error("the stored password was hashed by another function than Argon2id, version 19")]
    Unsupported,
    /// A salt of other than 8 to 64 bytes, or a tag of other than 16 to 64.
    #[error("the stored password has a salt of other than 8 to 64 bytes, or a tag of other than 16 to 64")]
    Length,
    /// The cost is impossible, or too high to be computed for whoever wrote it.
    #[error("the stored password cannot be verified: {0}")]
    Params(#[from] ParamsError),
}

impl Phc {
    /// A hash that was computed just now. Whether its parts are within the limits of [`Phc::parse`] is for the caller
    /// to know.
    pub fn new(params: Params, key_id: Option<KeyId>, salt: &[u8], tag: &[u8]) -> Phc {
        Phc { params, key_id, salt: salt.to_owned(), tag: tag.to_owned() }
    }

    /// Reads a stored hash. `m`, `t` and `p` may stand in any order, since some libraries write another. All limits
    /// are checked on the numbers, before anything is reserved for them.
    ///
    /// # Errors
    /// [`PhcError`].
    pub fn parse(text: &str) -> Result<Phc, PhcError> {
        if text.len() > MAX_TEXT {
            return Err(PhcError::Malformed);
        }
        let mut parts = text.strip_prefix('$').ok_or(PhcError::Malformed)?.split('$');
        let mut next = || parts.next().ok_or(PhcError::Malformed);
        if next()? != "argon2id" || next()? != "v=19" {
            return Err(PhcError::Unsupported);
        }
        let (params, salt, tag) = (next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(PhcError::Malformed);
        }
        let (params, key_id) = parse_params(params)?;
        params.check_bounds()?;
        let [salt, tag] = [salt, tag].map(|text| BASE64.decode(text).map_err(|_| PhcError::Malformed));
        let (salt, tag) = (salt?, tag?);
        if !(8..=64).contains(&salt.len()) || !(16..=64).contains(&tag.len()) {
            return Err(PhcError::Length);
        }
        Ok(Phc { params, key_id, salt, tag })
    }

    /// The cost with which it was computed.
    pub fn params(&self) -> Params {
        self.params
    }

    /// The pepper that went into it.
    pub fn key_id(&self) -> Option<&KeyId> {
        self.key_id.as_ref()
    }

    /// The salt.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// How long the tag is, in bytes.
    pub fn tag_len(&self) -> usize {
        self.tag.len()
    }

    /// Whether `tag` is the stored one, in a time that does not tell where they differ.
    pub fn has_tag(&self, tag: &[u8]) -> bool {
        self.tag.ct_eq(tag).into()
    }
}

impl fmt::Display for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Params { memory_kib, iterations, parallelism } = self.params;
        let [salt, tag] = [&self.salt, &self.tag].map(|bytes| BASE64.encode(bytes));
        write!(f, "$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}")?;
        if let Some(id) = &self.key_id {
            write!(f, ",keyid={}", id.to_phc())?;
        }
        write!(f, "${salt}${tag}")
    }
}

impl fmt::Debug for Phc {
    /// The cost alone: with salt and tag a password can be guessed offline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phc").field("params", &self.params).finish_non_exhaustive()
    }
}

fn parse_params(text: &str) -> Result<(Params, Option<KeyId>), PhcError> {
    let (mut memory_kib, mut iterations, mut parallelism, mut key_id) = (None, None, None, None);
    for part in text.split(',') {
        let (name, number) = part.split_once('=').ok_or(PhcError::Malformed)?;
        let place = match name {
            "m" => &mut memory_kib,
            "t" => &mut iterations,
            "p" => &mut parallelism,
            "keyid" if key_id.is_none() => {
                key_id = Some(KeyId::of_phc(number).ok_or(PhcError::Unsupported)?);
                continue;
            }
            // Associated data would be needed to compute the tag.
            "data" => return Err(PhcError::Unsupported),
            _ => return Err(PhcError::Malformed),
        };
        if place.replace(parse_decimal(number)?).is_some() {
            return Err(PhcError::Malformed);
        }
    }
    match (memory_kib, iterations, parallelism) {
        (Some(memory_kib), Some(iterations), Some(parallelism)) => {
            Ok((Params { memory_kib, iterations, parallelism }, key_id))
        }
        _ => Err(PhcError::Malformed),
    }
}

/// A decimal number of the format: digits, without sign or leading zero. One beyond 32 bits is too costly whatever
/// it counts.
fn parse_decimal(text: &str) -> Result<u32, PhcError> {
    if text.is_empty()
        || !text.bytes().all(|b| b.is_ascii_digit())
        || (text.len() > 1 && text.starts_with('0'))
    {
        return Err(PhcError::Malformed);
    }
    text.parse().map_err(|_| PhcError::Params(ParamsError::TooCostly))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From the reference implementation's own tests (phc-winner-argon2, src/test.c), "password" with "somesalt".
    const KNOWN: &str =
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    #[test]
    fn a_known_string_reads_and_writes_back() {
        let phc = Phc::parse(KNOWN).unwrap();
        assert_eq!(phc.params(), Params { memory_kib: 256, iterations: 2, parallelism: 1 });
        assert_eq!((phc.salt(), phc.tag_len()), (&b"somesalt"[..], 32));
        assert_eq!(phc.to_string(), KNOWN);
        assert_eq!(Phc::parse(&KNOWN.replace("m=256,t=2,p=1", "t=2,p=1,m=256")), Ok(phc.clone()));
        assert!(!format!("{phc:?}").contains("115"), "the salt's bytes stay out of Debug");
    }

    #[test]
    fn p6_costs_are_refused_while_they_are_numbers() {
        use ParamsError::*;
        for (cost, error) in [
            ("m=4194304,t=1,p=1", TooCostly),
            ("m=4294967295,t=1,p=1", TooCostly),
            ("m=99999999999999999999,t=1,p=1", TooCostly),
            ("m=256,t=65,p=1", TooCostly),
            ("m=1048576,t=64,p=1", TooCostly),
            ("m=256,t=2,p=17", TooCostly),
            ("m=256,t=0,p=1", Impossible),
            ("m=15,t=1,p=2", Impossible),
        ] {
            let text = KNOWN.replace("m=256,t=2,p=1", cost);
            assert_eq!(Phc::parse(&text), Err(PhcError::Params(error)), "{cost}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        use PhcError::*;
        for (from, to, error) in [
            ("$argon2id", "argon2id", Malformed),
            ("argon2id", "argon2i", Unsupported),
            ("v=19", "v=16", Unsupported),
            ("v=19$", "", Unsupported),
            ("p=1", "p=1,p=1", Malformed),
            (",p=1", "", Malformed),
            ("p=1", "p=1,data=AAAA", Unsupported),
            ("p=1", "p=1,keyid=", Unsupported),
            ("p=1", "p=1,keyid=YWJjZGVmZ2hp", Unsupported),
            ("p=1", "p=1,keyid=YQ,keyid=YQ", Malformed),
            ("p=1", "p=01", Malformed),
            ("p=1", "p=+1", Malformed),
            ("p=1", "p=", Malformed),
            ("p=1", "p=1,", Malformed),
            ("p=1", "q=1", Malformed),
            ("c29tZXNhbHQ", "c29tZXNhbHQ=", Malformed),
            ("c29tZXNhbHQ", "c29t*XNhbHQ", Malformed),
            ("c29tZXNhbHQ", "c29tZXNhbHR", Malformed),
            ("c29tZXNhbHQ", "c29tZXNhbA", Length),
            ("$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "$nf65EOgLrQMR", Length),
            ("$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "", Malformed),
            ("Gi/4", "Gi/4$", Malformed),
        ] {
            assert!(KNOWN.contains(from));
            assert_eq!(Phc::parse(&KNOWN.replace(from, to)), Err(error), "{from} -> {to}");
        }
        for text in ["", "$", "$$$$$", "$2b$12$abcdefghijklmnopqrstuv", "plain"] {
            assert!(Phc::parse(text).is_err(), "{text}");
        }
        assert_eq!(Phc::parse(&KNOWN.replace("c29t", &"c29t".repeat(100))), Err(Malformed));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            (memory_kib, iterations, parallelism) in (128_u32..=65_536, 1_u32..=64, 1_u32..=16),
            salt in prop::collection::vec(any::<u8>(), 8..=64),
            tag in prop::collection::vec(any::<u8>(), 16..=64),
            id in prop::option::of("[A-Za-z0-9._-]{1,8}"),
        ) {
            let id = id.and_then(|id| KeyId::parse(&id));
            let phc = Phc::new(Params { memory_kib, iterations, parallelism }, id, &salt, &tag);
            let text = phc.to_string();
            prop_assert!(text.len() <= 255, "the column holds it");
            let read = Phc::parse(&text).unwrap();
            prop_assert!(read.has_tag(&tag));
            prop_assert_eq!(read, phc);
        }

        #[test]
        fn no_text_breaks_the_parser(
            text in ".{0,60}|\\$argon2id\\$v=19\\$[mtp=,0-9]{0,20}\\$[A-Za-z0-9+/]{0,90}\\$[A-Za-z0-9+/]{0,90}",
            cut in any::<prop::sample::Index>(),
            other in any::<char>(),
        ) {
            for text in [text, KNOWN.to_owned()] {
                let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
                let at = *cut.get(&places);
                let _ = Phc::parse(&text[..at]);
                let _ = Phc::parse(&format!("{}{other}{}", &text[..at], &text[at..]));
            }
        }
    }
}
