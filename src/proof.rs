//! Proof of work: a client finds a number by trying, the server checks it with two hashes. The wire format is ALTCHA's
//! first one, which every version of its widget understands.
//!
//! The server draws a number and hands out `SHA-256(salt + number)`; whoever finds the number has tried half of the
//! numbers up to `maxnumber` on average. Nothing is remembered: expiry and difficulty stand in the salt, which the hash
//! covers, and the hash is signed together with the path that it was asked for at. The salt's exact form ends in `&`, so
//! that no digit can be moved from the salt to the number (CVE-2025-68113). That a proof counts once is the store's part.

mod solution;

use crate::clock::Clock;
use aws_lc_rs::{digest, hmac};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use solution::{Solution, hex};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use solution::LONGEST;

/// From this share of the hash queue on the server is under load.
const LOADED: f64 = 0.25;
/// How many steps there are from the difficulty at rest to the one under full load.
const STEPS: i32 = 3;

/// Whom a contract's `proof` asks for one. What is sent is checked in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nobody.
    Never,
    /// Whoever comes while passwords wait to be hashed.
    UnderLoad,
    /// Everybody.
    Always,
}

/// How a deployment asks for proofs.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Whom it asks.
    pub demand: Demand,
    /// The largest number that may have to be tried, at rest.
    pub difficulty: u32,
    /// The same while the hash queue is full.
    pub difficulty_under_load: u32,
    /// How long a challenge can be answered.
    pub lifetime: Duration,
}

impl Policy {
    /// Nobody is asked; what comes unasked is judged, and challenges are easy.
    pub fn nobody() -> Policy {
        let lifetime = Duration::from_secs(600);
        Policy { demand: Demand::Never, difficulty: 1000, difficulty_under_load: 1000, lifetime }
    }
}

/// Makes challenges and judges their solutions. Every process on a database needs the same secret.
pub struct Proofs {
    key: hmac::Key,
    policy: Policy,
}

/// A challenge as clients get it.
#[derive(Debug, Serialize)]
pub struct Challenge {
    algorithm: &'static str,
    challenge: String,
    maxnumber: u32,
    salt: String,
    signature: String,
}

/// A solution that is right. It counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What it is known by: no two challenges have the same.
    pub digest: [u8; 32],
    /// From then on it is refused for its age.
    pub expires_at: Timestamp,
}

/// Why a request has not proved anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nothing was sent, and a proof is asked for.
    Missing,
    /// What was sent is no solution.
    Malformed,
    /// It solves a challenge that was not made here, or not for this path.
    Forged,
    /// The number is not the one that was asked for.
    Wrong,
    /// The time for an answer is over.
    Expired,
    /// It was used before.
    Spent,
}

impl Refused {
    /// All of them, in the order in which they are found.
    pub const ALL: [Refused; 6] = [
        Refused::Missing,
        Refused::Malformed,
        Refused::Forged,
        Refused::Wrong,
        Refused::Expired,
        Refused::Spent,
    ];

    /// For programs, as an error's code.
    pub fn code(self) -> &'static str {
        match self {
            Refused::Missing => "proof_missing",
            Refused::Malformed => "proof_malformed",
            Refused::Forged => "proof_forged",
            Refused::Wrong => "proof_wrong",
            Refused::Expired => "proof_expired",
            Refused::Spent => "proof_spent",
        }
    }

    /// In words.
    pub fn reason(self) -> &'static str {
        match self {
            Refused::Missing => "a proof of work is asked for",
            Refused::Malformed => "this is no solution of a challenge",
            Refused::Forged => "the challenge was not made for this",
            Refused::Wrong => "this is not the number that was asked for",
            Refused::Expired => "the challenge has expired",
            Refused::Spent => "this solution was used before",
        }
    }

    /// Whether the very same request may have been accepted once: when no proof was asked for, or in time.
    pub fn may_have_passed(self) -> bool {
        matches!(self, Refused::Missing | Refused::Expired)
    }
}

impl Proofs {
    /// The key is derived from the server's `secret`.
    pub fn new(secret: &[u8], policy: Policy) -> Proofs {
        // One key per purpose (NIST SP 800-108, with HMAC as the function), as for idempotency keys.
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = hmac::sign(&root, b"vestibule/proof");
        Proofs { key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()), policy }
    }

    /// Whether a request needs a proof now. `load` is how full the hash queue is, from 0 to 1; it is asked only when it
    /// matters.
    pub fn are_demanded(&self, load: impl FnOnce() -> f64) -> bool {
        match self.policy.demand {
            Demand::Never => false,
            Demand::UnderLoad => load() >= LOADED,
            Demand::Always => true,
        }
    }

    /// A new challenge for the contract at `place`, as hard as the load asks for.
    pub fn challenge(&self, place: &str, load: f64, clock: &Clock) -> Challenge {
        let maxnumber = self.difficulty(load);
        let lifetime = SignedDuration::try_from(self.policy.lifetime).unwrap_or(SignedDuration::MAX);
        let expires = clock.now().saturating_add(lifetime).unwrap_or(Timestamp::MAX).as_second();
        let salt = format!("{}?expires={expires}&maxnumber={maxnumber}&", hex(&clock.random::<16>()));
        let drawn = u128::from(u64::from_ne_bytes(clock.random()));
        let number = (drawn * (u128::from(maxnumber) + 1)) >> 64;
        let challenge = hash(&salt, number as u64);
        let signature = hmac::sign(&self.key, &signed(place, &challenge));
        Challenge {
            algorithm: solution::ALGORITHM,
            challenge: hex(&challenge),
            maxnumber,
            salt,
            signature: hex(signature.as_ref()),
        }
    }

    /// Judges what was sent as a solution of a challenge for `place`: one HMAC and one SHA-256.
    ///
    /// # Errors
    /// What is wrong with it; that it has expired only when nothing else is.
    pub fn check(&self, place: &str, sent: &str, now: Timestamp) -> Result<Proof, Refused> {
        let solution = Solution::read(sent).ok_or(Refused::Malformed)?;
        // In constant time.
        hmac::verify(&self.key, &signed(place, &solution.challenge), &solution.signature)
            .map_err(|_| Refused::Forged)?;
        let right = solution.number <= solution.maxnumber
            && hash(&solution.salt, solution.number) == solution.challenge;
        if !right {
            return Err(Refused::Wrong);
        }
        let expires_at = Timestamp::from_second(solution.expires).map_err(|_| Refused::Wrong)?;
        if expires_at <= now {
            return Err(Refused::Expired);
        }
        Ok(Proof { digest: solution.challenge, expires_at })
    }

    /// In equal factors from the one at rest to the one under full load.
    fn difficulty(&self, load: f64) -> u32 {
        let step = ((load / LOADED) as i32).clamp(0, STEPS);
        let (rest, most) = (f64::from(self.policy.difficulty), f64::from(self.policy.difficulty_under_load));
        (rest * (most / rest).powf(f64::from(step) / f64::from(STEPS))).round() as u32
    }
}

/// What one request is asked for, and how its answer is judged: once, however often that is asked.
#[derive(Clone)]
pub struct Asked {
    proofs: Arc<Proofs>,
    place: Box<str>,
    load: Arc<dyn Fn() -> f64 + Send + Sync>,
    verdict: OnceLock<Result<Option<Proof>, Refused>>,
}

impl Asked {
    /// Of a request to the contract that is mounted at `place`. `load` is asked when the request is judged, not before: a
    /// request that began in a quiet moment and waited with its body is no exception.
    pub fn new(
        proofs: Arc<Proofs>,
        place: impl Into<Box<str>>,
        load: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Asked {
        Asked { proofs, place: place.into(), load: Arc::new(load), verdict: OnceLock::new() }
    }

    /// Judges what the request sent in the one field that a contract has for it; nothing, and the empty text of a form whose
    /// script did not run, are the same. `None` is one who has proved nothing and need not.
    ///
    /// # Errors
    /// Why it does not do.
    pub fn judge(&self, sent: Option<&str>, now: Timestamp) -> Result<Option<Proof>, Refused> {
        *self.verdict.get_or_init(|| match sent.filter(|text| !text.is_empty()) {
            Some(text) => self.proofs.check(&self.place, text, now).map(Some),
            None if self.proofs.are_demanded(&*self.load) => Err(Refused::Missing),
            None => Ok(None),
        })
    }
}

/// The hash that a client looks for.
fn hash(salt: &str, number: u64) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, format!("{salt}{number}").as_bytes()).as_ref());
    out
}

/// What is signed: the hash has a fixed length, so nothing can be moved between the two.
fn signed(place: &str, challenge: &[u8; 32]) -> Vec<u8> {
    [challenge.as_slice(), place.as_bytes()].concat()
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asked").field(&self.place).field(&self.verdict).finish()
    }
}

impl fmt::Debug for Proofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proofs").field(&self.policy).finish()
    }
}

#[cfg(test)]
mod tests;
