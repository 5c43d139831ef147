//! Where accounts live: one SQLite file or a PostgreSQL server, behind one enum with a `match` per verb.
//!
//! Only this room knows SQL. Every statement is constant text beside the function that runs it, and every engine
//! lists its own so that a test can prepare them all ([`Store::prepare_all`]).
//!
//! What holds on both engines:
//! - A registration is one transaction: user, keys, event, tokens and kept answer, all or nothing. Nobody asks first whether a
//!   key is free; the primary key of `user_keys` decides, and only after its refusal one look-up tells all
//!   collisions.
//! - Success is told only after the commit is durable, and a lost connection or disk while committing is told as
//!   [`RegisterError::Unknown`], never as a success and never as "taken".
//! - Opening refuses what is not this program's: an empty, foreign, damaged or newer database.

mod account;
mod attempt;
mod backup;
mod engines;
mod error;
mod event;
mod limit;
mod lookups;
mod migrations;
mod postgres;
mod readiness;
mod sqlite;
mod upkeep;
mod url;

pub use account::{
    AccountFields, IDEMPOTENCY_KEY, IssuedToken, Kept, NewAccount, PUBLIC_ID, Repetition, Sealed, Spending,
    Who,
};
pub use attempt::{Attempt, Attempts, Claimed, NameDigest};
pub use backup::{BackupError, Copied};
pub use engines::Store;
pub use error::{Fault, OpenError, RegisterError, StoreError};
pub use event::{Event, Events};
pub use limit::{Take, Taken};
pub use readiness::Readiness;
pub use url::{DatabaseUrl, UrlError};

/// A constant SQL statement. The type's name is how a test finds every one of them.
type Sql = &'static str;

/// For what a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// To serve: a missing SQLite file is created (unless the URL says `mode=rw`) and the schema is migrated.
    Serve,
    /// To look at what is there, as the command line does: nothing is created and nothing is migrated.
    Inspect,
}
