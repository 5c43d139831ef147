//! Peppers, and hashes that are renewed when their password is verified.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Version};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::json;
use vestibule::clock::Clock;
use vestibule::password::{Engine, Params, Pool, PoolSettings};
use vestibule::user::Password;
use vestibule::verify::{Verified, verify};

use crate::harness::client::post;
use crate::harness::database::Database;
use crate::harness::folder::Folder;
use crate::harness::process::{Ended, GUARD, Vestibule};

on_both! {
    p5_each_hash_has_sixteen_bytes_of_salt_of_its_own
    a_stolen_database_verifies_nothing_without_its_pepper
    a_pepper_is_replaced_while_people_come_by
    a_hash_is_renewed_upward_only
    two_verifications_at_once_leave_one_good_hash
}

const NEW: &str = "the password matches; its hash was renewed\n";
const SAME: &str = "the password matches\n";

async fn sign_up(database: &Database, settings: &[&str], email: &str) {
    let server = Vestibule::serve(database).with(&["--contract", "knex"]).with(settings).start();
    let body = format!(r#"{{"email":"{email}","password":"a long password"}}"#);
    assert_eq!(server.connect().await.ask(&post("/users", &body)).await.status, 200);
    assert_eq!(server.stop().0.code, Some(0));
}

fn check(database: &Database, who: &str, password: &str, settings: &[&str]) -> Ended {
    Vestibule::new(&["user", "verify", who]).on(database).with(settings).input(password.as_bytes()).run()
}

async fn stored(database: &Database, id: i64) -> String {
    let store = database.open().await;
    let hash = store.password_of(id).await.expect("an answer").expect("a user");
    store.close().await;
    hash
}

/// A file of peppers that nobody else can read, and the setting that names it.
fn peppers(folder: &Folder, lines: &[&str]) -> String {
    let file = folder.path().join("pepper");
    std::fs::write(&file, lines.join("\n")).expect("the folder can be written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    format!("passwords.pepper_file={}", file.display())
}

fn new_pepper(id: &str) -> String {
    let ended = Vestibule::new(&["pepper", "new", id]).run();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out.trim_end().to_owned()
}

/// Computes a stored hash by another library. `None` is without a pepper.
fn computes(hash: &str, pepper: Option<&str>) -> bool {
    let parts: Vec<&str> = hash.split('$').collect();
    let [_, "argon2id", "v=19", params, salt, tag] = parts[..] else { panic!("{hash}") };
    assert!(params.starts_with("m=19456,t=2,p=1"), "{params}");
    let secret = pepper.map_or(Vec::new(), |line| {
        STANDARD.decode(line.split(' ').nth(1).expect("a secret")).expect("Base64")
    });
    let params = argon2::Params::new(19_456, 2, 1, None).expect("parameters");
    let argon2 =
        Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, params).expect("a secret");
    let mut computed = [0; 32];
    let salt = STANDARD_NO_PAD.decode(salt).expect("Base64");
    argon2.hash_password_into(b"a long password", &salt, &mut computed).expect("a hash");
    STANDARD_NO_PAD.encode(computed) == tag
}

async fn p5_each_hash_has_sixteen_bytes_of_salt_of_its_own(database: &Database) {
    for who in ["ada", "bob", "eve"] {
        sign_up(database, &[], &format!("{who}@example.com")).await;
    }
    let mut hashes = Vec::new();
    for id in 1..=3 {
        hashes.push(stored(database, id).await);
    }
    // A hash that is renewed gets a new salt, too.
    assert_eq!(check(database, "1", "a long password", &["--set", "passwords.iterations=3"]).err, NEW);
    hashes.push(stored(database, 1).await);
    let (mut salts, mut tags) = (BTreeSet::new(), BTreeSet::new());
    for hash in &hashes {
        let parts: Vec<&str> = hash.split('$').collect();
        let [_, "argon2id", "v=19", _, salt, tag] = parts[..] else { panic!("{hash}") };
        let bytes = |text: &str| STANDARD_NO_PAD.decode(text).expect("Base64 without padding");
        assert_eq!((bytes(salt).len(), bytes(tag).len()), (16, 32), "{hash}");
        salts.insert(bytes(salt));
        tags.insert(bytes(tag));
    }
    assert_eq!((salts.len(), tags.len()), (4, 4), "one password, and no two alike: {hashes:#?}");
}

async fn a_stolen_database_verifies_nothing_without_its_pepper(database: &Database) {
    let (folder, pepper) = (Folder::new(), new_pepper("first"));
    let setting = peppers(&folder, &[&pepper]);
    sign_up(database, &["--set", &setting], "ada@example.com").await;

    let hash = stored(database, 1).await;
    assert!(hash.contains(",keyid=Zmlyc3Q$"), "{hash}");
    assert!(computes(&hash, Some(&pepper)) && !computes(&hash, None));
    assert!(!computes(&hash, Some(&new_pepper("first"))));

    let right = check(database, "1", "a long password", &["--set", &setting]);
    assert_eq!((right.code, &*right.err), (Some(0), SAME));
    assert_eq!(check(database, "1", "another password", &["--set", &setting]).code, Some(1));
    // Without the file it is no wrong password, and it is said what is missing.
    let lost = check(database, "1", "a long password", &[]);
    assert_eq!(lost.code, Some(3));
    assert!(lost.err.contains("the pepper `first`, which is not in passwords.pepper_file"), "{}", lost.err);
    let usage = Vestibule::new(&["pepper", "usage"]).on(database).run();
    assert!(usage.code == Some(1) && usage.out.contains("NO"), "{}", usage.out);
}

async fn a_pepper_is_replaced_while_people_come_by(database: &Database) {
    let (folder, old, new) = (Folder::new(), new_pepper("old"), new_pepper("new"));
    sign_up(database, &[], "before@example.com").await;
    let setting = peppers(&folder, &["# first", &old]);
    sign_up(database, &["--set", &setting], "ada@example.com").await;
    let setting = peppers(&folder, &[&old, &new]);
    let usage = || {
        let ended = Vestibule::new(&["pepper", "usage", "--json", "--set", &setting]).on(database).run();
        let lines = ended.out.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        (ended.code, lines.collect::<Vec<serde_json::Value>>())
    };
    let line = |pepper: Option<&str>, accounts: i64| json!({ "pepper": pepper, "accounts": accounts, "known": true });
    assert_eq!(usage(), (Some(0), vec![line(None, 1), line(Some("old"), 1)]));

    for (id, who) in [(1, "before@example.com"), (2, "ada@example.com")] {
        let before = stored(database, id).await;
        assert_eq!(check(database, who, "another password", &["--set", &setting]).code, Some(1));
        assert_eq!(stored(database, id).await, before, "a wrong password changes nothing");
        assert_eq!(check(database, who, "a long password", &["--set", &setting]).err, NEW);
        assert!(computes(&stored(database, id).await, Some(&new)));
        assert_eq!(check(database, who, "a long password", &["--set", &setting]).err, SAME);
    }
    assert_eq!(usage(), (Some(0), vec![line(Some("new"), 2)]));
    // Now the old one can go.
    let setting = peppers(&folder, &[&new]);
    assert_eq!(check(database, "2", "a long password", &["--set", &setting]).err, SAME);
}

async fn a_hash_is_renewed_upward_only(database: &Database) {
    sign_up(database, &[], "ada@example.com").await;
    let version = || database.number("SELECT version FROM users");
    assert_eq!(version().await, 1);
    let dearer = ["--set", "passwords.iterations=3"];
    assert_eq!(check(database, "1", "a long password", &dearer).err, NEW);
    assert!(stored(database, 1).await.starts_with("$argon2id$v=19$m=19456,t=3,p=1$"));
    for settings in [&dearer[..], &[]] {
        assert_eq!(check(database, "1", "a long password", settings).err, SAME);
    }
    // A new pepper does not make it cheaper either.
    let (folder, pepper) = (Folder::new(), new_pepper("p"));
    let setting = peppers(&folder, &[&pepper]);
    assert_eq!(check(database, "1", "a long password", &["--set", &setting]).err, NEW);
    assert!(stored(database, 1).await.starts_with("$argon2id$v=19$m=19456,t=3,p=1,keyid=cA$"));
    assert_eq!(version().await, 3);
}

async fn two_verifications_at_once_leave_one_good_hash(database: &Database) {
    sign_up(database, &[], "ada@example.com").await;
    let (store, clock) = (database.open().await, Clock::system());
    let params = Params { iterations: 3, ..Params::default() };
    let settings = PoolSettings { engine: Engine::Fast, params, workers: 2, deadline: GUARD };
    let pool = Pool::start(settings).expect("the pool starts");
    let once = || verify(&pool, &store, &clock, 1, Password::parse("a long password").expect("a password"));
    let (one, other) = tokio::join!(once(), once());
    // Whichever comes second finds another hash than the one it verified, and leaves it.
    for verified in [one, other] {
        assert!(matches!(verified.expect("an answer"), Verified::Right { .. }));
    }
    let hash = store.password_of(1).await.expect("an answer").expect("a user");
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=3,p=1$"), "{hash}");
    let password = Arc::new(Password::parse("a long password").expect("a password"));
    assert_eq!(pool.verify(password, &hash).await, Ok(true));
    // What was verified long ago replaces nothing.
    assert!(!store.renew(1, "$argon2id$something-else".to_owned(), "x".to_owned()).await.expect("an answer"));
    assert_eq!(store.password_of(1).await.expect("an answer"), Some(hash));
    store.close().await;
}

#[test]
fn a_bad_file_is_refused_at_start_line_by_line() {
    let (folder, database) = (Folder::new(), Database::sqlite());
    let setting = peppers(&folder, &["first c2hvcnQ=", "much-too-long-an-id AAAA"]);
    let ended = Vestibule::serve(&database).with(&["--set", &setting]).run();
    assert_eq!(ended.code, Some(2));
    for said in [
        "`passwords.pepper_file`",
        "line 1 has a secret of less than 32 bytes",
        "line 2 has an id",
        "pepper new",
    ] {
        assert!(ended.err.contains(said), "{said}: {}", ended.err);
    }
    assert!(!ended.err.contains("c2hvcnQ"), "{}", ended.err);
    let missing = format!("passwords.pepper_file={}", Path::new("no/such/file").display());
    let ended = Vestibule::serve(&database).with(&["--set", &missing]).run();
    assert!(ended.code == Some(2) && ended.err.contains("cannot be read"), "{}", ended.err);
    assert_eq!(Vestibule::new(&["pepper", "new", "much-too-long-an-id"]).run().code, Some(2));
}

/// Under one name two secrets could not be told apart; whoever makes two on a day must not get them.
#[test]
fn peppers_that_nobody_named_have_names_of_their_own() {
    let names = [(); 2].map(|()| {
        let line = Vestibule::new(&["pepper", "new"]).run().out;
        line.split(' ').next().expect("a name").to_owned()
    });
    assert!(names[0] != names[1] && names.iter().all(|name| name.len() == 8), "{names:?}");
}
