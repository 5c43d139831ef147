//! Kept answers: written with their account, found until they expire, and in nobody's way afterwards.
//! Every test here runs once on SQLite and once on PostgreSQL.

use std::convert::Infallible;

use jiff::{SignedDuration, Timestamp};
use vestibule::store::{IDEMPOTENCY_KEY, Kept, NewAccount, RegisterError, Repetition, Sealed, Store};

use super::accounts::{account, assert_whole, at};
use crate::harness::database::Database;

on_both! {
    an_answer_is_kept_until_it_expires
    a_key_in_use_refuses_the_account_and_says_so
    a_refused_account_keeps_nothing
    what_has_expired_is_purged
    an_answer_goes_with_its_user
}

const NOON: &str = "2026-11-20T12:00:00Z";

/// An account whose answer is kept under `digest` for a minute from noon on.
fn repeatable(email: &str, digest: u8) -> NewAccount {
    let expires_at = at(NOON) + SignedDuration::from_secs(60);
    let repetition = Repetition { digest: [digest; 32], fingerprint: [digest; 32], expires_at };
    NewAccount { repetition: Some(repetition), ..account(email) }
}

async fn register(store: &Store, new: NewAccount) -> Result<i64, RegisterError<Infallible>> {
    let seal = |id: i64| Ok(Sealed { answer: id, tokens: Vec::new(), kept: id.to_string().into_bytes() });
    store.register(new, seal).await
}

async fn kept(store: &Store, digest: u8, now: Timestamp) -> Option<Vec<u8>> {
    let kept: Option<Kept> = store.repeat([digest; 32], now).await.expect("the store answers");
    kept.map(|kept| {
        assert_eq!(kept.fingerprint, [digest; 32]);
        kept.reply
    })
}

async fn an_answer_is_kept_until_it_expires(database: &Database) {
    let store = database.open().await;
    register(&store, repeatable("a@example.com", 1)).await.expect("registered");
    let last = at(NOON) + SignedDuration::from_millis(59_999);
    assert_eq!(kept(&store, 1, last).await, Some(b"1".to_vec()));
    assert_eq!(kept(&store, 2, last).await, None);
    assert_eq!(kept(&store, 1, last + SignedDuration::from_millis(1)).await, None);
    // Who looked has removed it, so that the key can be used again.
    assert_eq!(database.number("SELECT count(*) FROM idempotency_keys").await, 0);
    register(&store, repeatable("b@example.com", 1)).await.expect("registered");
    assert_eq!(kept(&store, 1, at(NOON)).await, Some(b"2".to_vec()));
}

async fn a_key_in_use_refuses_the_account_and_says_so(database: &Database) {
    let store = database.open().await;
    register(&store, repeatable("a@example.com", 1)).await.expect("registered");
    let refused = register(&store, repeatable("b@example.com", 1)).await;
    let Err(RegisterError::Taken(keys)) = refused else { panic!("{refused:?}") };
    assert_eq!(keys.iter().map(|key| key.kind.as_str()).collect::<Vec<_>>(), [IDEMPOTENCY_KEY]);
    let refused = register(&store, repeatable("a@example.com", 1)).await;
    let Err(RegisterError::Taken(keys)) = refused else { panic!("{refused:?}") };
    assert_eq!(keys.iter().map(|key| key.kind.as_str()).collect::<Vec<_>>(), ["email", IDEMPOTENCY_KEY]);
    assert_whole(database, 1, 1).await;
}

async fn a_refused_account_keeps_nothing(database: &Database) {
    let store = database.open().await;
    register(&store, account("a@example.com")).await.expect("registered");
    assert!(register(&store, repeatable("a@example.com", 1)).await.is_err());
    assert_eq!(kept(&store, 1, at(NOON)).await, None);
    assert_eq!(database.number("SELECT count(*) FROM idempotency_keys").await, 0);
}

async fn what_has_expired_is_purged(database: &Database) {
    let store = database.open().await;
    for (email, digest) in [("a@example.com", 1), ("b@example.com", 2)] {
        register(&store, repeatable(email, digest)).await.expect("registered");
    }
    assert_eq!(store.purge(at(NOON)).await.expect("purged"), 0);
    assert_eq!(store.purge(at(NOON) + SignedDuration::from_secs(60)).await.expect("purged"), 2);
    assert_eq!(database.number("SELECT count(*) FROM idempotency_keys").await, 0);
    assert_whole(database, 2, 2).await;
}

async fn an_answer_goes_with_its_user(database: &Database) {
    let store = database.open().await;
    register(&store, repeatable("a@example.com", 1)).await.expect("registered");
    database.execute("DELETE FROM users").await;
    assert_eq!(database.number("SELECT count(*) FROM idempotency_keys").await, 0);
}
