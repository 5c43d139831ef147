//! Tokens: what a contract says about them, who makes them, and what comes of it.

use super::template::Template;
use crate::user::Recipe;
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
