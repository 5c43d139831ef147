//! What goes into the store at a registration, and by what a user is found again.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::user::Key;

/// The kind under which a colliding [`NewAccount::public_id`] is told, next to the kinds that the caller chose.
pub const PUBLIC_ID: &str = "public_id";

/// The kind under which a claimed [`Repetition`] is told whose digest is in use.
pub const IDEMPOTENCY_KEY: &str = "idempotency_key";

/// The kind of the event that every registration leaves.
pub(super) const REGISTERED: &str = "user.registered";

/// Everything of a new user that is known before the store gives it a serial number.
#[derive(Clone)]
pub struct NewAccount {
    /// The id that may be shown to strangers.
    pub public_id: Uuid,
    /// The columns as written.
    pub user: AccountFields,
    /// The Argon2id PHC string, at most 255 characters.
    pub password: String,
    /// Every claim that no other user may have; no two of them are the same.
    pub keys: Vec<Key>,
    /// The moment of registration in whole milliseconds; `updated_at` starts equal.
    pub created_at: Timestamp,
    /// The id of the `user.registered` event.
    pub event_id: Uuid,
    /// Under what the answer is kept, when it may be asked for again.
    pub repetition: Option<Repetition>,
}

/// Under what an answer is kept for whoever sends the same request again.
#[derive(Clone)]
pub struct Repetition {
    /// Stands for the idempotency key and its scope; only one account can have it.
    pub digest: [u8; 32],
    /// Stands for the request.
    pub fingerprint: [u8; 32],
    /// From this moment on it is nobody's.
    pub expires_at: Timestamp,
}

/// A proof of work that is about to be used.
#[derive(Clone, Copy, Debug)]
pub struct Spending {
    /// What it is known by.
    pub digest: [u8; 32],
    /// Stands for the request, if that may come again under its idempotency key.
    pub request: Option<[u8; 32]>,
    /// From this moment on nobody would take it, whatever their clock.
    pub expires_at: Timestamp,
}

/// An answer that was kept.
pub struct Kept {
    /// Stands for the request that it answered.
    pub fingerprint: Vec<u8>,
    /// The answer, as [`Sealed::kept`] had it.
    pub reply: Vec<u8>,
}

/// The columns of a new user as written, `""` where nothing was given; each at most 255 code points.
#[derive(Clone, Debug, Default)]
pub struct AccountFields {
    /// The address as written.
    pub email: String,
    /// The user name as written.
    pub username: String,
    /// The whole name.
    pub name: String,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// Further values by their contract's names; at most 16 KiB as JSON (the user room sees to it).
    pub extra: Map<String, Value>,
}

/// What the caller makes of the new user's serial number, before the transaction commits.
pub struct Sealed<T> {
    /// What [`Store::register`](super::Store::register) gives back once the account is durable: the rendered reply.
    pub answer: T,
    /// Opaque tokens that the answer contains, to be stored with the account.
    pub tokens: Vec<IssuedToken>,
    /// The answer as it is kept when there is a [`NewAccount::repetition`]: for the store, nothing but bytes.
    pub kept: Vec<u8>,
}

/// An opaque token as it is stored: hashed.
#[derive(Clone)]
pub struct IssuedToken {
    /// What it is for: the name that the contract gave it.
    pub name: String,
    /// Lower-case hex SHA-256 of the token.
    pub digest: String,
    /// From this moment on it opens nothing.
    pub expires_at: Timestamp,
}

/// By what a user is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The serial number.
    Id(i64),
    /// The UUID.
    PublicId(Uuid),
    /// A unique claim, in its normalised form.
    Key(Key),
}

impl NewAccount {
    /// The `user.registered` event's payload: enough to send a mail by, and no secret.
    pub(super) fn event_payload(&self) -> Value {
        serde_json::json!({
            "public_id": self.public_id,
            "email": self.user.email,
            "username": self.user.username,
        })
    }

    /// The keys in one order for everybody, so that two sign-ups that collide twice wait for each other in one
    /// direction only and never dead-lock.
    pub(super) fn sort_keys(&mut self) {
        self.keys.sort_unstable();
    }
}

// Neither the hash of a password nor that of a token belongs in a log, so both are left out by hand.
impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount").field("public_id", &self.public_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("name", &self.name).finish_non_exhaustive()
    }
}
