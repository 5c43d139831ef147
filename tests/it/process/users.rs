//! `vestibule user` sees what was registered.

use super::{accounts, user};
use crate::harness::client::post;
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

on_both! {
    what_was_registered_is_listed_shown_and_verified
    without_a_database_there_is_nothing_to_see
    what_somebody_wrote_commands_no_terminal
}

async fn what_was_registered_is_listed_shown_and_verified(database: &Database) {
    let server = Vestibule::serve(database).start();
    let mut client = server.connect().await;
    let express = post(
        "/express/user/register",
        r#"{"firstname":"Zoë","email":"Zoë@Bücher.example","password":"pass word "}"#,
    );
    let id = client.ask(&express).await.json()["user"]["id"].as_str().expect("an id").to_owned();
    let flask = post("/flask/users", r#"{"username":"Léo","password":"line\nbreak"}"#);
    assert_eq!(client.ask(&flask).await.status, 201);

    // The server is still running: looking at its accounts does not disturb it.
    let listed = accounts(database);
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0]["id"], &listed[1]["id"]), (&1.into(), &2.into()));
    assert_eq!((&listed[0]["contract_id"], &listed[0]["first_name"]), (&id.as_str().into(), &"Zoë".into()));
    let table = user(database, &["list"], "");
    assert_eq!((table.code, table.out.lines().count()), (Some(0), 3), "{}", table.out);
    assert!(table.out.starts_with("ID ") && table.out.contains("Zoë@Bücher.example"), "{}", table.out);
    assert_eq!(user(database, &["list", "--after", "1", "--json"], "").out.lines().count(), 1);

    let public = listed[0]["public_id"].as_str().expect("a UUID");
    for who in ["1", public, &id, "zoë@bücher.example", "ZOË@xn--bcher-kva.example"] {
        let shown = user(database, &["show", who, "--json"], "");
        let object: serde_json::Value = serde_json::from_str(&shown.out).expect("JSON");
        assert_eq!((shown.code, &object), (Some(0), &listed[0]), "{who}");
        let people = user(database, &["show", who], "");
        assert!(people.code == Some(0) && people.out.contains("Zoë@Bücher.example"), "{}", people.out);
    }

    for (who, input, code) in [
        ("1", "pass word ", 0),
        ("1", "pass word \n", 0),
        ("1", "pass word \r\n", 0),
        (&id, "pass word ", 0),
        ("1", "pass word \n\n", 1),
        ("1", "pass word \r", 1),
        ("1", "pass word", 1),
        ("1", "", 1),
        ("léo", "line\nbreak\n", 0),
        ("LÉO", "line\nbreak", 0),
        ("léo", "line", 1),
        ("nobody@example.com", "x", 1),
    ] {
        let verified = user(database, &["verify", who], input);
        assert_eq!(verified.code, Some(code), "{who} {input:?}: {}", verified.err);
        assert!(verified.out.is_empty(), "{}", verified.out);
    }
    let not_text = Vestibule::new(&["user", "verify", "1"]).on(database).input(b"\xff\xfe").run();
    assert_eq!(not_text.code, Some(1), "{}", not_text.err);
    assert_eq!(user(database, &["show", "nobody@example.com"], "").code, Some(1));
    assert_eq!(user(database, &["show", ""], "").code, Some(2));
    assert_eq!(user(database, &["show"], "").code, Some(2));
    assert_eq!(user(database, &["list", "--limit", "0"], "").code, Some(2));
}

async fn without_a_database_there_is_nothing_to_see(database: &Database) {
    for arguments in [&["list"][..], &["show", "1"], &["verify", "1"]] {
        let ended = user(database, arguments, "");
        assert_eq!(ended.code, Some(3), "{}", ended.err);
        assert!(ended.out.is_empty() && ended.err.contains("vestibule serve"), "{}", ended.err);
    }
}

/// Names and further values are kept as they were written, and shown so that they command nothing: no escape sequence of
/// one or of two characters, no mark that turns the direction of a line.
async fn what_somebody_wrote_commands_no_terminal(database: &Database) {
    const HOSTILE: &str = "\u{9b}2J\u{1b}[2J\u{7f}\u{85}\u{202e}\u{2066}\u{200f}\u{61c}\u{2028}\r\nforged";
    let contract = include_str!("../../../contracts/knex.toml").replace(
        "{ name = \"last_name\" },",
        "{ name = \"last_name\" }, { name = \"note\", into = \"extra.note\" },",
    );
    let server =
        Vestibule::serve(database).file("own.toml", &contract).with(&["--contract", "own.toml"]).start();
    let body = serde_json::json!({
        "email": "jane@example.com", "password": "secret-1",
        "first_name": HOSTILE, "last_name": HOSTILE, "note": HOSTILE,
    });
    assert_eq!(server.connect().await.ask(&post("/users", &body.to_string())).await.status, 200);
    let events = |more: &[&str]| Vestibule::new(&[&["events", "tail"], more].concat()).on(database).run();
    for (shown, lines) in [
        (user(database, &["list"], ""), 2),
        (user(database, &["list", "--json"], ""), 1),
        (user(database, &["show", "1"], ""), 13),
        (user(database, &["show", "1", "--json"], ""), 17),
        (events(&[]), 1),
        (events(&["--json"]), 1),
    ] {
        let commands = |c: char| {
            c.is_control() && c != '\n'
                || "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}".contains(c)
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c)
        };
        assert!(!shown.out.contains(commands), "{:?}", shown.out);
        assert_eq!(shown.out.lines().count(), lines, "{}", shown.out);
    }
    let listed = accounts(database);
    assert_eq!(listed[0]["first_name"], HOSTILE, "programs read what was written");
    assert_eq!(listed[0]["extra"]["note"], HOSTILE);
}
