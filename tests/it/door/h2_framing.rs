//! What is no request is answered 400 and is the end of its connection; a bare listener's part of it is in `limits.rs`.

use crate::harness::client::{Client, get, post};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

on_both! {
    h2_a_smuggled_request_is_never_answered
    h2_a_request_names_one_host
    h2_every_route_has_a_longest_body
    h2_unknown_methods_are_answered_405_with_allow
    h2_options_of_everything_and_connect_are_refused
}

const SIGN_UP: &str = r#"{"email":"smuggled@example.com","password":"a long password"}"#;

async fn h2_a_smuggled_request_is_never_answered(database: &Database) {
    let server = Vestibule::serve(database).with(&["--contract", "knex"]).start();
    let smuggled = String::from_utf8(post("/users", SIGN_UP)).expect("text");
    let length = smuggled.len();
    for headers in [
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n\r\n0\r\n\r\n"),
        format!("content-length: 0\r\ncontent-length: {length}\r\n\r\n"),
        "content-length: 0\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n".to_owned(),
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n".to_owned(),
    ] {
        let mut client = server.connect().await;
        client.send(format!("POST /users HTTP/1.1\r\nhost: a\r\n{headers}{smuggled}").as_bytes()).await;
        assert_eq!(client.reply().await.status, 400, "{headers}");
        assert!(client.is_closed().await, "{headers}");
    }
    // A trailer that goes on behind a line feed alone, and holds what looks like the head of a request with a long body.
    let mut client = server.connect().await;
    let trailer = "0\r\nx: a\n\nPOST / HTTP/1.1\ncontent-length: 9999\n\r\n\r\n";
    let first = format!("POST /users HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{trailer}");
    let ambiguous = format!("content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}");
    client.send(format!("{first}POST /users HTTP/1.1\r\nhost: a\r\n{ambiguous}").as_bytes()).await;
    assert_eq!(client.reply().await.status, 400);
    assert!(client.is_closed().await);
    assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
    // As a request of its own it is a sign-up.
    assert_eq!(server.connect().await.ask(smuggled.as_bytes()).await.status, 200);
}

/// RFC 9112, section 3.2: whoever goes by the one name, and whoever goes by the other, must not meet.
async fn h2_a_request_names_one_host(database: &Database) {
    let server = Vestibule::serve(database).with(&["--contract", "knex"]).start();
    let length = SIGN_UP.len();
    let request = |version: &str, hosts: &str| {
        format!(
            "POST /users HTTP/{version}\r\n{hosts}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{SIGN_UP}"
        )
    };
    for (version, hosts) in [
        ("1.1", ""),
        ("1.1", "host: a\r\nhost: a\r\n"),
        ("1.1", "host: a\r\nhost: b\r\n"),
        ("1.1", "host: a b\r\n"),
        ("1.1", "host: evil@a\r\n"),
        ("1.0", "host: a\r\nhost: b\r\n"),
    ] {
        let mut client = server.connect().await;
        let reply = client.ask(request(version, hosts).as_bytes()).await;
        assert_eq!((reply.status, reply.header("connection")), (400, "close"), "{version} {hosts}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert!(client.is_closed().await, "{version} {hosts}");
    }
    assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
    assert_eq!(server.connect().await.ask(request("1.0", "").as_bytes()).await.status, 200);
}

async fn h2_every_route_has_a_longest_body(database: &Database) {
    let server = Vestibule::serve(database).start();
    // Whoever read such a body to its end would answer the request behind it.
    let long = "x".repeat(64 * 1024 + 1);
    let too_long = |path: &str| [post(path, &long), get("/healthz")].concat();
    for path in [
        "/knex/users",
        "/flask/users",
        "/express/user/register",
        "/mongoose/users/",
        "/envelope/users",
        "/standard/users",
    ] {
        let mut client = server.connect().await;
        assert_eq!(client.ask(&too_long(path)).await.status, 413, "{path}");
        assert!(client.is_closed().await, "{path}");
    }
    for path in [
        "/nowhere",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/docs/page.js",
        "/standard/users/challenge",
    ] {
        let mut client = server.connect().await;
        let reply = client.ask(&too_long(path)).await;
        assert!([404, 405].contains(&reply.status), "{path}: {reply:?}");
        assert!(client.is_closed().await, "{path}: neither the rest nor what stands behind it is answered");
    }
}

async fn h2_unknown_methods_are_answered_405_with_allow(database: &Database) {
    let server = Vestibule::serve(database).start();
    let mut client = server.connect().await;
    for path in ["/knex/users", "/standard/users"] {
        for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "post"] {
            let reply = client.ask(&asking(method, path)).await;
            assert_eq!((reply.status, reply.header("allow")), (405, "POST"), "{method} {path}");
        }
        let (status, allow) = head(&mut client, path).await;
        assert_eq!((status, allow.as_str()), (405, "POST"), "HEAD {path}");
    }
    for path in
        ["/healthz", "/readyz", "/openapi.json", "/docs", "/docs/page.js", "/standard/users/challenge"]
    {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"] {
            let reply = client.ask(&asking(method, path)).await;
            assert_eq!((reply.status, reply.header("allow")), (405, "GET,HEAD"), "{method} {path}");
        }
        assert_eq!(head(&mut client, path).await.0, 200, "HEAD {path}");
    }
}

/// What is about the server, or asks for a tunnel, is no request to a contract; the tunnel is not made.
async fn h2_options_of_everything_and_connect_are_refused(database: &Database) {
    let server = Vestibule::serve(database).start();
    let mut client = server.connect().await;
    for (method, target, status) in [
        ("OPTIONS", "*", 404),
        ("GET", "*", 404),
        ("CONNECT", "accounts.example.com:443", 404),
        ("CONNECT", "/knex/users", 405),
        ("CONNECT", "*", 404),
    ] {
        let reply = client.ask(&asking(method, target)).await;
        assert_eq!((reply.status, reply.header("connection")), (status, ""), "{method} {target}");
        assert_eq!(reply.header("content-type"), "application/problem+json", "{method} {target}");
        // What comes next on the connection is a request to this server, and not to somebody behind it.
        assert_eq!(client.ask(&get("/healthz")).await.body, "ok\n", "{method} {target}");
    }
    assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
}

fn asking(method: &str, target: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

/// The status of a reply to HEAD, and what it allows. It has no body: the next reply begins behind its head.
async fn head(client: &mut Client, path: &str) -> (u16, String) {
    client.send(&asking("HEAD", path)).await;
    let head = client.head().await;
    let next = client.ask(&get("/healthz")).await;
    assert_eq!((next.status, next.body.as_str()), (200, "ok\n"), "behind HEAD {path}");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let allow = head.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap_or_default();
    (status, allow.to_owned())
}
