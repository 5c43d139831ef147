//! The record of attempts: written once, found by what is asked for, and removed when it is old.

use std::time::Duration;

use vestibule::audit::{Audit, AuditMetrics};
use vestibule::clock::Clock;
use vestibule::config;
use vestibule::store::{Attempt, Attempts, Claimed};
use vestibule::user::{least_uuid_v7, uuid_v7};

use super::accounts::at;
use crate::harness::database::Database;
use crate::harness::log::Log;

on_both! {
    an_attempt_reads_back_and_is_written_once
    what_is_old_is_removed_in_steps
}

const NOON: &str = "2026-11-20T12:00:00Z";

pub(super) fn attempt(second: i64) -> Attempt {
    let at = at(NOON) + jiff::SignedDuration::from_secs(second);
    Attempt {
        id: uuid_v7(at, [7; 10]),
        at,
        contract: "knex".to_owned(),
        outcome: "created".to_owned(),
        status: Some(201),
        network: Some("2001:db8::/64".to_owned()),
        user: Some(uuid_v7(at, [8; 10])),
        claimed: Claimed { email: Some([1; 16]), username: Some([2; 16]) },
        attempts: 1,
    }
}

async fn an_attempt_reads_back_and_is_written_once(database: &Database) {
    let store = database.open().await;
    let bare = Attempt {
        status: None,
        network: None,
        user: None,
        claimed: Claimed::default(),
        attempts: u32::MAX,
        outcome: "\u{1b}[31m\r\n'; --".to_owned(),
        ..attempt(1)
    };
    let batch = vec![attempt(0), bare.clone()];
    for _ in 0..2 {
        store.record(batch.clone()).await.expect("recorded");
    }
    let wanted = Attempts { limit: 10, ..Attempts::default() };
    assert_eq!(store.attempts(&wanted).await.expect("an answer"), batch);
    let newest = Attempts { limit: 1, newest: true, ..wanted.clone() };
    assert_eq!(store.attempts(&newest).await.expect("an answer"), [bare]);
    let about = Claimed { email: Some([2; 16]), username: Some([2; 16]) };
    let found = store.attempts(&Attempts { about: Some(about), ..wanted.clone() }).await.expect("an answer");
    assert_eq!(found, [attempt(0)]);
    let nobody = Claimed { email: Some([2; 16]), username: None };
    let found = store.attempts(&Attempts { about: Some(nobody), ..wanted }).await.expect("an answer");
    assert_eq!(found, []);
}

async fn what_is_old_is_removed_in_steps(database: &Database) {
    let store = database.open().await;
    store.record((0..1500).map(attempt).collect()).await.expect("recorded");
    let before = least_uuid_v7(attempt(1400).at);
    for expected in [1000, 400, 0] {
        assert_eq!(store.purge_attempts(before).await.expect("purged"), expected);
    }
    let left = store.attempts(&Attempts { limit: 1, ..Attempts::default() }).await.expect("an answer");
    assert_eq!(left, [attempt(1400)]);
}

/// On one thread, the task that writes has no turn before the queue is full.
async fn what_finds_no_room_is_counted(database: &Database) {
    let store = database.open().await;
    let settings = config::Audit { store: true, keep: Duration::from_secs(3600), refusals: None };
    let metrics = AuditMetrics::default();
    let audit = Audit::start(b"a secret", &settings, store, Clock::system(), metrics.clone());
    for second in 0..5000 {
        audit.record(attempt(second));
    }
    assert_eq!(metrics.dropped.get(), 5000 - 4096);
    assert!(audit.close(Duration::from_secs(60)).await, "all that waited is written");
    assert_eq!(metrics.written.get(), 4096);
    assert_eq!(database.number("SELECT count(*) FROM audit").await, 4096);
    audit.record(attempt(0));
    assert_eq!(metrics.dropped.get(), 5000 - 4096 + 1, "after the end");
}

#[tokio::test]
async fn what_finds_no_room_is_counted_on_sqlite() {
    what_finds_no_room_is_counted(&Database::sqlite()).await;
}

#[tokio::test]
async fn what_finds_no_room_is_counted_on_postgres() {
    let database = Database::postgres().await;
    what_finds_no_room_is_counted(&database).await;
    database.remove().await;
}

/// Writes down in which order rows come.
fn noting(database: &Database) -> &'static str {
    match database {
        Database::Sqlite(_) => {
            "CREATE TABLE arrived (place INTEGER PRIMARY KEY, id TEXT);
             CREATE TRIGGER note AFTER INSERT ON audit BEGIN INSERT INTO arrived (id) VALUES (new.id); END"
        }
        Database::Postgres(_) => {
            "CREATE TABLE arrived (place bigserial, id uuid);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
                 $$BEGIN INSERT INTO arrived (id) VALUES (new.id); RETURN new; END$$;
             CREATE TRIGGER note AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION note()"
        }
    }
}

async fn what_cannot_be_written_is_kept_and_written_in_its_order_later(database: &Database) {
    const QUEUE: i64 = 4096;
    const TOO_MANY: i64 = 904;
    let (log, store) = (Log::of_this_thread(), database.open().await);
    database.execute(noting(database)).await;
    database.execute("ALTER TABLE audit RENAME TO away").await;
    let settings = config::Audit { store: true, keep: Duration::from_secs(3600), refusals: None };
    let metrics = AuditMetrics::default();
    let audit = Audit::start(b"a secret", &settings, store, Clock::system(), metrics.clone());
    // These are in the hands of the task that writes.
    (0..10).for_each(|second| audit.record(attempt(second)));
    log.wait_for("attempts cannot be recorded yet").await;
    // And these wait behind them, as far as there is room.
    (10..10 + QUEUE + TOO_MANY).for_each(|second| audit.record(attempt(second)));
    assert_eq!((metrics.dropped.get(), metrics.written.get()), (TOO_MANY as u64, 0));

    database.execute("ALTER TABLE away RENAME TO audit").await;
    log.wait_for("there is room again").await;
    assert!(audit.close(Duration::from_secs(60)).await, "all that waited is written");
    assert_eq!((metrics.dropped.get(), metrics.written.get()), (TOO_MANY as u64, (10 + QUEUE) as u64));
    assert_eq!(database.number("SELECT count(*) FROM audit").await, 10 + QUEUE);
    let before = "SELECT id, lag(id) OVER (ORDER BY place) AS before FROM arrived";
    let disordered = format!("SELECT count(*) FROM ({before}) AS rows WHERE id <= before");
    assert_eq!(database.number(&disordered).await, 0);
    assert_eq!(database.number("SELECT count(*) FROM arrived").await, 10 + QUEUE);
    for said in
        ["cannot be recorded yet", "attempts are recorded again", "attempts are lost", "there is room again"]
    {
        assert_eq!(log.count(said), 1, "{said}\n{}", log.so_far());
    }
    assert!(log.so_far().contains(&format!("lost={TOO_MANY}")), "{}", log.so_far());
}

#[tokio::test]
async fn what_cannot_be_written_is_kept_and_written_in_its_order_later_on_sqlite() {
    what_cannot_be_written_is_kept_and_written_in_its_order_later(&Database::sqlite()).await;
}

#[tokio::test]
async fn what_cannot_be_written_is_kept_and_written_in_its_order_later_on_postgres() {
    let database = Database::postgres().await;
    what_cannot_be_written_is_kept_and_written_in_its_order_later(&database).await;
    database.remove().await;
}

/// A batch that the database will never take holds nobody up.
async fn what_will_never_be_written_is_counted_and_told(database: &Database) {
    let (log, store) = (Log::of_this_thread(), database.open().await);
    let settings = config::Audit { store: true, keep: Duration::from_secs(3600), refusals: None };
    let metrics = AuditMetrics::default();
    let audit = Audit::start(b"a secret", &settings, store, Clock::system(), metrics.clone());
    // The schema wants a number above 0.
    audit.record(Attempt { attempts: 0, ..attempt(0) });
    log.wait_for("attempts could not be recorded and are lost").await;
    audit.record(attempt(1));
    assert!(audit.close(Duration::from_secs(60)).await);
    assert_eq!(metrics.written.get(), 1);
}

#[tokio::test]
async fn what_will_never_be_written_is_counted_and_told_on_sqlite() {
    what_will_never_be_written_is_counted_and_told(&Database::sqlite()).await;
}

#[tokio::test]
async fn what_will_never_be_written_is_counted_and_told_on_postgres() {
    let database = Database::postgres().await;
    what_will_never_be_written_is_counted_and_told(&database).await;
    database.remove().await;
}
