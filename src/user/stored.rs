//! A user as the store gives it back.

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// A registered user as stored, without the password.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The serial number, from 1, in order of registration.
    pub id: i64,
    /// The id that may be shown to strangers: UUID version 7 (RFC 9562).
    pub public_id: Uuid,
    /// The address as written.
    pub email: Option<String>,
    /// The user name as written (NFC).
    pub username: Option<String>,
    /// The whole name, `""` when absent.
    pub name: String,
    /// The first name, `""` when absent.
    pub first_name: String,
    /// The last name, `""` when absent.
    pub last_name: String,
    /// What a contract declares beyond these, by its name there.
    pub extra: Map<String, Value>,
    /// `"active"`.
    pub status: String,
    /// Counts the changes of this user, from 1.
    pub version: i64,
    /// When the user registered, in whole milliseconds.
    pub created_at: Timestamp,
    /// When the user last changed, in whole milliseconds.
    pub updated_at: Timestamp,
    /// Every unique claim of this user, ordered by kind and value, byte by byte.
    pub keys: Vec<Key>,
}

/// One claim that only one user can have, in the normalised form that is compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// `"email"`, `"username"`, `"id"`, or `"extra.<name>"` for what a contract declares unique.
    pub kind: String,
    /// The normalised value, at most 2048 bytes.
    pub value: String,
}
