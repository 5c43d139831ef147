//! Many at once: one winner for each key, and nothing half-made.
//! Every test here runs once on SQLite and once on PostgreSQL.

use std::collections::BTreeSet;

use vestibule::store::RegisterError;

use super::accounts::{account, all_at_once, assert_whole, key, register};
use crate::harness::database::Database;

on_both! {
    of_many_at_once_with_one_key_exactly_one_wins
    crossing_keys_never_dead_lock
    many_at_once_with_their_own_keys_all_win
    two_stores_on_one_database_share_the_truth
    a_dropped_registration_is_whole
}

async fn of_many_at_once_with_one_key_exactly_one_wins(database: &Database) {
    let store = database.open().await;
    let outcomes = all_at_once(&store, (0..200).map(|_| account("a@example.com"))).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let taken = outcomes.iter().filter(|o| matches!(o, Err(RegisterError::Taken(k)) if k.len() == 1)).count();
    assert_eq!((won, taken), (1, 199), "{outcomes:?}");
    assert_whole(database, 1, 1).await;
}

async fn crossing_keys_never_dead_lock(database: &Database) {
    let store = database.open().await;
    let crossing = (0..100).map(|number| {
        let (a, b) = (key("email", &format!("{}", number % 5)), key("username", &format!("{}", number % 7)));
        let mut new = account("x@example.com");
        new.keys = if number % 2 == 0 { vec![a, b] } else { vec![b, a] };
        new
    });
    let outcomes = all_at_once(&store, crossing).await;
    assert!(outcomes.iter().all(|o| matches!(o, Ok(_) | Err(RegisterError::Taken(_)))), "{outcomes:?}");
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_whole(database, won as i64, 2 * won as i64).await;
}

async fn many_at_once_with_their_own_keys_all_win(database: &Database) {
    let store = database.open().await;
    let outcomes =
        all_at_once(&store, (0..300).map(|number| account(&format!("u{number}@example.com")))).await;
    let ids: BTreeSet<i64> = outcomes.into_iter().map(|outcome| outcome.unwrap()).collect();
    assert_eq!(ids.len(), 300);
    assert_whole(database, 300, 300).await;
}

async fn two_stores_on_one_database_share_the_truth(database: &Database) {
    let (one, two) = (database.open().await, database.open().await);
    let spellings = || (0..50).map(|number| account(&format!("u{}@example.com", number % 10)));
    let (left, right) = tokio::join!(all_at_once(&one, spellings()), all_at_once(&two, spellings()));
    let won = left.iter().chain(&right).filter(|outcome| outcome.is_ok()).count();
    let taken = left.iter().chain(&right).filter(|o| matches!(o, Err(RegisterError::Taken(_)))).count();
    assert_eq!((won, taken), (10, 90), "{left:?} {right:?}");
    assert_whole(database, 10, 10).await;
}

async fn a_dropped_registration_is_whole(database: &Database) {
    let store = database.open().await;
    for steps in 0..40 {
        let new = account(&format!("u{steps}@example.com"));
        // Dropped after so many steps, the first after none: a client that hangs up.
        let mut registration = std::pin::pin!(register(&store, new));
        let mut left = steps;
        let some = std::future::poll_fn(|context| match left {
            0 => std::task::Poll::Ready(()),
            _ => {
                left -= 1;
                registration.as_mut().poll(context).map(drop)
            }
        });
        some.await;
    }
    store.close().await;
    let users = database.number("SELECT count(*) FROM users").await;
    assert!(users > 0, "none came to its end");
    // On SQLite whoever has begun has handed the whole to the writer; on PostgreSQL a statement is on its way.
    assert!(users < if matches!(database, Database::Postgres(_)) { 39 } else { 40 }, "{users}: none was cut");
    assert_whole(database, users, users).await;
}
