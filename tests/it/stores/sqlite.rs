//! What only a file can get wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use vestibule::store::{DatabaseUrl, OpenError, Opening, Store};

use super::accounts::{account, register};
use crate::harness::folder::Folder;

async fn open(path: &Path, options: &str, opening: Opening) -> Result<Store, OpenError> {
    let url = DatabaseUrl::parse(&format!("sqlite://{}{options}", path.display())).expect("a database URL");
    Store::open(&url, opening).await
}

/// Opening must fail with one line, and leave the file as it was and nothing beside it.
async fn refusal(path: &Path, options: &str, opening: Opening) -> OpenError {
    let before = std::fs::read(path).ok();
    let error = open(path, options, opening).await.expect_err("opening is refused");
    assert!(!error.to_string().contains('\n'), "{error}");
    assert_eq!(std::fs::read(path).ok(), before, "{error}");
    error
}

/// A database with some users, closed.
async fn made(path: &Path) {
    let store = open(path, "", Opening::Serve).await.expect("a new file");
    for number in 0..200 {
        register(&store, account(&format!("u{number}@example.com"))).await.expect("registered");
    }
    store.close().await;
}

#[tokio::test]
async fn a_new_file_is_its_owners_alone_and_nothing_lies_beside_it() {
    let folder = Folder::new();
    let path = folder.path().join("v.db");
    let store = open(&path, "", Opening::Serve).await.unwrap();
    assert!(store.created());
    register(&store, account("a@example.com")).await.unwrap();
    for name in ["v.db", "v.db-wal", "v.db-shm"] {
        let mode = std::fs::metadata(folder.path().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().await;
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["v.db"]);
}

#[tokio::test]
async fn a_missing_file_is_created_only_where_that_is_wanted() {
    let folder = Folder::new();
    let path = folder.path().join("v.db");
    assert!(matches!(refusal(&path, "", Opening::Inspect).await, OpenError::Missing(_)));
    assert!(matches!(refusal(&path, "?mode=rw", Opening::Serve).await, OpenError::NotCreatable(_)));
    let nowhere = folder.path().join("no").join("v.db");
    assert!(matches!(refusal(&nowhere, "", Opening::Serve).await, OpenError::Create { .. }));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    open(&path, "?mode=rwc", Opening::Serve).await.unwrap().close().await;
    open(&path, "?mode=rw", Opening::Serve).await.unwrap().close().await;
}

#[tokio::test]
async fn f5_what_is_not_ours_is_refused_untouched() {
    let folder = Folder::new();
    let path = folder.path().join("v.db");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(refusal(&path, "", Opening::Serve).await, OpenError::Empty(_)));
    for text in ["x", &"this is a letter, not a database; ".repeat(100)] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(refusal(&path, "", Opening::Serve).await, OpenError::NotADatabase(_)));
    }
    assert!(matches!(refusal(folder.path(), "", Opening::Serve).await, OpenError::Unreadable { .. }));

    std::fs::remove_file(&path).unwrap();
    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)").unwrap();
    drop(foreign);
    assert!(matches!(refusal(&path, "", Opening::Serve).await, OpenError::Foreign { .. }));
    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign.execute_batch("PRAGMA application_id = 0x56535442").unwrap();
    drop(foreign);
    let error = open(&path, "", Opening::Serve).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn f5_damage_is_refused() {
    let folder = Folder::new();
    let path = folder.path().join("v.db");
    made(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let cut = &whole[..whole.len() / 2];
    let mut scratched = whole.clone();
    let middle = whole.len() / 2 / 4096 * 4096;
    scratched[middle..middle + 4096].fill(0xa5);
    let mut headless = whole.clone();
    headless[100..4096].fill(0);
    for (damage, bytes) in [("cut", cut), ("scratched", &scratched), ("headless", &headless)] {
        std::fs::write(&path, bytes).unwrap();
        let error = open(&path, "", Opening::Serve).await.expect_err(damage);
        assert!(matches!(error, OpenError::Corrupt { .. }), "{damage}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    std::fs::write(&path, &whole).unwrap();
    open(&path, "", Opening::Serve).await.unwrap().close().await;
}

#[tokio::test]
async fn a_half_made_draft_of_a_killed_start_harms_nobody() {
    let folder = Folder::new();
    let path = folder.path().join("v.db");
    std::fs::write(folder.path().join("v.db.new-0123456789abcdef"), "half").unwrap();
    let store = open(&path, "", Opening::Serve).await.unwrap();
    assert!(store.created());
}

#[tokio::test]
async fn commits_are_durable_and_keys_are_foreign() {
    let folder = Folder::new();
    let path = folder.path().join("v.db");
    let store = open(&path, "", Opening::Serve).await.unwrap();
    register(&store, account("a@example.com")).await.unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    let mode: String = file.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let orphan = "PRAGMA foreign_keys = ON; INSERT INTO user_keys VALUES ('email', 'x', 99)";
    assert!(file.execute_batch(orphan).is_err());
}
