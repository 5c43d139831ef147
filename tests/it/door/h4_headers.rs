//! Headers that every answer has, whoever wrote it, and what no answer tells.

use crate::harness::client::{Reply, get, post};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

const GUARDS: [(&str, &str); 3] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
];

fn assert_guarded(what: &str, reply: &Reply) {
    for (name, value) in GUARDS {
        assert_eq!(reply.header(name), value, "{name} of {what}: {reply:?}");
    }
    let told = format!("{:?}{}", reply.headers, reply.body).to_lowercase();
    for leak in [
        "vestibule",
        env!("CARGO_PKG_VERSION"),
        "hyper",
        "axum",
        "sqlite",
        "select ",
        "/src/",
        "panicked",
        "/tmp/",
    ] {
        assert!(!told.contains(leak), "{leak:?} in {what}: {reply:?}");
    }
}

#[tokio::test]
async fn h4_every_answer_is_guarded_also_those_to_what_is_no_request() {
    let database = Database::sqlite();
    let server = Vestibule::serve(&database)
        .with(&["--contract", "knex", "--set", "limits.body_timeout=50ms"])
        .start();
    let long = "x".repeat(20_000);
    for (request, status) in [
        (post("/users", "{}"), 400),
        (post("/users", "{"), 400),
        (get("/users"), 405),
        (get("/nowhere"), 404),
        (get("/healthz"), 200),
        (get("/readyz"), 200),
        (post("/healthz", ""), 405),
        (post("/users", &"x".repeat(70_000)), 413),
        (b"POST /users HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{".to_vec(), 408),
        (b"POST /users HTTP/1.1\r\nhost: a\r\norigin: null\r\ncontent-length: 0\r\n\r\n".to_vec(), 403),
        // From here on it is hyper that answers.
        (b"NONSENSE\r\n\r\n".to_vec(), 400),
        (b"POST /users HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n".to_vec(), 400),
        (format!("GET /{long} HTTP/1.1\r\n\r\n").into_bytes(), 431),
        (format!("GET / HTTP/1.1\r\nx: {long}\r\n\r\n").into_bytes(), 431),
    ] {
        let what = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        let reply = server.connect().await.ask(&request).await;
        assert_eq!(reply.status, status, "{what}");
        assert_guarded(&what, &reply);
        assert_eq!(reply.header("strict-transport-security"), "", "only TLS can promise TLS");
    }
    // Behind an answer on the same connection, too.
    let mut client = server.connect().await;
    assert_eq!(client.ask(&get("/healthz")).await.status, 200);
    let reply = client.ask(b"NONSENSE\r\n\r\n").await;
    assert_eq!(reply.status, 400);
    assert_guarded("nonsense behind a request", &reply);
}

#[tokio::test]
async fn h4_a_client_that_is_turned_away_gets_them_too() {
    let server = Vestibule::serve(&Database::sqlite()).with(&["--set", "limits.connections=1"]).start();
    let mut first = server.connect().await;
    assert_eq!(first.ask(&get("/healthz")).await.status, 200);
    let reply = server.connect().await.reply().await;
    assert_eq!(reply.status, 503);
    assert_guarded("a refusal", &reply);
}

#[tokio::test]
async fn h4_pages_say_what_they_may_do() {
    let server = Vestibule::serve(&Database::sqlite()).start();
    for path in ["/docs", "/docs/page.js", "/openapi.json"] {
        let reply = server.connect().await.ask(&get(path)).await;
        assert_eq!(reply.status, 200);
        assert!(reply.header("content-security-policy").starts_with("default-src 'none';"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
    }
}
