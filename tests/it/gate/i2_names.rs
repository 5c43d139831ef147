//! I2: user names and addresses that a deployment does not want, and user names that look alike.

use crate::harness::client::{Client, Reply, at_once, post};
use crate::harness::cluster::Cluster;
use crate::harness::database::Database;
use crate::harness::process::Vestibule;
use crate::process::user;

on_both! {
    i2_reserved_and_mixed_names_are_refused_where_that_is_switched_on
    i2_of_look_alikes_at_once_exactly_one_wins
    i2_users_of_before_get_their_looks_and_doubles_are_told
    i2_disposable_domains_are_refused_but_for_the_accepted
}

fn request(name: &str) -> Vec<u8> {
    let body = serde_json::json!({ "username": name, "password": "correct horse" });
    post("/flask/users", &body.to_string())
}

async fn sign_up(client: &mut Client, name: &str) -> Reply {
    client.ask(&request(name)).await
}

const TAKEN: &str = r#"{"error":"existing user"}"#;

async fn i2_reserved_and_mixed_names_are_refused_where_that_is_switched_on(database: &Database) {
    let strict = Vestibule::serve(database)
        .file("own.txt", "# ours\nhorse\n")
        .with(&["--set", "names.reserved=true", "--set", "names.also_reserved=own.txt"])
        .with(&["--set", "names.restriction=moderate"])
        .start();
    let mut client = strict.connect().await;
    for (name, told) in [
        ("admin", "reserved"),
        ("\u{430}dmin", "reserved"),
        ("Adm1n", "reserved"),
        ("admi\u{307}n", "reserved"),
        ("ADM\u{130}N", "reserved"),
        ("h0rse", "reserved"),
        ("jan\u{435}", "scripts"),
    ] {
        let reply = sign_up(&mut client, name).await;
        assert!(reply.status == 400 && reply.body.contains(told), "{name}: {reply:?}");
    }
    assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
    for name in ["\u{436}\u{430}\u{43d}\u{43d}\u{430}", "jane"] {
        assert_eq!(sign_up(&mut client, name).await.status, 201, "{name}");
    }
    // Control: nobody has asked this server to refuse them.
    let lenient = Vestibule::serve(database).start();
    assert_eq!(sign_up(&mut lenient.connect().await, "admin").await.status, 201);
}

async fn i2_of_look_alikes_at_once_exactly_one_wins(database: &Database) {
    const ALIKE: [&str; 5] = ["paypal", "paypa1", "paypaI", "p\u{430}ypal", "Paypal"];
    let serve = || {
        Vestibule::serve(database)
            .with(&["--set", "names.distinct=true", "--set", "passwords.deadline=100s"])
            .with(&["--set", "rates.account=off"])
            .start()
    };
    let (one, other) = (serve(), serve());
    let tries = (0..50).map(|number| request(ALIKE[number % ALIKE.len()])).collect();
    let mut created = 0;
    for reply in at_once(&[one.address, other.address], tries).await {
        match reply.status {
            201 => created += 1,
            _ => assert_eq!((reply.status, reply.body.as_str()), (400, TAKEN)),
        }
    }
    assert_eq!(created, 1);
    let mut client = one.connect().await;
    assert_eq!(sign_up(&mut client, "pawpal").await.status, 201, "it looks like nobody");
    assert_eq!(database.number("SELECT count(*) FROM users").await, 2);
}

async fn i2_users_of_before_get_their_looks_and_doubles_are_told(database: &Database) {
    let before = Vestibule::serve(database).start();
    let mut client = before.connect().await;
    for name in ["modern", "modem", "jane"] {
        assert_eq!(sign_up(&mut client, name).await.status, 201, "{name}: nobody keeps them apart yet");
    }
    before.stop();
    let server = Vestibule::serve(database).with(&["--set", "names.distinct=true"]).start();
    let mut client = server.connect().await;
    // Twice: what was done is not done again, and what was found is found again.
    for _ in 0..2 {
        let told = user(database, &["look-alikes"], "");
        assert_eq!(
            (told.code, told.out.as_str()),
            (Some(1), "user 2 (modem) looks like user 1\n"),
            "{}",
            told.err
        );
        assert!(told.err.contains("3 user names") && told.err.contains(" 1 look"), "{}", told.err);
        assert_eq!(database.number("SELECT count(*) FROM user_keys WHERE kind = 'looks'").await, 2);
    }
    assert_eq!(sign_up(&mut client, "ian").await.status, 201);
    for name in ["rnodern", "j\u{430}ne", "j\u{307}ane", "i\u{307}an", "\u{456}\u{307}an"] {
        let reply = sign_up(&mut client, name).await;
        assert_eq!((reply.status, reply.body.as_str()), (400, TAKEN), "{name}");
    }
    assert_eq!(database.number("SELECT count(*) FROM users").await, 4, "no account was changed");
}

async fn i2_disposable_domains_are_refused_but_for_the_accepted(database: &Database) {
    let server = Vestibule::serve(database)
        .file("trash.txt", "trash.example # known\nB\u{fc}cher.example\n")
        .file("good.txt", "good.trash.example\n")
        .with(&["--set", "names.disposable=trash.txt", "--set", "names.accepted=good.txt"])
        .start();
    let mut client = server.connect().await;
    for (domain, status) in [
        ("trash.example", 422),
        ("a.TRASH.example", 422),
        ("xn--bcher-kva.example", 422),
        ("good.trash.example", 201),
        ("nottrash.example", 201),
    ] {
        let body = format!(r#"{{"email":"jane@{domain}","password":"tree frogs sing at dusk"}}"#);
        let reply = client.ask(&post("/standard/users", &body)).await;
        assert_eq!(reply.status, status, "{domain}: {reply:?}");
        assert!(
            status == 201 || reply.json()["errors"][0]["pointer"] == "/email" || reply.body.contains("email")
        );
    }
}

#[test]
fn i2_bad_lists_are_refused_at_start_with_their_lines() {
    let refused = Vestibule::new(&["serve", "--contract", "nobodys"])
        .file("trash.txt", "a.example\nno domain\n\n@\n")
        .file("own.txt", "root\na b\n")
        .with(&["--set", "names.disposable=trash.txt", "--set", "names.also_reserved=own.txt"])
        .with(&["--set", "names.accepted=nowhere.txt"])
        .run();
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    for told in ["trash.txt:2, and 1 further", "own.txt:2", "nowhere.txt, which cannot be read", "nobodys"] {
        assert!(refused.err.contains(told), "{told}: {}", refused.err);
    }
}

/// A PostgreSQL that loses what it has confirmed is warned about, and one that does not is not.
#[tokio::test]
async fn a_database_that_forgets_is_warned_about() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    let serve = || {
        Vestibule::new(&["serve", "--listen", "127.0.0.1:0", "--database", &cluster.url("postgres")]).start()
    };
    let log = serve().stop().0.err;
    assert!(log.contains("fsync = off") && !log.contains("synchronous_commit"), "{log}");
    let off = "ALTER DATABASE postgres SET synchronous_commit = off";
    crate::harness::postgres::execute(&cluster.url("postgres"), off).await;
    let log = serve().stop().0.err;
    assert!(log.contains("fsync = off") && log.contains("synchronous_commit = off"), "{log}");
    let safe = Cluster::start(&[]).await;
    let url = safe.url("postgres");
    let log = Vestibule::new(&["serve", "--listen", "127.0.0.1:0", "--database", &url]).start().stop().0.err;
    assert!(!log.contains("= off") && !log.contains("no time limit"), "{log}");
    // As behind a pooler that throws away what is asked for at connecting.
    let url = format!("{url}?options=-c%20lock_timeout%3D0");
    let log = Vestibule::new(&["serve", "--listen", "127.0.0.1:0", "--database", &url]).start().stop().0.err;
    assert!(log.contains("PostgreSQL has no time limit for statements or for locks"), "{log}");
}
