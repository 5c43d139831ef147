//! A solution as clients write it: Base64 of a JSON object.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// The longest solution that is looked at, in bytes: three times what the widget sends.
pub const LONGEST: usize = 1024;

/// The only hash that challenges ask for.
pub(super) const ALGORITHM: &str = "SHA-256";

/// The characters of random hexadecimal digits in a salt.
const RANDOM: usize = 32;

/// A solution that is well-formed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Solution {
    pub(super) challenge: [u8; 32],
    pub(super) number: u64,
    pub(super) salt: String,
    pub(super) signature: [u8; 32],
    /// From the salt, in seconds of Unix time.
    pub(super) expires: i64,
    /// From the salt.
    pub(super) maxnumber: u64,
}

/// Its members; the widget adds how long it took, and others are passed over, too.
#[derive(Deserialize)]
struct Written {
    algorithm: String,
    challenge: String,
    number: u64,
    salt: String,
    signature: String,
}

impl Solution {
    /// Reads exactly what [`Challenge`](super::Challenge) leads to, and nothing that only resembles it.
    pub(super) fn read(sent: &str) -> Option<Solution> {
        if sent.len() > LONGEST {
            return None;
        }
        let text = STANDARD.decode(sent).ok()?;
        // A list of the same values would do for serde.
        if text.first() != Some(&b'{') {
            return None;
        }
        let written: Written = serde_json::from_slice(&text).ok()?;
        let (expires, maxnumber) = terms(&written.salt)?;
        (written.algorithm == ALGORITHM).then_some(())?;
        Some(Solution {
            challenge: unhex(&written.challenge)?,
            number: written.number,
            signature: unhex(&written.signature)?,
            salt: written.salt,
            expires,
            maxnumber,
        })
    }
}

/// The expiry and the difficulty that stand in a salt.
fn terms(salt: &str) -> Option<(i64, u64)> {
    let (random, rest) = salt.split_at_checked(RANDOM)?;
    let (expires, maxnumber) =
        rest.strip_prefix("?expires=")?.strip_suffix('&')?.split_once("&maxnumber=")?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (random.bytes().all(is_hex) && digits(expires) && digits(maxnumber)).then_some(())?;
    Some((expires.parse().ok()?, maxnumber.parse().ok()?))
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// In lower-case digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    (text.len() == 2 * out.len() && text.bytes().all(is_hex)).then_some(())?;
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}
