//! Tokens: what a contract says about them, who makes them, and what comes of it.

use super::template::Template;
use crate::user::Recipe;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;

/// Something secret that is handed out with a reply.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) name: Arc<str>,
    pub(crate) make: Make,
    /// Seconds.
    pub(crate) lifetime: i64,
}

#[derive(Debug)]
pub(crate) enum Make {
    /// A JWT with these claims.
    Claims(Template),
    /// Random text, stored hashed.
    Random(Recipe),
}

/// Makes a JWT of claims.
type Sign = dyn Fn(&str) -> String + Send + Sync;
/// Makes bytes random.
type Fill = dyn Fn(&mut [u8]) + Send + Sync;

/// How tokens are made: by whoever holds the key and the randomness.
#[derive(Clone)]
pub struct Mint {
    /// Signs claims (a JSON object) as a JWT.
    pub sign: Arc<Sign>,
    /// Fills bytes with randomness.
    pub fill: Arc<Fill>,
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mint(..)")
    }
}

/// An opaque token that the reply shows, to be stored hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// Its name in the contract.
    pub name: Arc<str>,
    /// The token itself.
    pub text: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Minted({}, ..)", self.name)
    }
}
