//! The rules of a contract, applied to the fields of a request.
//!
//! Reading order: `run` (which rules are asked, and in which order), `demand` and `format` (what they ask of a value),
//! `wording` (what is said when it does not meet that), `refuse` (the refusal that comes of it).

mod demand;
mod format;
mod refuse;
mod run;
#[cfg(test)]
mod tests;
mod wording;

pub(super) use demand::{Broken, Case, check_scene};
pub(super) use refuse::{once, refuse};
pub use run::Verdict;
pub(super) use run::{Ran, check, refused};
pub(super) use wording::{Said, hidden, message_scene};
