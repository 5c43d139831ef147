//! A contract file started from examples: a request, and the replies to it.
//!
//! Reading order: `pasted` (what somebody pastes), `examples` (all of it), `fields` (the request), `guess` (what a value
//! probably is), `created`, `token` and `errors` (the replies), `lessons` and `sentence` (what their messages say about
//! the rules), `tree` (a body with holes in it), `caution` (how much is proposed), `file` and `toml` (everything as a
//! file), `tried` (its answer to the example). [`draft`] loads what it wrote before it hands it out, and proposes less
//! where the proof or the dry run objects.

mod caution;
mod created;
mod errors;
mod examples;
mod fields;
mod file;
mod guess;
mod lessons;
mod pasted;
mod sentence;
#[cfg(test)]
mod tests;
mod token;
mod toml;
mod tree;
mod tried;

pub use examples::{Examples, everything};
pub use pasted::{Content, Exchange, PasteError, Pasted, exchange, request};
pub use tried::Tried;

use super::{Complaint, Level, load};
use caution::{Cautions, Part};
use file::File;
use tried::tried;

/// A contract file that loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The file.
    pub text: String,
    /// What it answers to the example request.
    pub tried: Tried,
}

/// No proposal loads: a mistake in this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no proposal for these examples loads")]
pub struct DraftError {
    /// The plainest proposal.
    pub text: String,
    /// What is wrong with it.
    pub complaints: Vec<Complaint>,
}

/// Starts a contract file.
///
/// # Errors
/// [`DraftError`], never for examples that the tests have seen.
pub async fn draft(examples: &Examples) -> Result<Draft, DraftError> {
    let scrubbed = examples.scrubbed();
    let mut cautions = Cautions::default();
    loop {
        let (text, parts) = File::propose(&scrubbed, &cautions).write();
        let loaded = load(&text);
        if let Some(contract) = &loaded.contract {
            let tried = tried(contract, examples).await;
            return Ok(Draft { text, tried });
        }
        let wrong = loaded.complaints.iter().filter(|c| c.level == Level::Error);
        let at =
            |c: &Complaint| parts.iter().rev().find(|(start, _)| *start <= c.span.start).map(|(_, p)| *p);
        let mut wrong: Vec<Part> = wrong.filter_map(at).collect();
        wrong.sort_unstable();
        wrong.dedup();
        // What a token is made of stands at the top, but comes from the created reply.
        if !cautions.raise(&wrong) && !cautions.raise(&[Part::Created, Part::Invalid, Part::Taken]) {
            return Err(DraftError { text, complaints: loaded.complaints });
        }
    }
}
