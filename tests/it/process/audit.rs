//! `vestibule audit`: one event for every attempt, with the fields that the log has, and nothing that a client wrote.

use serde_json::Value;

use super::logs::{hostile, requests};
use crate::harness::client::{Reply, get, post, post_as};
use crate::harness::database::Database;
use crate::harness::process::{Ended, Server, Vestibule};

on_both! {
    every_outcome_is_one_event_with_what_the_log_says
    whoever_knows_a_name_finds_what_was_tried_with_it
    no_client_can_forge_an_event
    a_flood_of_refusals_is_counted_together
    a_flood_of_repetitions_is_counted_together
    who_follows_sees_what_comes
    nothing_is_stored_unless_it_is_asked_for
}

const SECRET: [&str; 2] = ["VESTIBULE_TOKEN_SECRET", "a secret of more than thirty-two bytes"];

fn recording(database: &Database) -> Vestibule {
    let set = ["--set", "audit.store=true", "--set", "trusted_proxies=127.0.0.1"];
    Vestibule::serve(database).env(SECRET[0], SECRET[1]).with(&set)
}

fn audit(database: &Database, arguments: &[&str]) -> Ended {
    Vestibule::new(&[&["audit"], arguments].concat()).env(SECRET[0], SECRET[1]).on(database).run()
}

fn events(database: &Database, arguments: &[&str]) -> Vec<Value> {
    let ended = audit(database, &[&["--json"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out.lines().map(|line| serde_json::from_str(line).expect("one object per line")).collect()
}

fn from(network: &str, request: &[u8]) -> Vec<u8> {
    with(request, "x-forwarded-for", network)
}

fn with(request: &[u8], header: &str, value: &str) -> Vec<u8> {
    let text = String::from_utf8(request.to_vec()).expect("it is text");
    text.replacen("\r\n", &format!("\r\n{header}: {value}\r\n"), 1).into_bytes()
}

fn knex(email: &str, password: &str) -> Vec<u8> {
    post("/knex/users", &format!(r#"{{"email":"{email}","password":"{password}"}}"#))
}

async fn ask(server: &Server, request: &[u8]) -> Reply {
    server.connect().await.ask(request).await
}

async fn every_outcome_is_one_event_with_what_the_log_says(database: &Database) {
    let set = ["--set", "rates.network=2/h", "--set", "limits.body_timeout=1s"];
    let server = recording(database).with(&set).start();
    let jane = knex("jane@example.com", "secret-1");
    let keyed = |email| with(&knex(email, "secret-1"), "idempotency-key", "k");
    let large = format!(r#"{{"password":"{}"}}"#, "x".repeat(70_000));
    let slow = "POST /knex/users HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let mut told = Vec::new();
    for (request, outcome) in [
        (from("192.0.2.7", &jane), "created"),
        (from("2001:db8:1:2::3", &jane), "taken"),
        (post("/flask/users", r#"{"username":"Lorenzo","password":"Udacity"}"#), "created"),
        (knex("june@example.com", "short"), "invalid"),
        (post("/knex/users", "{"), "malformed"),
        (post_as("text/plain", "/knex/users", "x"), "unsupported_media_type"),
        (post("/knex/users", &large), "too_large"),
        (slow.as_bytes().to_vec(), "body_timeout"),
        (get("/knex/users"), "method_not_allowed"),
        (post("/nowhere", "{}"), "not_found"),
        (with(&jane, "origin", "https://elsewhere.example"), "cross_site"),
        (keyed("keyed@example.com"), "created"),
        (keyed("keyed@example.com"), "created"),
        (keyed("other@example.com"), "key_reused"),
        (from("192.0.2.7", &jane), "taken"),
        (from("192.0.2.7", &jane), "throttled"),
    ] {
        told.push((ask(&server, &request).await, outcome));
    }
    let lines = requests(&server.stop().0.err);
    let mut events = events(database, &[]);
    assert_eq!((events.len(), lines.len()), (told.len(), told.len()));
    // In one millisecond the order of two is left to chance.
    let place =
        |event: &Value| told.iter().position(|(reply, _)| event["id"] == reply.header("x-request-id"));
    events.sort_by_key(place);
    let line_of = |id: &Value| lines.iter().find(|line| line["request_id"] == *id).expect("a line");
    for ((reply, outcome), event) in told.iter().zip(&events) {
        assert_eq!(event["request_id"], reply.header("x-request-id"), "{event}");
        assert_eq!((&event["outcome"], &event["status"]), (&(*outcome).into(), &reply.status.into()));
        let line = line_of(&event["id"]);
        for (name, other) in [
            ("contract", "contract"),
            ("outcome", "outcome"),
            ("status", "status"),
            ("network", "network"),
            ("user_id", "user"),
            ("email_digest", "email_digest"),
            ("username_digest", "username_digest"),
        ] {
            assert_eq!(event[name], line[other], "{name}: {event} {line}");
        }
        assert!(event["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{event}");
    }
    let accounts = super::accounts(database);
    assert_eq!(events[0]["user_id"], accounts[0]["public_id"]);
    assert_eq!(
        (&events[0]["network"], &events[1]["network"]),
        (&"192.0.2.7".into(), &"2001:db8:1:2::/64".into())
    );
    assert_eq!(events[0]["email_digest"], events[1]["email_digest"]);
    assert_ne!(events[0]["email_digest"], events[3]["email_digest"], "of one that was refused, too");
    assert!(events[0]["email_digest"].is_string() && events[3]["email_digest"].is_string());
    assert!(events[2]["username_digest"].is_string() && events[2]["email_digest"].is_null());
    assert!(
        events[11]["user_id"].is_string() && events[12]["user_id"].is_null(),
        "the second is a repetition"
    );
}

async fn whoever_knows_a_name_finds_what_was_tried_with_it(database: &Database) {
    let server = recording(database).start();
    for (address, request) in [
        ("192.0.2.1", knex("jane@example.com", "secret-1")),
        ("192.0.2.2", knex("JANE@Example.com", "secret-1")),
        ("192.0.2.2", knex("june@example.com", "secret-1")),
        ("2001:db8::1", post("/flask/users", r#"{"username":"Jane","password":"Udacity"}"#)),
    ] {
        ask(&server, &from(address, &request)).await;
    }
    server.stop();
    // In one millisecond the order of two is left to chance.
    let outcomes = |arguments: &[&str]| -> Vec<String> {
        let events = events(database, arguments);
        let outcomes = events.iter().map(|event| event["outcome"].as_str().expect("a text").to_owned());
        let mut outcomes: Vec<String> = outcomes.collect();
        outcomes.sort_unstable();
        outcomes
    };
    assert_eq!(outcomes(&["--about", "Jane@EXAMPLE.com"]), ["created", "taken"]);
    assert_eq!(outcomes(&["--about", "JANE"]), ["created"]);
    assert_eq!(outcomes(&["--about", "nobody@example.com"]), [""; 0]);
    assert_eq!(outcomes(&["--network", "192.0.2.2"]), ["created", "taken"]);
    assert_eq!(outcomes(&["--network", "2001:db8::7"]), ["created"]);
    assert_eq!(outcomes(&["--contract", "flask"]), ["created"]);
    assert_eq!(outcomes(&["--outcome", "taken"]), ["taken"]);
    assert_eq!(outcomes(&["--since", "1h"]).len(), 4);
    assert_eq!(outcomes(&["--since", "2100-01-01T00:00:00Z"]).len(), 0);
    assert_eq!(outcomes(&["--limit", "1"]), ["created"]);
    for wrong in [["--about", "two words"], ["--since", "yesterday"], ["--network", "somewhere"]] {
        let ended = audit(database, &wrong);
        assert_eq!(ended.code, Some(2), "{wrong:?}: {}", ended.err);
    }
    let other = Vestibule::new(&["audit", "--about", "jane@example.com"])
        .env(SECRET[0], "another secret of more than thirty-two bytes")
        .on(database)
        .run();
    assert!(other.code == Some(0) && !other.out.contains("created"), "{}", other.out);
    let without = Vestibule::new(&["audit", "--about", "jane@example.com"]).on(database).run();
    assert!(without.code == Some(2) && without.err.contains("token secret"), "{}", without.err);
}

async fn no_client_can_forge_an_event(database: &Database) {
    let server = recording(database).start();
    let mut answered = 0;
    for request in hostile() {
        answered += usize::from(!ask(&server, &request).await.header("x-request-id").is_empty());
    }
    // Where the client's address would stand.
    for address in ["192.0.2.1\u{1b}[31mforged", "forged", "192.0.2.1, forged"] {
        let reply = ask(&server, &from(address, &post("/knex/users", "{"))).await;
        answered += usize::from(!reply.header("x-request-id").is_empty());
    }
    assert_eq!(answered, 4 + 2, "the others are refused before there is a request");
    server.stop();
    let people = audit(database, &[]);
    assert_eq!(people.out.lines().count(), 1 + answered, "{}", people.out);
    let programs = audit(database, &["--json"]);
    assert_eq!(programs.out.lines().count(), answered, "{}", programs.out);
    for text in [people.out, programs.out] {
        assert!(
            !text.contains("forged") && !text.contains(|c: char| c.is_control() && c != '\n'),
            "{text:?}"
        );
    }
    let forged =
        "SELECT count(*) FROM audit WHERE contract || outcome || coalesce(network, '') LIKE '%forged%'";
    assert_eq!(database.number(forged).await, 0);
    assert_eq!(database.number("SELECT count(*) FROM audit").await, answered as i64);
}

async fn a_flood_of_refusals_is_counted_together(database: &Database) {
    let server = recording(database).with(&["--set", "audit.refusals=1/h burst 3"]).start();
    let mut client = server.connect().await;
    for number in 0..20 {
        client.ask(&from(&format!("192.0.2.{}", number % 2), &post("/knex/users", "{"))).await;
    }
    assert_eq!(client.ask(&knex("jane@example.com", "secret-1")).await.status, 200);
    server.stop();
    let events = events(database, &[]);
    let attempts = |event: &Value| event["attempts"].as_u64().expect("a number");
    assert_eq!(events.iter().map(attempts).sum::<u64>(), 21);
    assert_eq!(events.iter().filter(|event| event["outcome"] == "created").count(), 1);
    let counted: Vec<&Value> = events.iter().filter(|event| attempts(event) > 1).collect();
    assert_eq!((events.len(), counted.len()), (3 + 1 + 2, 2), "{events:?}");
    assert!(counted.iter().all(|event| event["request_id"].is_null() && event["network"].is_string()));
}

/// An answer that is given again costs no hash, and says what the first one said: it must not fill the disk by that.
async fn a_flood_of_repetitions_is_counted_together(database: &Database) {
    let server = recording(database).with(&["--set", "audit.refusals=1/h burst 3"]).start();
    let mut client = server.connect().await;
    let jane = with(&knex("jane@example.com", "secret-1"), "idempotency-key", "k");
    let first = client.ask(&jane).await;
    for _ in 0..20 {
        assert_eq!(client.ask(&jane).await.body, first.body);
    }
    server.stop();
    let events = events(database, &[]);
    let attempts = |event: &Value| event["attempts"].as_u64().expect("a number");
    assert_eq!(events.iter().map(attempts).sum::<u64>(), 21);
    assert_eq!(events.iter().filter(|event| event["user_id"].is_string()).count(), 1, "the account");
    assert_eq!(events.len(), 1 + 3 + 1, "{events:?}");
}

async fn who_follows_sees_what_comes(database: &Database) {
    let server = recording(database).start();
    let watch = Vestibule::new(&["audit", "--follow", "--outcome", "created"]).on(database).watch();
    for name in ["first", "second"] {
        let reply = ask(&server, &knex(&format!("{name}@example.com"), "secret-1")).await;
        assert_eq!(ask(&server, &knex(&format!("{name}@example.com"), "secret-1")).await.status, 409);
        watch.wait_for(reply.header("x-request-id"));
    }
    assert_eq!(watch.so_far().lines().count(), 2, "{}", watch.so_far());
}

async fn nothing_is_stored_unless_it_is_asked_for(database: &Database) {
    let server = Vestibule::serve(database).start();
    assert_eq!(ask(&server, &knex("jane@example.com", "secret-1")).await.status, 200);
    server.stop();
    assert_eq!(database.number("SELECT count(*) FROM audit").await, 0);
    assert_eq!(events(database, &[]).len(), 0);
}
