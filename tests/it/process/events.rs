//! `vestibule events tail` shows what was registered, once each.

use serde_json::Value;

use super::accounts;
use crate::harness::client::post;
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

on_both! {
    every_account_has_its_event
    who_follows_sees_what_comes
}

fn knex(email: &str) -> Vec<u8> {
    post("/knex/users", &format!(r#"{{"email":"{email}","password":"secret-1"}}"#))
}

fn tail(database: &Database, arguments: &[&str]) -> Vec<Value> {
    let ended = Vestibule::new(&[&["events", "tail", "--json"], arguments].concat()).on(database).run();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out.lines().map(|line| serde_json::from_str(line).expect("one object per line")).collect()
}

async fn every_account_has_its_event(database: &Database) {
    let server = Vestibule::serve(database).start();
    let mut client = server.connect().await;
    assert_eq!(tail(database, &[]), Vec::<Value>::new());
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        assert_eq!(client.ask(&knex(email)).await.status, 200);
    }
    // What was refused is no event.
    assert_eq!(client.ask(&knex("a@example.com")).await.status, 409);
    let (events, accounts) = (tail(database, &[]), accounts(database));
    assert_eq!(events.len(), 3);
    for (event, account) in events.iter().zip(&accounts) {
        assert_eq!((&event["kind"], &event["user_id"]), (&"user.registered".into(), &account["id"]));
        assert_eq!(event["payload"]["email"], account["email"]);
        assert_eq!(event["payload"]["public_id"], account["public_id"]);
        assert_eq!(event["at"], account["created_at"]);
        assert!(!event.to_string().contains("argon2"), "{event}");
    }
    assert_eq!(tail(database, &["--lines", "1"]), events[2..]);
    assert_eq!(tail(database, &["--after", events[0]["id"].as_str().expect("an id")]), events[1..]);
    let people = Vestibule::new(&["events", "tail"]).on(database).run();
    assert_eq!((people.code, people.out.lines().count()), (Some(0), 3), "{}", people.out);
    assert!(people.out.contains("a@example.com"), "{}", people.out);
}

async fn who_follows_sees_what_comes(database: &Database) {
    let server = Vestibule::serve(database).start();
    let mut client = server.connect().await;
    assert_eq!(client.ask(&knex("before@example.com")).await.status, 200);
    let tail = Vestibule::new(&["events", "tail", "--follow"]).on(database).watch();
    tail.wait_for("before@example.com");
    for email in ["first@example.com", "second@example.com"] {
        assert_eq!(client.ask(&knex(email)).await.status, 200);
        tail.wait_for(email);
    }
    assert_eq!(tail.so_far().lines().count(), 3, "{}", tail.so_far());
}
