//! The same request again: a client that heard no answer sends it once more and gets the answer of the first time, not
//! a second account and not "taken".
//!
//! A client names its request with an `Idempotency-Key` (the IETF's draft-ietf-httpapi-idempotency-key-header). The
//! answer that says that an account was made is kept with the account, in one transaction, under a keyed hash of that
//! key and of who asked; beside it stands a keyed hash of what was asked. The answer itself, which may hold a token, is
//! encrypted under a key that only the client's own makes: neither the database nor its backup gives it away.

mod key;

pub use key::{IdempotencyKey, KeyError};

use crate::clock::Clock;
use crate::contract::{Outcome, Reply};
use crate::store::{Kept, Repetition};
use crate::token;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Turns keys and requests into what the store may see. Every process on a database needs the same secret.
#[derive(Clone)]
pub struct Idempotency {
    digests: hmac::Key,
    fingerprints: hmac::Key,
    ciphers: hmac::Key,
    lifetime: Duration,
    window: Duration,
}

/// A request that may be asked again, and the means to keep its answer.
#[derive(Clone)]
pub struct Repeatable {
    /// What the store is told.
    pub repetition: Repetition,
    cipher: Zeroizing<[u8; 32]>,
}

/// Why a kept answer is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The key was used for something else.
    #[error("the idempotency key belongs to another request")]
    OtherRequest,
    /// It was altered, or written by a program of another age.
    #[error("the kept answer cannot be read")]
    Unreadable,
}

impl Idempotency {
    /// Keys are derived from the server's `secret`. An answer is kept for `lifetime`; without a key, a repetition of
    /// the very same request counts as one for `window` (zero: never).
    pub fn new(secret: &[u8], lifetime: Duration, window: Duration) -> Idempotency {
        let derived = |purpose: &str| token::key_for(secret, &format!("vestibule/idempotency/{purpose}"));
        Idempotency {
            digests: derived("digest"),
            fingerprints: derived("fingerprint"),
            ciphers: derived("cipher"),
            lifetime,
            window,
        }
    }

    /// Whether a request without a key can be a repetition.
    pub fn has_window(&self) -> bool {
        !self.window.is_zero()
    }

    /// A request as it may be repeated; `None` when it has no key and there is no window. `scope` is whose key it is:
    /// the same one from somebody else is another. `written` is all that was asked.
    pub fn repeatable(
        &self,
        key: Option<&IdempotencyKey>,
        scope: &[&str],
        written: &str,
        now: Timestamp,
    ) -> Option<Repeatable> {
        let fingerprint = bytes(hmac::sign(&self.fingerprints, &joined(scope, written.as_bytes())));
        // Without a key the request stands for itself.
        let (name, lifetime) = match key {
            Some(key) => (joined(scope, key.as_str().as_bytes()), self.lifetime),
            None if self.has_window() => (joined(&["window"], &fingerprint), self.window),
            None => return None,
        };
        let repetition = Repetition {
            digest: bytes(hmac::sign(&self.digests, &name)),
            fingerprint,
            expires_at: now.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
        };
        let cipher = Zeroizing::new(bytes(hmac::sign(&self.ciphers, &name)));
        Some(Repeatable { repetition, cipher })
    }
}

impl Repeatable {
    /// The answer as it is kept: nonce, ciphertext, tag. `None` only when the cipher itself fails.
    pub fn keep(&self, reply: &Reply, clock: &Clock) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = clock.random();
        let mut text = serde_json::to_vec(&Written::of(reply)).ok()?;
        let aad = Aad::from(self.repetition.digest);
        self.key()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .ok()
            .map(|()| [nonce.as_slice(), &text].concat())
    }

    /// The answer that was kept.
    ///
    /// # Errors
    /// When it answered something else, or cannot be read.
    pub fn replay(&self, kept: &Kept) -> Result<Reply, ReplayError> {
        // Both sides are keyed hashes; comparing them in constant time costs nothing all the same.
        if !bool::from(subtle::ConstantTimeEq::ct_eq(&*kept.fingerprint, &self.repetition.fingerprint[..])) {
            return Err(ReplayError::OtherRequest);
        }
        self.open(&kept.reply).ok_or(ReplayError::Unreadable)
    }

    fn open(&self, kept: &[u8]) -> Option<Reply> {
        let (nonce, rest) = kept.split_first_chunk::<NONCE_LEN>()?;
        let mut text = rest.to_vec();
        let aad = Aad::from(self.repetition.digest);
        let opened = self.key()?.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut text).ok()?;
        serde_json::from_slice::<Written>(opened).ok()?.reply()
    }

    fn key(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &*self.cipher).ok().map(LessSafeKey::new)
    }
}

/// A reply as it is kept. Only those that say that an account was made are.
#[derive(Serialize, Deserialize)]
struct Written {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: String,
}

impl Written {
    fn of(reply: &Reply) -> Written {
        let header = |(name, value): &(HeaderName, HeaderValue)| {
            (name.as_str().to_owned(), value.as_bytes().to_owned())
        };
        Written {
            status: reply.status,
            headers: reply.headers.iter().map(header).collect(),
            body: reply.body.clone(),
        }
    }

    fn reply(self) -> Option<Reply> {
        let header = |(name, value): (String, Vec<u8>)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(&value).ok()?))
        };
        let headers = self.headers.into_iter().map(header).collect::<Option<Vec<_>>>()?;
        Some(Reply { outcome: Outcome::Created, status: self.status, headers, body: self.body })
    }
}

/// The parts, each with its length before it, so that no two lists make the same bytes.
fn joined(scope: &[&str], last: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(last.len() + 64));
    for part in scope.iter().map(|part| part.as_bytes()).chain([last]) {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

fn bytes(tag: hmac::Tag) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Idempotency(..)")
    }
}

impl fmt::Debug for Repeatable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Repeatable(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn idempotency(window: Duration) -> Idempotency {
        Idempotency::new(b"0123456789abcdef0123456789abcdef", HOUR, window)
    }

    fn key(text: &str) -> IdempotencyKey {
        text.parse().expect("a key")
    }

    fn reply() -> Reply {
        Reply {
            outcome: Outcome::Created,
            status: 201,
            headers: vec![(
                http::header::LOCATION,
                HeaderValue::from_bytes(b"/users/\xff").expect("a value"),
            )],
            body: "{\"token\":\"secret\"}".to_owned(),
        }
    }

    fn kept(from: &Repeatable) -> Kept {
        let reply = from.keep(&reply(), &Clock::system()).expect("it is kept");
        Kept { fingerprint: from.repetition.fingerprint.to_vec(), reply }
    }

    #[test]
    fn the_same_request_gets_the_same_answer_and_nobody_else_does() {
        let ours = idempotency(Duration::ZERO);
        let now = Timestamp::UNIX_EPOCH;
        let of = |who: &Idempotency, k: &str, scope: &[&str], written: &str| {
            who.repeatable(Some(&key(k)), scope, written, now).expect("it has a key")
        };
        let first = of(&ours, "k", &["express", "192.0.2.1"], "{}");
        assert_eq!(first.repetition.expires_at, now + HOUR);
        let kept = kept(&first);
        assert_eq!(of(&ours, "\"k\"", &["express", "192.0.2.1"], "{}").replay(&kept), Ok(reply()));
        let other = of(&ours, "k", &["express", "192.0.2.1"], "[]");
        assert_eq!(other.repetition.digest, first.repetition.digest);
        assert_eq!(other.replay(&kept), Err(ReplayError::OtherRequest));
        let secret = Idempotency::new(b"another secret, also 32 bytes lo", HOUR, Duration::ZERO);
        for stranger in [
            of(&ours, "k", &["express", "192.0.2.2"], "{}"),
            of(&ours, "k", &["express192.0.2.1"], "{}"),
            of(&ours, "K", &["express", "192.0.2.1"], "{}"),
            of(&secret, "k", &["express", "192.0.2.1"], "{}"),
        ] {
            assert_ne!(stranger.repetition.digest, first.repetition.digest);
            let forged =
                Kept { fingerprint: stranger.repetition.fingerprint.to_vec(), reply: kept.reply.clone() };
            assert_eq!(stranger.replay(&forged), Err(ReplayError::Unreadable));
        }
    }

    #[test]
    fn what_is_kept_tells_nothing_and_cannot_be_altered() {
        let first = idempotency(Duration::ZERO)
            .repeatable(Some(&key("k")), &["express"], "{}", Timestamp::UNIX_EPOCH)
            .expect("it has a key");
        let kept = kept(&first);
        assert!(!kept.reply.windows(6).any(|piece| piece == b"secret"));
        for at in 0..kept.reply.len() {
            let mut reply = kept.reply.clone();
            reply[at] ^= 1;
            let altered = Kept { reply, fingerprint: kept.fingerprint.clone() };
            assert_eq!(first.replay(&altered), Err(ReplayError::Unreadable));
        }
        for length in 0..kept.reply.len() {
            let cut = Kept { reply: kept.reply[..length].to_vec(), fingerprint: kept.fingerprint.clone() };
            assert_eq!(first.replay(&cut), Err(ReplayError::Unreadable));
        }
    }

    #[test]
    fn without_a_key_a_request_is_repeatable_only_within_a_window() {
        let now = Timestamp::UNIX_EPOCH;
        assert!(idempotency(Duration::ZERO).repeatable(None, &["express"], "{}", now).is_none());
        let windowed = idempotency(Duration::from_secs(30));
        let of = |written: &str| windowed.repeatable(None, &["express"], written, now).expect("a window");
        assert_eq!(of("{}").repetition.digest, of("{}").repetition.digest);
        assert_ne!(of("{}").repetition.digest, of("{ }").repetition.digest);
        assert_eq!(of("{}").repetition.expires_at, now + Duration::from_secs(30));
    }
}
