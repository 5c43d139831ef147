//! Sample values: what the dry run tries, and what examples and the OpenAPI document show, in place of a real request.
//!
//! `deployment` stands in for a server, `values` knows what is plausible for a field, `pattern` what a regular expression accepts, `request` puts both
//! together until the contract's own rules take it, and `answers` breaks such a request in every way that leads to
//! another outcome.

mod answers;
mod deployment;
mod pattern;
mod request;
mod values;

pub(super) use answers::{Answer, answers};
pub(super) use deployment::{circumstances, mint, registered};
pub use request::{Example, example_request};
