//! `vestibule backup` and `vestibule restore`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{accounts, assert_whole, opens};
use crate::harness::client::{Client, post};
use crate::harness::database::Database;
use crate::harness::folder::Folder;
use crate::harness::process::{Ended, Vestibule};

fn knex(number: usize) -> Vec<u8> {
    post("/knex/users", &format!(r#"{{"email":"user{number}@example.com","password":"secret-{number}"}}"#))
}

fn backup(database: &Database, to: &Path) -> Ended {
    Vestibule::new(&["backup", to.to_str().expect("UTF-8")]).on(database).run()
}

fn restore(database: &Database, from: &Path) -> Ended {
    Vestibule::new(&["restore", from.to_str().expect("UTF-8")]).on(database).run()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_all_that_was_acknowledged_before_it() {
    let (database, folder) = (Database::sqlite(), Folder::new());
    let server = Vestibule::serve(&database).start();
    let mut client = server.connect().await;
    for number in 0..5 {
        assert_eq!(client.ask(&knex(number)).await.status, 200);
    }
    // Sign-ups go on while it is made.
    let address = server.address;
    let load = tokio::spawn(async move {
        let mut client = Client::connect(address).await;
        for number in 5..25 {
            assert_eq!(client.ask(&knex(number)).await.status, 200);
        }
    });
    let copy = folder.path().join("accounts #1.db");
    let made = backup(&database, &copy);
    assert_eq!(made.code, Some(0), "{}", made.err);
    load.await.expect("every sign-up succeeds");
    drop(server);

    assert_eq!(std::fs::metadata(&copy).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing beside the copy");
    let restored = Database::sqlite();
    // On its way it may have become readable, or have lost the right to be written.
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o444)).expect("it is ours");
    let told = restore(&restored, &copy);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let Database::Sqlite(home) = &restored else { unreachable!("it is SQLite") };
    let mode = std::fs::metadata(home.path().join("vestibule.db")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner may read it");
    let users = accounts(&restored).len();
    assert!((5..=25).contains(&users), "{users}");
    assert!(told.out.contains(&format!(" {users} accounts, ")), "{}", told.out);
    assert_whole(&restored, i64::try_from(users).expect("a few")).await;
    for number in 0..5 {
        assert!(opens(&restored, &format!("user{number}@example.com"), &format!("secret-{number}")));
    }
    // It serves, and goes on where it was.
    let server = Vestibule::serve(&restored).start();
    let mut client = server.connect().await;
    assert_eq!(client.ask(&knex(0)).await.status, 409);
    assert_eq!(client.ask(&knex(100)).await.status, 200);
}

/// The newest accounts of a server that was killed are in the log beside its file.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_not_closed_is_no_copy() {
    let database = Database::sqlite();
    let server = Vestibule::serve(&database).start();
    assert_eq!(server.connect().await.ask(&knex(1)).await.status, 200);
    server.signal("KILL");
    drop(server);
    let Database::Sqlite(home) = &database else { unreachable!("it is SQLite") };
    let file = home.path().join("vestibule.db");
    let restored = Database::sqlite();
    let told = restore(&restored, &file);
    assert_eq!(told.code, Some(2), "{}", told.err);
    assert!(
        told.err.contains("vestibule.db-wal holds accounts") && told.err.contains("vestibule backup"),
        "{}",
        told.err
    );
    let link = home.path().join("link.db");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    assert_eq!(restore(&restored, &link).code, Some(2), "its log is not beside the link");
    // What it says to do works.
    let copy = home.path().join("copy.db");
    assert_eq!(backup(&database, &copy).code, Some(0));
    let told = restore(&restored, &copy);
    assert!(told.code == Some(0) && told.out.contains(": 1 account, "), "{} {}", told.out, told.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_ever_replaced() {
    let (database, folder) = (Database::sqlite(), Folder::new());
    database.open().await.close().await;
    let copy = folder.path().join("copy.db");
    assert_eq!(backup(&database, &copy).code, Some(0));
    let again = backup(&database, &copy);
    assert!(again.code == Some(2) && again.err.contains("the file is there already"), "{}", again.err);
    let over = restore(&database, &copy);
    assert!(over.code == Some(2) && over.err.contains("the file is there already"), "{}", over.err);
    // The log of another database would be played into the restored one.
    let other = Database::sqlite();
    let Database::Sqlite(home) = &other else { unreachable!("it is SQLite") };
    std::fs::write(home.path().join("vestibule.db-wal"), "remains").expect("a file");
    let beside = restore(&other, &copy);
    assert!(beside.code == Some(2) && beside.err.contains("vestibule.db-wal"), "{}", beside.err);
    assert!(!home.path().join("vestibule.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_whole_backup_is_not_restored() {
    let (database, folder) = (Database::sqlite(), Folder::new());
    let store = database.open().await;
    for number in 0..200 {
        let new = crate::stores::accounts::account(&format!("user{number}@example.com"));
        crate::stores::accounts::register(&store, new).await.expect("registered");
    }
    store.close().await;
    let copy = folder.path().join("copy.db");
    assert_eq!(backup(&database, &copy).code, Some(0));
    let whole = std::fs::read(&copy).expect("it is there");
    let mut torn = whole.clone();
    torn[8192..8192 + 4096].fill(0x55);
    for (name, bytes) in
        [("torn.db", &torn[..]), ("cut.db", &whole[..whole.len() / 2]), ("text.db", b"hello")]
    {
        let damaged = folder.path().join(name);
        std::fs::write(&damaged, bytes).expect("a file");
        let target = Database::sqlite();
        let refused = restore(&target, &damaged);
        assert_eq!(refused.code, Some(3), "{name}: {}", refused.err);
        let Database::Sqlite(home) = &target else { unreachable!("it is SQLite") };
        assert_eq!(std::fs::read_dir(home.path()).expect("a folder").count(), 0, "{name} left something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_backed_up_by_its_own_means() {
    let (database, folder) = (Database::postgres().await, Folder::new());
    database.open().await.close().await;
    let told = backup(&database, &folder.path().join("copy.db"));
    assert!(told.code == Some(2) && told.err.contains("pg_basebackup"), "{}", told.err);
    database.remove().await;
}
