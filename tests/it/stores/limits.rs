//! Shared limits in the store: counted and decided in one step, by the database's clock.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Barrier;
use vestibule::store::{Store, StoreError, Take, Taken};

use crate::harness::database::Database;
use crate::harness::process::GUARD;

on_both! {
    as_many_as_the_rate_allows_are_let_in_by_all_stores_together
    what_stands_behind_a_refusal_is_not_counted
    a_full_table_lets_known_ones_in_and_nobody_else
    what_has_expired_is_removed
    a_clock_that_was_set_back_locks_nobody_out
}

const HOUR: i64 = 3_600_000_000;

/// A bucket of `burst` tries that fills again in `burst` hours.
pub(super) fn hourly(number: u8, burst: i64) -> Take {
    Take { digest: [number; 16], interval: HOUR, tolerance: HOUR * (burst - 1) }
}

/// Takes, when on a slow machine the wait for a connection was too long, again: then nothing was counted.
async fn take(store: &Store, takes: &[Take]) -> Taken {
    let begun = Instant::now();
    loop {
        match store.take(takes.to_vec(), true).await {
            Err(StoreError::Busy("all connections are in use")) if begun.elapsed() < GUARD => {}
            taken => return taken.expect("the store answers"),
        }
    }
}

pub(super) async fn let_in_at_once(stores: &[Store], tries: usize, one: Take) -> usize {
    let start = Arc::new(Barrier::new(tries));
    let tasks: Vec<_> = (0..tries)
        .map(|number| {
            let (store, start) = (stores[number % stores.len()].clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                take(&store, &[one]).await
            })
        })
        .collect();
    let mut let_in = 0;
    for task in tasks {
        match task.await.expect("no try panics") {
            Taken::All => let_in += 1,
            Taken::TooSoon(0, wait) => assert!((1..=HOUR).contains(&wait), "{wait}"),
            other => panic!("{other:?}"),
        }
    }
    let_in
}

async fn as_many_as_the_rate_allows_are_let_in_by_all_stores_together(database: &Database) {
    let stores = [database.open().await, database.open().await];
    assert_eq!(let_in_at_once(&stores, 500, hourly(1, 10)).await, 10);
    assert_eq!(let_in_at_once(&stores, 100, hourly(2, 1)).await, 1);
}

async fn what_stands_behind_a_refusal_is_not_counted(database: &Database) {
    let store = database.open().await;
    let (narrow, wide, last) = (hourly(1, 1), hourly(2, 3), hourly(3, 2));
    assert_eq!(take(&store, &[wide, narrow, last]).await, Taken::All);
    let Taken::TooSoon(1, wait) = take(&store, &[wide, narrow, last]).await else { panic!("let in") };
    assert!((HOUR - 60_000_000..=HOUR).contains(&wait), "{wait}");
    assert_eq!(take(&store, &[last, wide]).await, Taken::All, "it was counted once");
    assert!(matches!(take(&store, &[last, wide]).await, Taken::TooSoon(0, _)));
    assert!(matches!(take(&store, &[wide, last]).await, Taken::TooSoon(0, _)), "it was counted three times");
    let five: Vec<Take> = (10..15).map(|number| hourly(number, 1)).collect();
    assert_eq!(take(&store, &five).await, Taken::All);
    assert!(matches!(take(&store, &[&[hourly(20, 1)], &five[4..]].concat()).await, Taken::TooSoon(1, _)));
}

async fn a_full_table_lets_known_ones_in_and_nobody_else(database: &Database) {
    let store = database.open().await;
    assert_eq!(take(&store, &[hourly(1, 2)]).await, Taken::All);
    let without_room = |takes: Vec<Take>| store.take(takes, false);
    assert_eq!(without_room(vec![hourly(1, 2), hourly(2, 2)]).await.expect("an answer"), Taken::NoRoom(1));
    assert!(matches!(without_room(vec![hourly(1, 2)]).await.expect("an answer"), Taken::TooSoon(0, _)));
    assert_eq!(database.number("SELECT count(*) FROM rate_limits").await, 1);
}

async fn what_has_expired_is_removed(database: &Database) {
    let store = database.open().await;
    for number in 1..=3 {
        assert_eq!(take(&store, &[hourly(number, 2)]).await, Taken::All);
    }
    assert_eq!(store.purge_limits().await.expect("purged"), (3, 0));
    database.execute("UPDATE rate_limits SET until = 1").await;
    assert_eq!(take(&store, &[hourly(3, 2)]).await, Taken::All);
    assert_eq!(store.purge_limits().await.expect("purged"), (3, 2));
    assert_eq!(store.purge_limits().await.expect("purged"), (1, 0));
}

async fn a_clock_that_was_set_back_locks_nobody_out(database: &Database) {
    let store = database.open().await;
    assert_eq!(take(&store, &[hourly(1, 1)]).await, Taken::All);
    // As if it had been written a year from now.
    database.execute("UPDATE rate_limits SET until = until + 31536000000000").await;
    assert_eq!(take(&store, &[hourly(1, 1)]).await, Taken::All);
    assert!(matches!(take(&store, &[hourly(1, 1)]).await, Taken::TooSoon(0, _)));
}
