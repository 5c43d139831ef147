//! The proof that a contract answers like the backend it replaces: requests built from the contract (or recorded) go
//! to both, and the answers are compared. What must differ, such as ids, times and tokens, is compared by kind.
//!
//! Reading order: `request` (a request to be sent), `values` (what the fields accept) and `breaks` (what they do not), `cases` (every case of a
//! contract), `har` (recorded ones), `exchange` (the old backend), `vestibule` (the new one, in this process), `mask`
//! (kinds of values), `diff` (two answers compared), `run` (all of it), `report`.

mod request;
mod values;

mod breaks;
mod cases;
mod har;

mod exchange;
mod vestibule;

mod diff;
mod mask;

mod report;
mod run;

pub use cases::{Case, cases};
pub use diff::{Difference, Masked};
pub use exchange::{Answer, Target, TargetError};
pub use har::{HarError, Recording, replay};
pub use report::{Distinct, distinct, html, json, summary, text};
pub use request::{Outgoing, Withheld};
pub use run::{CaseResult, Exchange, Old, Proof, ProveError, Setup, prove};
pub use values::NoGoodValue;
pub use vestibule::InsideError;
