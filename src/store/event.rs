//! What happened, as mails and webhooks will read it.

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// One row of the outbox, written in the transaction in which it happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// UUID version 7: stable, so that a receiver can tell a repetition; ids sort by time.
    pub id: Uuid,
    /// `user.registered`.
    pub kind: String,
    /// The serial number of the user it is about, who may be gone.
    pub user_id: i64,
    /// When.
    pub at: Timestamp,
    /// What a mail or a webhook needs; no secret.
    pub payload: Map<String, Value>,
}

/// Which events are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// The newest, at most so many.
    Last(u32),
    /// Those with a greater id, at most so many, the oldest of them first.
    After(Uuid, u32),
}
