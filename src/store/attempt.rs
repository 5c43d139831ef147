//! The record of attempts: what is written of a request, and how it is looked for.

use jiff::Timestamp;
use uuid::Uuid;

/// Stands for a name that was claimed, for those who know the name and the deployment's secret.
pub type NameDigest = [u8; 16];

/// What came of one attempt, or of several that were counted together. Nothing in it was written by a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// UUID version 7: the request's id; one of its own where several were counted together.
    pub id: Uuid,
    /// When, in whole milliseconds.
    pub at: Timestamp,
    /// The contract's name.
    pub contract: String,
    /// How it ended.
    pub outcome: String,
    /// The answer's status, when there was an answer.
    pub status: Option<u16>,
    /// The client's network as CIDR.
    pub network: Option<String>,
    /// The public id of the account that was made.
    pub user: Option<Uuid>,
    /// The names that were claimed.
    pub claimed: Claimed,
    /// How many requests it stands for, at least one.
    pub attempts: u32,
}

/// The names that somebody wanted an account with, as keyed hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Of the e-mail address.
    pub email: Option<NameDigest>,
    /// Of the user name.
    pub username: Option<NameDigest>,
}

/// Which attempts are wanted. What is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    /// Those with a greater id.
    pub after: Uuid,
    /// At most so many.
    pub limit: u32,
    /// The newest of them instead of the oldest. They come in the order of their ids all the same.
    pub newest: bool,
    /// Those that ended so.
    pub outcome: Option<String>,
    /// Those at this contract.
    pub contract: Option<String>,
    /// Those from this network.
    pub network: Option<String>,
    /// Those that claimed one of these names.
    pub about: Option<Claimed>,
}
