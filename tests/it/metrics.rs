//! `GET /metrics`: names, types and words of help, and nothing that anybody sent.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use vestibule::contract;
use vestibule::http::{Limits, admin, serve};

use crate::harness::database::Database;
use crate::harness::server::Server;

const FAMILIES: [(&str, &str); 27] = [
    ("vestibule_accounts_unheard", "counter"),
    ("vestibule_answers_repeated", "counter"),
    ("vestibule_audit_dropped", "counter"),
    ("vestibule_audit_written", "counter"),
    ("vestibule_build", "info"),
    ("vestibule_connections_accepted", "counter"),
    ("vestibule_connections_failed", "counter"),
    ("vestibule_acme_last_failure_seconds", "gauge"),
    ("vestibule_certificate_expiry_seconds", "gauge"),
    ("vestibule_connections_open", "gauge"),
    ("vestibule_connections_refused", "counter"),
    ("vestibule_password_abandoned", "counter"),
    ("vestibule_password_busy", "counter"),
    ("vestibule_password_hash_seconds", "histogram"),
    ("vestibule_password_queue_length", "gauge"),
    ("vestibule_password_queue_wait_seconds", "histogram"),
    ("vestibule_password_workers", "gauge"),
    ("vestibule_password_working", "gauge"),
    ("vestibule_proof_challenges", "counter"),
    ("vestibule_proof_refused", "counter"),
    ("vestibule_proof_spent", "counter"),
    ("vestibule_request_duration_seconds", "histogram"),
    ("vestibule_requests", "counter"),
    ("vestibule_start_time_seconds", "gauge"),
    ("vestibule_store_duration_seconds", "histogram"),
    ("vestibule_store_errors", "counter"),
    ("vestibule_throttled", "counter"),
];

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    ask(address, "GET", path).await
}

async fn ask(address: std::net::SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the admin listener listens");
    let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer
}

/// The admin listener of a server, until the token is cancelled.
async fn admin_of(server: &Server) -> (std::net::SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (address, stop) = (listener.local_addr().expect("an address"), CancellationToken::new());
    let minute = Duration::from_secs(60);
    let limits = Limits {
        connections: 10,
        header_timeout: minute,
        body_timeout: minute,
        idle_timeout: minute,
        write_timeout: minute,
    };
    tokio::spawn(serve(listener, admin(server.app.clone()), limits, stop.clone(), minute));
    (address, stop)
}

fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find(|line| line.split(' ').next() == Some(sample));
    let line = line.unwrap_or_else(|| panic!("no {sample} in\n{text}"));
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test]
async fn a_scrape_tells_names_types_and_help_and_no_submitted_value() {
    let database = Database::sqlite();
    let text = include_str!("../../contracts/express.toml");
    let contract = contract::load(text).contract.expect("a shipped contract");
    let server = Server::start("express", contract, database.open().await).await;
    let (address, stop) = admin_of(&server).await;
    let canary = "canary7";
    for (email, path) in [
        ("good", "user/register"),
        ("good", "user/register"),
        ("@", "user/register?canary7=canary7"),
        ("x", "canary7"),
    ] {
        let body = format!(
            r#"{{"firstname":"{canary}","email":"{email}{canary}@{canary}.com","password":"{canary}{canary}","{canary}":1}}"#
        );
        let request = format!(
            "POST /{path} HTTP/1.1\r\nhost: {canary}\r\nx-{canary}: {canary}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        server.exchange(request.as_bytes()).await;
    }
    let answer = get(address, "/metrics").await;
    stop.cancel();
    let (head, text) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    assert!(text.ends_with("# EOF\n") && !text.contains(canary), "{text}");

    let words = |prefix: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(prefix)?.split_once(' '));
        lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
    };
    let types = words("# TYPE ");
    let expected: BTreeMap<String, String> =
        FAMILIES.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect();
    assert_eq!(types, expected);
    assert_eq!(text.matches("# TYPE ").count(), types.len(), "each family is told once");
    let help = words("# HELP ");
    assert!(types.keys().all(|name| help.get(name).is_some_and(|help| help.len() > 15)), "{help:?}");
    let guide = include_str!("../../docs/operations.md");
    let missing: Vec<&String> = types.keys().filter(|name| !guide.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/operations.md does not explain {missing:?}");

    for (sample, expected) in [
        (r#"vestibule_requests_total{contract="express",outcome="created"}"#, 1.0),
        (r#"vestibule_requests_total{contract="express",outcome="invalid"}"#, 1.0),
        (r#"vestibule_requests_total{contract="express",outcome="busy"}"#, 0.0),
        (r#"vestibule_requests_total{contract="-",outcome="not_found"}"#, 1.0),
        (r#"vestibule_request_duration_seconds_count{contract="express",created="true"}"#, 1.0),
        ("vestibule_password_hash_seconds_count", 1.0),
        ("vestibule_password_queue_length", 0.0),
        (r#"vestibule_password_busy_total{reason="full"}"#, 0.0),
        (r#"vestibule_store_duration_seconds_count{operation="register"}"#, 1.0),
        (r#"vestibule_store_duration_seconds_count{operation="collisions"}"#, 2.0),
        (r#"vestibule_store_errors_total{kind="unknown"}"#, 0.0),
        (r#"vestibule_throttled_total{limit="account"}"#, 0.0),
    ] {
        assert_eq!(value(text, sample), expected, "{sample}");
    }
}

#[tokio::test]
async fn the_admin_listener_answers_health_and_nothing_else() {
    let database = Database::sqlite();
    let text = include_str!("../../contracts/express.toml");
    let contract = contract::load(text).contract.expect("a shipped contract");
    let server = Server::start("express", contract, database.open().await).await;
    let (address, stop) = admin_of(&server).await;
    assert!(get(address, "/healthz").await.ends_with("\r\n\r\nok\n"));
    assert!(get(address, "/user/register").await.starts_with("HTTP/1.1 404 "));
    assert!(ask(address, "PUT", "/metrics").await.starts_with("HTTP/1.1 405 "));
    for (method, path) in
        [("GET", "/healthz"), ("GET", "/metrics"), ("GET", "/user/register"), ("PUT", "/metrics")]
    {
        let reply = ask(address, method, path).await;
        for guard in
            ["cache-control: no-store", "x-content-type-options: nosniff", "referrer-policy: no-referrer"]
        {
            assert!(reply.contains(&format!("\r\n{guard}\r\n")), "{path}: {reply}");
        }
    }
    let public = server.exchange(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(public.starts_with(b"HTTP/1.1 404 "), "strangers do not see the metrics");
    server.app.store.clone().close().await;
    // Nobody has asked before: an answer would be told again, as the clock stands still.
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503 "));
    stop.cancel();
}
