//! Accounts for the store's tests.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;
use vestibule::store::{AccountFields, IssuedToken, NewAccount, RegisterError, Sealed, Store, StoreError};
use vestibule::user::{Key, User};

use crate::harness::database::Database;
use crate::harness::process::GUARD;

/// The hash of every account here, so that a search for it finds a leak.
pub(crate) const PHC: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5";

pub(crate) fn key(kind: &str, value: &str) -> Key {
    Key { kind: kind.to_owned(), value: value.to_owned() }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

/// An id that no other account of this process has.
pub(crate) fn fresh_id() -> Uuid {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128((0x019a_0000_0000_7000_8000 << 48) | u128::from(COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// An account with an address, unique by it.
pub(crate) fn account(email: &str) -> NewAccount {
    let user = AccountFields { email: email.to_owned(), ..AccountFields::default() };
    NewAccount {
        public_id: fresh_id(),
        user,
        password: PHC.to_owned(),
        keys: vec![key("email", email)],
        created_at: at("2026-11-20T09:30:00.123Z"),
        event_id: fresh_id(),
        repetition: None,
    }
}

/// An account with something in every column.
pub(crate) fn full_account() -> NewAccount {
    let mut new = account("Ada@Example.com");
    new.user.username = "ada".to_owned();
    new.user.name = "Ada Lovelace".to_owned();
    new.user.first_name = "Ada".to_owned();
    new.user.last_name = "Lovelace".to_owned();
    // Not in the alphabet's order: what was written stays as it was written.
    new.user.extra =
        json!({"phone": "+44 20", "age": 36, "a": [1.5, null, {"z": true}]}).as_object().unwrap().clone();
    new.keys = vec![key("username", "ada"), key("email", "ada@example.com"), key("extra.phone", "+44 20")];
    new
}

/// Registers and gives back the serial number.
pub(crate) async fn register(store: &Store, new: NewAccount) -> Result<i64, RegisterError<Infallible>> {
    store.register(new, |id| Ok(Sealed { answer: id, tokens: Vec::new(), kept: Vec::new() })).await
}

/// A token as it is stored.
pub(crate) fn token(digest: &str) -> IssuedToken {
    IssuedToken { name: "session".into(), digest: digest.into(), expires_at: at("2026-12-04T09:30:00Z") }
}

pub(crate) fn taken(outcome: Result<i64, RegisterError<Infallible>>) -> Vec<Key> {
    match outcome {
        Err(RegisterError::Taken(keys)) => keys,
        other => panic!("not taken: {other:?}"),
    }
}

pub(crate) fn ids(users: &[User]) -> Vec<i64> {
    users.iter().map(|user| user.id).collect()
}

pub(crate) type Registering = tokio::task::JoinHandle<Result<i64, RegisterError<Infallible>>>;

/// Registers, as often as it is told on a slow machine that the store is busy, and so that nothing was written.
pub(crate) fn spawn(store: &Store, new: NewAccount) -> Registering {
    let store = store.clone();
    tokio::spawn(async move {
        let begun = Instant::now();
        loop {
            match register(&store, new.clone()).await {
                Err(RegisterError::Unavailable(StoreError::Busy(_))) if begun.elapsed() < GUARD => {}
                outcome => return outcome,
            }
        }
    })
}

pub(crate) async fn all_at_once(
    store: &Store,
    accounts: impl Iterator<Item = NewAccount>,
) -> Vec<Result<i64, RegisterError<Infallible>>> {
    let running: Vec<Registering> = accounts.map(|new| spawn(store, new)).collect();
    let mut outcomes = Vec::with_capacity(running.len());
    for registration in running {
        outcomes.push(registration.await.expect("a registration does not panic"));
    }
    outcomes
}

pub(crate) async fn assert_whole(database: &Database, users: i64, keys: i64) {
    assert_eq!(database.number("SELECT count(*) FROM users").await, users, "users");
    assert_eq!(database.number("SELECT count(*) FROM user_keys").await, keys, "keys");
    let events = "SELECT count(DISTINCT user_id) FROM events WHERE user_id IN (SELECT id FROM users)";
    assert_eq!(database.number(events).await, users, "events of users");
    assert_eq!(database.number("SELECT count(*) FROM events").await, users, "events");
}
