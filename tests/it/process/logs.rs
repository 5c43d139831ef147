//! The log: one JSON line for each request, and no way for a client to write another.

use serde_json::Value;

use crate::harness::client::{Reply, get, post};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

on_both! {
    l2_every_request_has_one_line_with_its_id
    no_client_can_forge_a_line
}

pub(super) fn requests(log: &str) -> Vec<Value> {
    let lines =
        log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    lines.filter(|line| line["message"] == "request").collect()
}

async fn l2_every_request_has_one_line_with_its_id(database: &Database) {
    let server = Vestibule::serve(database).start();
    let mut client = server.connect().await;
    let sign_up = r#"{"username":"Lorenzo","password":"Udacity"}"#;
    let mut told: Vec<(Reply, &str, &str)> = Vec::new();
    for (request, contract, outcome) in [
        (post("/flask/users", sign_up), "flask", "created"),
        (post("/flask/users", sign_up), "flask", "taken"),
        (post("/flask/users", "{}"), "flask", "invalid"),
        (post("/knex/users", "{"), "knex", "malformed"),
        (get("/knex/users"), "knex", "method_not_allowed"),
        (post("/nowhere", "{}"), "-", "not_found"),
    ] {
        told.push((client.ask(&request).await, contract, outcome));
    }
    let log = server.stop().0.err;
    let lines = requests(&log);
    assert_eq!(lines.len(), told.len(), "{log}");
    for (line, (reply, contract, outcome)) in lines.iter().zip(&told) {
        assert_eq!(line["request_id"], reply.header("x-request-id"));
        assert_eq!((&line["contract"], &line["outcome"]), (&Value::from(*contract), &Value::from(*outcome)));
        assert_eq!(line["status"], reply.status);
        assert!(line["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0 && ms < 100_000.0), "{line}");
        let time: jiff::Timestamp = line["timestamp"].as_str().expect("a time").parse().expect("RFC 3339");
        assert!(time.to_string().ends_with('Z'));
    }
    let ids: std::collections::BTreeSet<&str> = told.iter().map(|(r, ..)| r.header("x-request-id")).collect();
    assert_eq!(ids.len(), told.len(), "ids are unique");
}

/// Requests that would like to be lines of a log. Three of them are none at all.
pub(super) fn hostile() -> Vec<Vec<u8>> {
    let forged = r#"{"level":"ERROR","message":"forged"}"#;
    let escaped = "%0a%0d%1b[31mforged%00";
    let body = format!(
        r#"{{"email":"\n{}\u001b[2J@example.com","password":"\r\n\u001bforged","forged\n":1}}"#,
        forged.replace('"', "\\\"")
    );
    vec![
        post(&format!("/nowhere{escaped}"), "{}"),
        post(&format!("/knex/users?{escaped}"), &body),
        post(
            "/flask/users",
            &format!(r#"{{"username":"a\n{}","password":"x"}}"#, forged.replace('"', "\\\"")),
        ),
        String::from_utf8(post("/knex/users", &body))
            .expect("text")
            .replacen(
                "host: ",
                "x-request-id: forged\u{85}\u{2028}\r\nuser-agent: \u{9b}2Jforged\r\nhost: ",
                1,
            )
            .into_bytes(),
        b"POST /knex/users\x1b[31m HTTP/1.1\r\nhost: forged\r\n\r\n".to_vec(),
        b"POST /knex/users HTTP/1.1\r\nhost: a\r\nx: \x1b[31mforged\r\n\r\n".to_vec(),
        b"FORGED\nlines HTTP/1.1\r\n\r\n".to_vec(),
    ]
}

async fn no_client_can_forge_a_line(database: &Database) {
    let server = Vestibule::serve(database).with(&["--set", "log.level=debug"]).start();
    let hostile = hostile();
    let mut answered = 0;
    for request in &hostile {
        let reply = server.connect().await.ask(request).await;
        assert!((400..500).contains(&reply.status), "{reply:?}");
        assert_ne!(reply.header("x-request-id"), "forged");
        answered += usize::from(!reply.header("x-request-id").is_empty());
    }
    assert_eq!(answered, 4, "three are refused before there is a request");
    let log = server.stop().0.err;
    assert_eq!(requests(&log).len(), answered);
    assert!(!log.contains("forged") && !log.to_lowercase().contains("%0a"), "{log}");
    assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "{log:?}");

    let server = Vestibule::serve(database).with(&["--set", "log.format=human"]).start();
    server.connect().await.ask(&hostile[0]).await;
    let log = server.stop().0.err;
    assert!(!log.contains("forged") && !log.contains(|c: char| c.is_control() && c != '\n'), "{log:?}");
    assert!(log.contains(" contract=- outcome=not_found status=404 "), "{log}");
}
