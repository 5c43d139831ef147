//! What is asked for, what it comes to, and the claims that it makes.

use crate::app::Mounted;
use crate::contract::{Circumstances, Fields, Reply};
use crate::idempotency::Repeatable;
use crate::names::LOOKS;
use crate::proof::Proof;
use crate::user::{Key, NewUser};
use std::sync::Arc;
use uuid::Uuid;

/// The kind of the claim under which a contract's own ids are unique.
pub(super) const ID: &str = "id";

/// The kind of the claim of a user name.
const USERNAME: &str = "username";

/// A sign-up that passed everything cheap.
#[derive(Debug)]
pub struct SignUp {
    /// The contract it came through.
    pub mounted: Arc<Mounted>,
    /// What was written, for the reply.
    pub fields: Arc<Fields>,
    /// What it means.
    pub user: NewUser,
    /// Unique values beside address, user name and id, looks included: kinds and values.
    pub extras: Vec<(String, String)>,
    /// The SHA-256 of the submitted password, when the contract reveals it.
    pub password_sha256: Option<String>,
    /// When, where and under which request id.
    pub circumstances: Arc<Circumstances>,
    /// The proof of work that it brought.
    pub proof: Option<Proof>,
    /// When it may be sent again: how its answer is kept and found.
    pub repeatable: Option<Repeatable>,
}

/// What a sign-up comes to when there is an account.
pub struct Answer {
    /// What is answered.
    pub reply: Reply,
    /// The public id of the account that was made; `None` when the answer is one that was given before.
    pub user: Option<Uuid>,
}

/// Everything that no other account may have.
pub(super) fn claims(sign_up: &SignUp) -> Vec<Key> {
    let key = |kind: &str, value: &str| Key { kind: kind.to_owned(), value: value.to_owned() };
    let user = &sign_up.user;
    let mut keys: Vec<Key> = Vec::new();
    keys.extend(user.email.as_ref().map(|e| key("email", e.key())));
    keys.extend(user.username.as_ref().map(|u| key(USERNAME, u.key())));
    keys.extend(user.id.as_ref().map(|id| key(ID, id)));
    keys.extend(sign_up.extras.iter().map(|(kind, value)| key(kind, value)));
    keys
}

/// The kinds of these claims. Who looks like somebody has a user name that is taken.
pub(super) fn kinds(keys: &[Key]) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for key in keys {
        let kind = if key.kind == LOOKS { USERNAME } else { &key.kind };
        if !kinds.iter().any(|known| known == kind) {
            kinds.push(kind.to_owned());
        }
    }
    kinds
}
