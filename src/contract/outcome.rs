//! The named ways in which a request can end.

use std::fmt;
use std::sync::Arc;

/// How a request ended; each contract answers each of them in its own way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The account exists now.
    Created,
    /// A rule was broken.
    Invalid,
    /// A unique value is in use.
    Taken,
    /// The body could not be read.
    Malformed,
    /// The method is not POST.
    MethodNotAllowed,
    /// The media type is not one that the contract reads.
    UnsupportedMediaType,
    /// The body is larger than the server takes.
    TooLarge,
    /// Too many requests from here.
    Throttled,
    /// The server has more to do than it can do in time.
    Busy,
    /// Something unexpected; the log knows more.
    Failed,
    /// Sign-up is switched off.
    Closed,
    /// A name that a rule of the contract gave.
    Named(Arc<str>),
}

impl Outcome {
    /// The outcomes that every contract has: name, status, message.
    pub const BUILT_IN: [(Outcome, &'static str, u16, &'static str); 11] = [
        (Outcome::Created, "created", 201, "Created."),
        (Outcome::Invalid, "invalid", 400, "The request is not valid."),
        (Outcome::Taken, "taken", 409, "This account already exists."),
        (Outcome::Malformed, "malformed", 400, "The request could not be read."),
        (Outcome::MethodNotAllowed, "method_not_allowed", 405, "This method is not allowed here."),
        (Outcome::UnsupportedMediaType, "unsupported_media_type", 415, "This content type is not accepted."),
        (Outcome::TooLarge, "too_large", 413, "The request is too large."),
        (Outcome::Throttled, "throttled", 429, "Too many requests."),
        (Outcome::Busy, "busy", 503, "Busy, try again shortly."),
        (Outcome::Failed, "failed", 500, "Something went wrong."),
        (Outcome::Closed, "closed", 403, "Sign-up is closed."),
    ];

    /// The outcome of this name; names that are not built in are the contract's own.
    pub fn named(name: &str) -> Outcome {
        let built_in = Self::BUILT_IN.iter().find(|(_, known, _, _)| *known == name);
        built_in.map_or_else(|| Outcome::Named(name.into()), |(outcome, ..)| outcome.clone())
    }

    /// The outcome's name, as in a contract file.
    pub fn name(&self) -> &str {
        match self {
            Outcome::Named(name) => name,
            built_in => built_in.row().1,
        }
    }

    /// The status when the contract names none.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Outcome::Named(_) => 400,
            built_in => built_in.row().2,
        }
    }

    /// The message when the contract names none.
    pub(crate) fn message(&self) -> &'static str {
        match self {
            Outcome::Named(_) => "The request was refused.",
            built_in => built_in.row().3,
        }
    }

    fn row(&self) -> &'static (Outcome, &'static str, u16, &'static str) {
        static ROWS: [(Outcome, &str, u16, &str); 11] = Outcome::BUILT_IN;
        ROWS.iter().find(|(outcome, ..)| outcome == self).unwrap_or(&ROWS[9])
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The reason phrase of a status (RFC 9110 and the registry; 419 as frameworks use it).
pub(crate) fn phrase(status: u16) -> &'static str {
    match status {
        419 => "Page Expired",
        _ => http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or(""),
    }
}
