//! The same request again: it gets the same answer, and there is one account.

use std::net::SocketAddr;

use super::{accounts, assert_whole, opens};
use crate::harness::client::{Client, Reply, at_once, get, post};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

on_both! {
    f8_the_same_key_gets_the_same_answer_and_one_account
    an_answer_outlives_the_process_that_gave_it
    another_request_under_the_key_is_refused
    a_key_is_good_for_its_contract_and_network_only
    refusals_are_not_kept
    what_is_no_key_is_told_so
    twins_on_two_processes_get_one_answer
    without_a_key_only_a_window_repeats
    no_key_gives_away_what_a_contract_hides
    no_length_gives_away_what_a_contract_hides
    closed_is_the_answer_but_for_what_was_answered_before
}

const PATH: &str = "/express/user/register";

/// Processes that share a database share the secret.
fn serve(database: &Database) -> Vestibule {
    Vestibule::serve(database)
        .env("VESTIBULE_TOKEN_SECRET", "a secret for tests that is long enough")
        .with(&["--set", "passwords.deadline=100s"])
}

fn jane(password: &str) -> String {
    format!(
        r#"{{"firstname":"Jane","lastname":"Doe","email":"jane.doe@example.com","password":"{password}"}}"#
    )
}

/// A POST under a key.
fn keyed(path: &str, key: &str, body: &str) -> Vec<u8> {
    let request = String::from_utf8(post(path, body)).expect("it is text");
    request.replacen("\r\n", &format!("\r\nidempotency-key: {key}\r\n"), 1).into_bytes()
}

/// What must be the same: everything but the time of day and the name in the log.
fn said(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"));
    (reply.status, headers.cloned().collect(), reply.body.clone())
}

async fn f8_the_same_key_gets_the_same_answer_and_one_account(database: &Database) {
    let server = serve(database).start();
    let mut client = server.connect().await;
    let first = client.ask(&keyed(PATH, "\"k-1\"", &jane("supersecret"))).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert!(first.json()["token"].as_str().is_some_and(|token| token.contains('.')), "{first:?}");
    for _ in 0..3 {
        let again = client.ask(&keyed(PATH, "k-1", &jane("supersecret"))).await;
        assert_eq!(said(&again), said(&first));
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    // Without the key it is somebody else's request.
    assert_eq!(client.ask(&post(PATH, &jane("supersecret"))).await.status, 400);
    assert_whole(database, 1).await;
    assert_eq!(database.number("SELECT repeats FROM idempotency_keys").await, 3);
    assert!(opens(database, "jane.doe@example.com", "supersecret"));
}

async fn an_answer_outlives_the_process_that_gave_it(database: &Database) {
    let server = serve(database).start();
    let request = keyed(PATH, "k", &jane("supersecret"));
    let first = server.connect().await.ask(&request).await;
    // Killed, not stopped.
    drop(server);
    let server = serve(database).start();
    assert_eq!(said(&server.connect().await.ask(&request).await), said(&first));
    assert_whole(database, 1).await;
    // The database alone gives neither the token nor what was asked away.
    let kept = database.number("SELECT count(*) FROM idempotency_keys WHERE length(reply) > 100").await;
    assert_eq!(kept, 1);
    drop(server);
    let stranger = Vestibule::serve(database)
        .env("VESTIBULE_TOKEN_SECRET", "another secret, which is as long as it must be")
        .start();
    assert_eq!(stranger.connect().await.ask(&request).await.status, 400);
}

async fn another_request_under_the_key_is_refused(database: &Database) {
    let server = serve(database).start();
    let mut client = server.connect().await;
    assert_eq!(client.ask(&keyed(PATH, "k", &jane("supersecret"))).await.status, 201);
    let john = jane("supersecret").replace("jane", "john");
    for other in [jane("supersecret2"), john] {
        let refused = client.ask(&keyed(PATH, "k", &other)).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_eq!(refused.header("content-type"), "application/problem+json");
        assert_eq!(refused.json()["status"], 422);
    }
    // Spaces between the members of the object are not another request.
    let spaced = jane("supersecret").replace(",\"", ",\n  \"");
    assert_eq!(client.ask(&keyed(PATH, "k", &spaced)).await.status, 201);
    assert_whole(database, 1).await;
}

async fn a_key_is_good_for_its_contract_and_network_only(database: &Database) {
    let server = serve(database).start();
    let mut client = server.connect().await;
    let first = client.ask(&keyed(PATH, "k", &jane("supersecret"))).await;
    let knex =
        client.ask(&keyed("/knex/users", "k", r#"{"email":"jim@example.com","password":"secret-1"}"#)).await;
    assert_eq!((first.status, knex.status), (201, 200));
    let mut elsewhere = Client::from("127.0.0.2:0".parse().expect("an address"), server.address).await;
    let taken = elsewhere.ask(&keyed(PATH, "k", &jane("supersecret"))).await;
    assert_eq!(taken.status, 400, "{taken:?}");
    let theirs = jane("supersecret").replace("jane", "june");
    assert_eq!(elsewhere.ask(&keyed(PATH, "k", &theirs)).await.status, 201);
    assert_eq!(said(&client.ask(&keyed(PATH, "k", &jane("supersecret"))).await), said(&first));
    assert_whole(database, 3).await;
}

async fn refusals_are_not_kept(database: &Database) {
    let server = serve(database).start();
    let mut client = server.connect().await;
    assert_eq!(client.ask(&keyed(PATH, "k", &jane("1"))).await.status, 400);
    assert_eq!(client.ask(&keyed(PATH, "k", &jane("supersecret"))).await.status, 201);
    assert_eq!(accounts(database).len(), 1);
}

async fn what_is_no_key_is_told_so(database: &Database) {
    let server = serve(database).start();
    let mut client = server.connect().await;
    for key in ["\"", "a, b", "", &"k".repeat(256)] {
        let refused = client.ask(&keyed(PATH, key, &jane("supersecret"))).await;
        assert_eq!(refused.status, 400, "{refused:?}");
    }
    assert_eq!(accounts(database).len(), 0);
}

async fn twins_on_two_processes_get_one_answer(database: &Database) {
    let serve = || serve(database).with(&["--set", "rates.account=off"]).start();
    let servers = [serve(), serve()];
    let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    let twins = vec![keyed(PATH, "twins", &jane("supersecret")); 24];
    let mut answers: Vec<_> = at_once(&addresses, twins).await.iter().map(said).collect();
    assert_eq!(answers[0].0, 201, "{answers:?}");
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_whole(database, 1).await;
}

async fn without_a_key_only_a_window_repeats(database: &Database) {
    let server = serve(database).start();
    let first = server.connect().await.ask(&post(PATH, &jane("supersecret"))).await;
    assert_eq!(first.status, 201);
    assert_eq!(server.connect().await.ask(&post(PATH, &jane("supersecret"))).await.status, 400);
    drop(server);
    let server = serve(database).with(&["--set", "idempotency.window=1m"]).start();
    let mut client = server.connect().await;
    let june = |password: &str| post(PATH, &jane(password).replace("jane", "june"));
    let first = client.ask(&june("supersecret")).await;
    assert_eq!(first.status, 201);
    assert_eq!(said(&client.ask(&june("supersecret")).await), said(&first));
    assert_eq!(client.ask(&june("supersecret2")).await.status, 400);
    assert_whole(database, 2).await;
}

/// Where a duplicate is answered like a success, an answer that is given again at once, uncounted and without another proof of
/// work would tell that the address was free.
async fn no_key_gives_away_what_a_contract_hides(database: &Database) {
    const HIDING: &str = r#"
        title = "Hides duplicates"
        [register]
        path = "/users"
        fields = [
          { name = "email", rules = [{ required = true, format = "email" }, { unique = true }] },
          { name = "password", rules = [{ required = true, min_length = 8 }] },
          { name = "altcha", rules = [{ proof = true }] },
        ]
        [register.created]
        status = 202
        body = '{ "message": "Please look into your mail." }'
        [register.taken]
        status = 202
        body = '{ "message": "Please look into your mail." }'
        [register.default]
        body = '{ "error": "{{ outcome }}" }'
    "#;
    let start = |more: &[&str]| {
        let server = serve(database).file("own.toml", HIDING).with(&["--contract", "own.toml"]);
        server.with(&["--set", "rates.account=3/h"]).with(more).start()
    };
    let body = |name: &str| format!(r#"{{"email":"{name}@example.com","password":"supersecret"}}"#);
    let server = start(&[]);
    let mut client = server.connect().await;
    assert_eq!(client.ask(&post("/users", &body("taken"))).await.status, 202);
    // Each is tried three times in all, and once too often.
    let mut told = Vec::new();
    for (name, tries) in [("taken", 3), ("free", 4)] {
        let request = keyed("/users", name, &body(name));
        for _ in 0..tries {
            told.push(client.ask(&request).await.status);
        }
    }
    assert_eq!(told, [202, 202, 429, 202, 202, 202, 429]);
    // Another process has counted nothing yet, and asks for proofs: of both.
    let strict = start(&["--set", "proof.demand=always"]);
    let mut client = strict.connect().await;
    for name in ["taken", "free"] {
        let reply = client.ask(&keyed("/users", name, &body(name))).await;
        assert_eq!((reply.status, reply.body.as_str()), (400, r#"{"error":"invalid"}"#), "{name}");
    }
    assert_whole(database, 2).await;
}

/// What is too much for a reply is left out of it, and the same of both.
async fn no_length_gives_away_what_a_contract_hides(database: &Database) {
    const ECHO: &str = r#"
        status = 202
        body = '{ "sent_to": "{{ input.email }}", "note": "{{ input.note }}", {% for x in [1, 2, 3, 4, 5] %} "{{ x }}": "{{ input.kept }}", {% endfor %} }'
    "#;
    let contract = format!(
        r#"
        title = "Hides duplicates"
        [register]
        path = "/users"
        accepts = ["form"]
        fields = [
          {{ name = "email", rules = [{{ required = true, format = "email" }}, {{ unique = true }}] }},
          {{ name = "password", rules = [{{ required = true, min_length = 8 }}] }},
          {{ name = "kept", into = "extra.kept" }},
          {{ name = "note" }},
        ]
        [register.created]
        {ECHO}
        [register.taken]
        {ECHO}
        [register.default]
        body = '{{ "error": "{{{{ outcome }}}}" }}'
        "#
    );
    let server = serve(database).file("own.toml", &contract).with(&["--contract", "own.toml"]).start();
    let mut client = server.connect().await;
    let form = |name: &str, field: &str, length: usize| {
        let body = format!("email={name}@example.com&password=supersecret&{field}={}", "\"".repeat(length));
        let head = format!("POST /users HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n", body.len());
        format!("{head}content-type: application/x-www-form-urlencoded\r\n\r\n{body}").into_bytes()
    };
    assert_eq!(client.ask(&form("taken", "note", 1)).await.status, 202);
    for (number, (field, length, status)) in
        [("note", 9, 202), ("note", 40_000, 202), ("kept", 9, 202), ("kept", 7_500, 500)]
            .into_iter()
            .enumerate()
    {
        let free = format!("free{number}");
        let new = client.ask(&form(&free, field, length)).await;
        let old = client.ask(&form("taken", field, length)).await;
        assert_eq!(new.status, status, "{field} {length}");
        assert_eq!(
            (old.status, old.body),
            (new.status, new.body.replace(&free, "taken")),
            "{field} {length}"
        );
    }
}

async fn closed_is_the_answer_but_for_what_was_answered_before(database: &Database) {
    let server = serve(database).start();
    let first = server.connect().await.ask(&keyed(PATH, "\"k-1\"", &jane("supersecret"))).await;
    assert_eq!(first.status, 201, "{first:?}");
    server.stop();
    let server = serve(database).with(&["--set", "closed=true"]).start();
    let mut client = server.connect().await;
    let john = jane("supersecret").replace("jane", "john");
    for body in [john.as_str(), &jane("supersecret"), &jane("short"), "{}", "[", ""] {
        for request in [post(PATH, body), keyed(PATH, "\"k-2\"", body)] {
            let closed = client.ask(&request).await;
            assert_eq!(closed.status, 403, "{body} {closed:?}");
            assert_eq!(closed.header("content-type"), "application/problem+json");
        }
    }
    // Whose answer was lost on the way still gets it.
    let again = client.ask(&keyed(PATH, "\"k-1\"", &jane("supersecret"))).await;
    assert_eq!(said(&again), said(&first));
    assert_eq!(client.ask(&get("/healthz")).await.status, 200);
    let log = server.stop().0.err;
    assert!(log.contains("sign-up is switched off (closed)"), "{log}");
    assert_eq!(log.matches("\"outcome\":\"closed\"").count(), 12, "{log}");
    assert_whole(database, 1).await;
}
