//! The contract language: one TOML file says how one sign-up endpoint talks.
//!
//! A rule is a small JSON-Schema object with its own message. An outcome is a named reply. A body is your old
//! response, pasted, with its values replaced. [`load()`] reads and proves a file; [`Contract::decode`] turns a request
//! into [`Fields`] or a [`Refusal`]; [`Contract::created`] and
//! [`Contract::refusal`] turn a named outcome into a [`Reply`].
//!
//! Reading order: what there is of a contract (`operation`, `field`, `token`, `reply`) and of a request to it
//! (`request`, `circumstances`, `fields`, `refusal`). What is done with them: `language` (the words), `load` (file to
//! contract), `template` (bodies and expressions), `rehearse` (the dry run); `body`, `decode` and `clean` (request to
//! fields), `rules`, `submitted` (what the fields stand for), `encode`. Then what is told about a contract: `samples`
//! (requests and replies to show), `describe` (in words), `concessions` (what it lets through), `openapi` (for programs), `schema` (for editors), `explain` (a
//! request, step by step); and `draft` (a file started from examples).

mod body;
mod circumstances;
mod clean;
mod complaint;
mod concessions;
mod decode;
mod describe;
pub mod draft;
mod encode;
mod explain;
mod field;
mod fields;
mod guard;
mod json_type;
pub mod language;
mod load;
mod openapi;
mod operation;
mod outcome;
mod place;
mod refusal;
mod rehearse;
mod reply;
mod request;
mod rules;
mod samples;
mod schema;
mod shipped;
mod submitted;
mod template;
#[cfg(test)]
mod tests;
mod token;
pub(crate) mod wire;

pub use body::{Malformed, Media};
pub use circumstances::{Circumstances, Secrets};
pub use complaint::{Complaint, Level, render};
pub use describe::{curl, describe};
pub use encode::{Registered, Scene};
pub use explain::{FieldTrace, RuleTrace, Shown, Trace};
pub(crate) use field::{Field, Rule, Says};
pub use fields::Fields;
pub(crate) use json_type::JsonType;
pub use load::{Loaded, load};
pub use openapi::{Endpoint, openapi};
pub(crate) use operation::{Collect, Unknown};
pub use operation::{Contract, Operation, Reveal, challenge_path};
pub use outcome::Outcome;
pub(crate) use outcome::phrase;
pub(crate) use place::{Place, Step, dig, put};
pub use refusal::{FieldError, Refusal};
pub(crate) use reply::ReplyTemplate;
pub use reply::{EncodeError, Reply};
pub use request::Request;
pub use rules::Verdict;
pub use samples::{Example, example_request};
pub use schema::schema;
pub use shipped::{SHIPPED, Shipped, shipped};
pub(crate) use token::{Make, Token};
pub use token::{Mint, Minted};
