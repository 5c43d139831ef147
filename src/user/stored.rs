//! A user as the store keeps it.

use jiff::Timestamp;
use uuid::Uuid;

use super::Extra;

/// A user as stored, without the password hash: that one leaves the store only on its own, to be verified.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The serial number, from 1.
    pub id: i64,
    /// The public identity, a UUID of version 7; every other kind of id is a [`Key`].
    pub public_id: Uuid,
    /// The e-mail address as it was written.
    pub email: Option<String>,
    /// The user name as it was written, in NFC.
    pub username: Option<String>,
    /// The full name; empty when none was given.
    pub name: String,
    /// The first name; empty when none was given.
    pub first_name: String,
    /// The last name; empty when none was given.
    pub last_name: String,
    /// Whatever else a contract stores.
    pub extra: Extra,
    /// The state of the account, such as "active".
    pub status: String,
    /// How often the user was changed; 1 after registration.
    pub version: i64,
    /// When the user registered, in whole milliseconds.
    pub created_at: Timestamp,
    /// When the user was last changed, in whole milliseconds.
    pub updated_at: Timestamp,
    /// Every unique claim that the user holds.
    pub keys: Vec<Key>,
}

/// One unique claim: no two users hold the same `value` under the same `kind`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What is claimed: "email", "username", "id", "extra.phone" ...
    pub kind: String,
    /// The normalised value, as [`super::Email::key`] and [`super::Username::key`] make it.
    pub value: String,
}

impl Key {
    /// The longest value that a contract may declare unique, in bytes. The stores' indexes hold twice as much; what
    /// is longer than this is a text and no name.
    pub const MAX_BYTES: usize = 1024;
}
