//! What is left of a request that was refused is never taken for the next one, however the client goes on.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::harness::client::{Client, post};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

on_both! {
    h2_what_is_left_of_a_refused_request_is_never_answered
}

const SIGN_UP: &str = r#"{"email":"smuggled@example.com","password":"a long password"}"#;
/// Longer than a connection waits before it rests: here it is the client who takes the time.
const WHILE: Duration = Duration::from_millis(60);

/// Sends a head that is refused, and a sign-up behind it: at once, or when it has the answer. Then goes on sending for as
/// long as somebody reads it.
async fn smuggle(address: SocketAddr, head: &str, at_once: bool) {
    let smuggled = post("/users", SIGN_UP);
    let mut client = Client::connect(address).await;
    let mut first = format!("{head}\r\n\r\n").into_bytes();
    if at_once {
        first.extend_from_slice(&smuggled);
    }
    client.send(&first).await;
    let reply = client.reply().await;
    assert!([400, 431].contains(&reply.status), "{head}: {reply:?}");
    assert!(client.is_closed().await, "{head}");
    tokio::time::sleep(WHILE).await;
    if !at_once {
        client.send(&smuggled).await;
    }
    while client.try_send(b"x").await.is_ok() {
        tokio::time::sleep(WHILE).await;
    }
}

async fn h2_what_is_left_of_a_refused_request_is_never_answered(database: &Database) {
    let server = Vestibule::serve(database).with(&["--contract", "knex"]).start();
    let heads = [
        "POST /< HTTP/1.1\r\nhost: a\r\ncontent-length: 1000",
        "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551615",
    ];
    let mut smuggled = JoinSet::new();
    for head in heads {
        smuggled.spawn(smuggle(server.address, head, true));
        smuggled.spawn(smuggle(server.address, head, false));
    }
    smuggled.join_all().await;
    assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
    // As a request of its own it is a sign-up.
    assert_eq!(server.connect().await.ask(&post("/users", SIGN_UP)).await.status, 200);
}
