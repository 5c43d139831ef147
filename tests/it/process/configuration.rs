//! What `serve` serves by its flags, and what it refuses to start with.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::user;
use crate::harness::client::post;
use crate::harness::database::Database;
use crate::harness::folder::Folder;
use crate::harness::process::{Ended, Vestibule};

on_both! {
    a_single_contract_is_a_drop_in
    a_prefix_moves_a_contract
    f5_a_foreign_database_is_refused_and_left_alone
    a_unique_value_has_a_length
}

async fn a_single_contract_is_a_drop_in(database: &Database) {
    let server = Vestibule::serve(database).with(&["--contract", "express"]).start();
    let mut client = server.connect().await;
    assert_eq!(client.ask(&post("/user/register", "{}")).await.status, 400);
    assert_eq!(client.ask(&post("/express/user/register", "{}")).await.status, 404);
    assert_eq!(client.ask(&post("/users", "{}")).await.status, 404);
    let table = server.announcement();
    assert!(table.contains("/user/register") && !table.contains("/users"), "{table}");
}

async fn a_prefix_moves_a_contract(database: &Database) {
    let server = Vestibule::serve(database).with(&["--contract", "knex@/v1"]).start();
    let mut client = server.connect().await;
    assert_eq!(client.ask(&post("/v1/users", "{}")).await.status, 400);
    assert_eq!(client.ask(&post("/users", "{}")).await.status, 404);
    server.stop();
    // A file, by the environment, beside a shipped one.
    let ours = include_str!("../../../contracts/flask.toml").replace("/users", "/join");
    let server = Vestibule::serve(database)
        .file("ours.toml", &ours)
        .env("VESTIBULE_CONTRACTS", "./ours.toml@/v2,knex@/")
        .start();
    let mut client = server.connect().await;
    assert_eq!(client.ask(&post("/v2/join", "{}")).await.body, r#"{"error":"missing arguments"}"#);
    assert_eq!(client.ask(&post("/users", "{}")).await.status, 400);
    let mut client = server.connect().await;
    client.ask(&post("/v2/join", r#"{"username":"Lorenzo","password":"Udacity"}"#)).await;
    assert_eq!(user(database, &["verify", "lorenzo"], "Udacity\n").code, Some(0));
}

/// A run that was refused says so on standard error alone.
fn refused(run: Vestibule, code: i32) -> String {
    let Ended { code: found, out, err } = run.run();
    assert_eq!(found, Some(code), "{err}");
    assert!(out.is_empty(), "{out}");
    assert!(!err.contains("panicked"), "{err}");
    err
}

fn serve(database: &Database, arguments: &[&str]) -> Vestibule {
    Vestibule::serve(database).with(arguments)
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let database = Database::sqlite();
    let broken = "[register]\npath = \"/users\"\nfeilds = []\n\n[register.created]\nstatus = 201\nbody = '{ \"id\": {{ usr.id }} }'\n";
    let file = "listne = \"127.0.0.1:0\"\n[limits]\nconnections = \"many\"\n";
    let run = serve(&database, &["--config", "my.toml", "--contract", "broken.toml@/b"])
        .with(&["--contract", "knex@/v1", "--contract", "envelope@/v1", "--contract", "exprss@/e"])
        .with(&["--set", "passwords.memory_kib=8192"])
        .env("VESTIBULE_PASSWORDS_WROKERS", "2")
        .env("VESTIBULE_TOKEN_SECRET", "thirty-one bytes are one short.")
        .file("my.toml", file)
        .file("broken.toml", broken);
    let told = refused(run, 2);
    for text in [
        "unknown key `listne`",
        "--> my.toml:1:1",
        "did you mean `listen`?",
        "`limits.connections` must be a whole number",
        "--> my.toml:3:15",
        "unknown environment variable `VESTIBULE_PASSWORDS_WROKERS`",
        "did you mean `VESTIBULE_PASSWORDS_WORKERS`?",
        "`token_secret` must have at least 32 bytes; this one has 31",
        "--> environment variable VESTIBULE_TOKEN_SECRET",
        "--> broken.toml:3:1",
        "did you mean `fields`?",
        "--> broken.toml:7:",
        "`knex` and `envelope`, which both answer POST /v1/users",
        "\"exprss\", which is neither a shipped contract nor a file",
        "did you mean \"express\"?",
        "--> flag --contract",
        "`passwords.memory_kib`",
        "--> flag --set passwords.memory_kib",
    ] {
        assert!(told.contains(text), "{text:?} is not in:\n{told}");
    }
    assert!(!told.contains("thirty-one bytes"), "a secret is shown:\n{told}");
    assert_eq!(told.matches("in the configuration").count(), 1, "{told}");
    assert!(told.lines().any(|line| line.contains('|') && line.contains('^')), "no caret in:\n{told}");
    let Database::Sqlite(folder) = &database else { unreachable!("it is SQLite") };
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0,
        "a refused start leaves nothing"
    );
}

#[test]
fn the_same_contract_twice_is_refused_with_a_way_out() {
    let told = refused(serve(&Database::sqlite(), &["--contract", "knex,knex"]), 2);
    assert!(told.contains("which both answer POST /knex/users"), "{told}");
    assert!(!told.contains("such as knex@/knex"), "{told}");
}

#[test]
fn two_contracts_of_one_name_are_refused_and_one_at_two_paths_is_not() {
    let (text, database) = (include_str!("../../../contracts/knex.toml"), Database::sqlite());
    let named = |other: &str| {
        serve(&database, &["--contract", "knex.toml@/one", "--contract", other]).file("knex.toml", text)
    };
    let told = refused(named("knex@/two"), 2);
    assert!(told.contains("knex.toml and knex, which would both be called `knex`"), "{told}");
    drop(named("./knex.toml@/two").start());
}

#[test]
fn a_contract_that_misses_a_secret_is_refused() {
    let contract = include_str!("../../../contracts/flask.toml")
        .replace("fields = [", "fields = [\n  { name = \"key\", from = \"header:x-app-key\", rules = [{ secret = \"app_key\", message = \"no\" }] },");
    let told =
        refused(serve(&Database::sqlite(), &["--contract", "ours.toml"]).file("ours.toml", &contract), 2);
    assert!(
        told.contains("needs the secret `app_key`") && told.contains("VESTIBULE_SECRETS_APP_KEY"),
        "{told}"
    );
}

#[test]
fn a_port_in_use_is_told_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let database = Database::sqlite();
    let told = refused(Vestibule::new(&["serve", "--listen", &address]).on(&database), 3);
    assert!(told.contains(&format!("cannot listen on {address}")), "{told}");
    let Database::Sqlite(folder) = &database else { unreachable!("it is SQLite") };
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn a_database_that_cannot_be_is_told() {
    let serve = |url: &str| Vestibule::new(&["serve", "--listen", "127.0.0.1:0", "--database", url]);
    let told = refused(serve("sqlite:///no/such/folder/vestibule.db"), 3);
    assert!(told.contains("/no/such/folder/vestibule.db: cannot create the database"), "{told}");
    let told = refused(serve("postgres://somebody:a-password@127.0.0.1:1/accounts"), 3);
    assert!(told.contains("cannot connect") && !told.contains("a-password"), "{told}");
    for url in ["mysql://h/d", "sqlite://", "vestibule.db", "postgres://h/d?nonsense=1"] {
        let told = refused(serve(url), 2);
        assert!(told.contains("`database`") && told.contains("flag --database"), "{url}: {told}");
    }
}

async fn f5_a_foreign_database_is_refused_and_left_alone(database: &Database) {
    database.execute("CREATE TABLE users (id integer PRIMARY KEY, shoe_size integer)").await;
    let told = refused(Vestibule::serve(database), 3);
    assert!(told.contains("belongs to another program"), "{told}");
    assert_eq!(user(database, &["list"], "").code, Some(3));
    assert_eq!(database.number("SELECT count(shoe_size) FROM users").await, 0, "it is as it was");
}

/// Whoever stands between could be who answers that there is no TLS.
#[test]
fn a_database_elsewhere_that_knows_no_tls_is_sent_nothing() {
    let asked = |options: &str| {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = server.local_addr().expect("an address").port();
        let behind = thread::spawn(move || {
            let (mut client, _) = server.accept().expect("a connection");
            client.read_exact(&mut [0; 8]).expect("the question for TLS");
            client.write_all(b"N").expect("an answer");
            let mut behind = [0; 256];
            let length = client.read(&mut behind).expect("what follows, or the end");
            String::from_utf8_lossy(&behind[..length]).into_owned()
        });
        let url =
            format!("postgres://somebody:s3cret@db.example:{port}/accounts?hostaddr=127.0.0.1{options}");
        let told = refused(Vestibule::new(&["user", "list", "--database", &url]), 3);
        (behind.join().expect("no panic"), told)
    };
    let (behind, told) = asked("");
    assert_eq!(behind, "");
    assert!(told.contains("does not support TLS") && told.contains("sslmode=disable"), "{told}");
    // The control.
    assert!(asked("&sslmode=prefer").0.contains("somebody"));
}

/// A value that is declared unique is a name, not a novel; the store's index could not hold it.
async fn a_unique_value_has_a_length(database: &Database) {
    let contract = include_str!("../../../contracts/flask.toml").replace(
        "fields = [",
        "fields = [\n  { name = \"badge\", into = \"extra.badge\", rules = [{ unique = true, message = \"badge taken\" }] },",
    );
    let server =
        Vestibule::serve(database).file("ours.toml", &contract).with(&["--contract", "ours.toml"]).start();
    let mut client = server.connect().await;
    let sign_up = |name: &str, badge: &str| {
        post("/users", &format!(r#"{{"username":"{name}","password":"Udacity","badge":"{badge}"}}"#))
    };
    for length in [1025, 2049, 9000] {
        let reply = client.ask(&sign_up("one", &"b".repeat(length))).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (400, r#"{"error":"badge: the value is longer than 1024 bytes."}"#)
        );
    }
    assert_eq!(client.ask(&sign_up("one", &"b".repeat(1024))).await.status, 201);
    let taken = client.ask(&sign_up("two", &"b".repeat(1024))).await;
    assert_eq!((taken.status, taken.body.as_str()), (400, r#"{"error":"badge taken"}"#));
}

#[test]
fn more_connections_than_files_are_warned_about() {
    let server = |connections: &str| {
        let set = format!("limits.connections={connections}");
        Vestibule::serve(&Database::sqlite()).with(&["--set", &set]).start().stop().0.err
    };
    assert!(server("10000000").contains("ulimit -n 10000128"));
    assert!(!server("10").contains("ulimit"));
}

#[test]
fn contracts_are_listed_and_shown() {
    let listed = Vestibule::new(&["contract", "list"]).run();
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    let objects = Vestibule::new(&["contract", "list", "--json"]).run();
    let objects: Vec<serde_json::Value> = serde_json::from_str(&objects.out).expect("a JSON array");
    for (name, path) in [
        ("standard", "/users"),
        ("knex", "/users"),
        ("flask", "/users"),
        ("express", "/user/register"),
        ("mongoose", "/users/"),
        ("envelope", "/users"),
    ] {
        let row = |line: &str| line.split_whitespace().take(2).eq([name, path]);
        assert!(listed.out.lines().any(row), "{}", listed.out);
        assert!(objects.iter().any(|o| o["name"] == name && o["path"] == path), "{objects:?}");
        let shown = Vestibule::new(&["contract", "show", name]).run();
        assert!(shown.code == Some(0) && !shown.out.is_empty(), "{}", shown.err);
    }
    assert_eq!(Vestibule::new(&["contract", "show", "nobodys"]).run().code, Some(2));
}

#[test]
fn a_file_names_everything_and_flags_win() {
    let folder = Folder::new();
    let file = format!(
        "listen = \"127.0.0.1:0\"\ndatabase = \"sqlite://{}/by-file.db\"\ncontracts = [\"flask\"]\n",
        folder.path().display()
    );
    let server = Vestibule::new(&["serve", "--contract", "knex"])
        .file("my.toml", &file)
        .env("VESTIBULE_CONFIG", "my.toml")
        .start();
    let table = server.announcement();
    assert!(table.contains("knex") && !table.contains("flask"), "{table}");
    assert!(folder.path().join("by-file.db").is_file());
    assert_eq!(server.stop().0.code, Some(0));
}
