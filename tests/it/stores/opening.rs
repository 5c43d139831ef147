//! Opening, reopening and closing.
//! Every test here runs once on SQLite and once on PostgreSQL.

use vestibule::store::{DatabaseUrl, Opening, RegisterError, Store, StoreError};

use super::accounts::{account, all_at_once, assert_whole, full_account, ids, register};
use crate::harness::database::Database;

on_both! {
    registrations_survive_reopening
    a_closed_store_says_so
    every_statement_prepares
    opening_twice_at_once_migrates_once
    f5_a_newer_schema_is_refused
    a_changed_migration_is_refused
    inspecting_reads_and_never_makes
}

async fn registrations_survive_reopening(database: &Database) {
    let store = database.open().await;
    assert!(store.created());
    register(&store, full_account()).await.unwrap();
    let before = store.list(0, 10).await.unwrap();
    store.close().await;
    let store = database.open().await;
    assert!(!store.created());
    assert_eq!(store.list(0, 10).await.unwrap(), before);
    assert_eq!(register(&store, account("b@example.com")).await.unwrap(), 2);
}

async fn a_closed_store_says_so(database: &Database) {
    let store = database.open().await;
    let accounts = (0..20).map(|number| account(&format!("u{number}@example.com")));
    assert!(all_at_once(&store, accounts).await.iter().all(Result::is_ok));
    store.clone().close().await;
    let refused = register(&store, account("late@example.com")).await;
    assert!(matches!(refused, Err(RegisterError::Unavailable(StoreError::Closed))), "{refused:?}");
    assert!(matches!(store.ping().await, Err(StoreError::Closed)));
    assert_whole(database, 20, 20).await;
}

async fn every_statement_prepares(database: &Database) {
    let store = database.open().await;
    store.ping().await.unwrap();
    let engine = match store {
        Store::Sqlite(_) => "sqlite",
        Store::Postgres(_) => "postgres",
    };
    // A statement that somebody forgot to list would never be prepared: each is a constant of the type `Sql`.
    let folder = format!("{}/src/store/{engine}", env!("CARGO_MANIFEST_DIR"));
    let files =
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let constants: usize = files.map(|text| text.matches(": Sql =").count()).sum();
    assert!(constants > 10);
    assert_eq!(store.prepare_all().await.unwrap(), constants);
}

async fn opening_twice_at_once_migrates_once(database: &Database) {
    let openings: Vec<_> = (0..8)
        .map(|_| {
            let url = DatabaseUrl::parse(&database.url()).unwrap();
            tokio::spawn(async move { Store::open(&url, Opening::Serve).await })
        })
        .collect();
    for opening in openings {
        opening.await.unwrap().unwrap().ping().await.unwrap();
    }
    // Each migration stands in the history once.
    let twice = "SELECT count(*) - count(DISTINCT version) FROM vestibule_migrations";
    assert_eq!(database.number(twice).await, 0);
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    let files = std::fs::read_dir(files).expect("the migrations").count() as i64;
    assert_eq!(database.number("SELECT count(*) FROM vestibule_migrations").await, files);
}

async fn f5_a_newer_schema_is_refused(database: &Database) {
    database.open().await.close().await;
    let later = "INSERT INTO vestibule_migrations (version, name, applied_on, checksum) \
                 VALUES (9000, 'later', '2030-01-01T00:00:00Z', '1')";
    database.execute(later).await;
    for opening in [Opening::Serve, Opening::Inspect] {
        let line = refusal(database, opening).await;
        assert!(line.contains("schema is number 9000") && line.contains("newer"), "{line}");
    }
}

async fn a_changed_migration_is_refused(database: &Database) {
    database.open().await.close().await;
    database.execute("UPDATE vestibule_migrations SET checksum = '1'").await;
    let line = refusal(database, Opening::Serve).await;
    assert!(line.contains("cannot migrate"), "{line}");
}

async fn inspecting_reads_and_never_makes(database: &Database) {
    let line = refusal(database, Opening::Inspect).await;
    assert!(line.contains("vestibule serve"), "{line}");
    let store = database.open().await;
    register(&store, account("a@example.com")).await.unwrap();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    let inspecting = Store::open(&url, Opening::Inspect).await.unwrap();
    assert!(!inspecting.created());
    assert_eq!(ids(&inspecting.list(0, 10).await.unwrap()), [1]);
}

async fn refusal(database: &Database, opening: Opening) -> String {
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    let line = Store::open(&url, opening).await.expect_err("opening is refused").to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}
