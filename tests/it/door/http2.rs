//! HTTP/2 has what HTTP/1.1 has: the same answers, the same limits, the same end.

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request, StatusCode, Uri};
use tokio::task::JoinHandle;

use super::tls::serving;
use crate::harness::database::Database;
use crate::harness::process::{GUARD, Server};
use crate::harness::tls::Pair;

on_both! {
    h2_one_connection_carries_many_sign_ups
    what_was_accepted_over_http2_is_answered_before_the_end
}

/// A connection, and the task that moves its frames; it ends with the connection.
pub(super) struct Connection {
    pub(super) requests: SendRequest<Bytes>,
    pub(super) ended: JoinHandle<Result<(), h2::Error>>,
}

pub(super) async fn connect(server: &Server, pair: &Pair) -> Connection {
    let stream = pair.connect(server.address, &["h2"]).await.expect("a handshake");
    let (requests, connection) = h2::client::handshake(stream).await.expect("a preface");
    Connection { requests, ended: tokio::spawn(connection) }
}

impl Connection {
    /// A request with its whole body.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &str,
    ) -> Result<(StatusCode, http::HeaderMap, String), h2::Error> {
        let request = Request::builder().method(method).uri(format!("https://localhost{path}"));
        let request = request.header("content-type", "application/json").body(()).expect("a request");
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut sending) = requests.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            // The answer may come without the body having been read.
            let _ = sending.send_data(Bytes::copy_from_slice(body.as_bytes()), true);
        }
        let response = tokio::time::timeout(GUARD, response).await.expect("an answer in time")?;
        let (head, mut body) = response.into_parts();
        let mut text = Vec::new();
        while let Some(data) = tokio::time::timeout(GUARD, body.data()).await.expect("a body in time") {
            text.extend_from_slice(&data?);
        }
        Ok((head.status, head.headers, String::from_utf8(text).expect("UTF-8")))
    }

    pub(super) async fn status(&self, method: Method, path: &str, body: &str) -> u16 {
        self.ask(method, path, body).await.expect("an answer").0.as_u16()
    }

    /// Waits for the end of the connection; whether it was an orderly one.
    pub(super) async fn ends(self) -> bool {
        drop(self.requests);
        tokio::time::timeout(GUARD, self.ended).await.expect("an end in time").expect("no panic").is_ok()
    }
}

pub(super) fn sign_up(number: usize) -> String {
    format!(r#"{{"email":"user{number}@example.com","password":"a password {number}"}}"#)
}

async fn h2_one_connection_carries_many_sign_ups(database: &Database) {
    let pair = Pair::new();
    let server = serving(database, &pair).start();
    let connection = std::sync::Arc::new(connect(&server, &pair).await);
    assert_eq!(connection.status(Method::GET, "/healthz", "").await, 200, "the server's settings are known");
    let asked: Vec<_> = (0..80)
        .map(|number| {
            let connection = connection.clone();
            tokio::spawn(async move { connection.status(Method::POST, "/users", &sign_up(number)).await })
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.expect("no panic"), 200);
    }
    let (status, headers, body) =
        connection.ask(Method::POST, "/users", &sign_up(7)).await.expect("an answer");
    assert!(status.is_client_error() && !body.is_empty());
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(database.number("SELECT count(*) FROM users").await, 80);
}

#[tokio::test]
async fn h2_limits_are_those_of_http_1() {
    let pair = Pair::new();
    let server = serving(&Database::sqlite(), &pair).start();
    let connection = connect(&server, &pair).await;
    assert_eq!(connection.status(Method::POST, "/nowhere", "{}").await, 404);
    let (status, headers, _) = connection.ask(Method::DELETE, "/users", "").await.expect("an answer");
    assert_eq!((status.as_u16(), &headers["allow"]), (405, &http::HeaderValue::from_static("POST")));
    assert_eq!(connection.status(Method::POST, "/users", &"x".repeat(70_000)).await, 413);
    // A head that is too long.
    let mut requests = connection.requests.clone().ready().await.expect("ready");
    let request = Request::get("https://localhost/healthz").header("x", "x".repeat(17_000)).body(());
    let (response, _) = requests.send_request(request.expect("a request"), true).expect("sent");
    assert_eq!(response.await.expect("an answer").status(), 431);
    assert_eq!(connection.status(Method::GET, "/healthz", "").await, 200, "it goes on");
    // A body that does not come.
    let server = serving(&Database::sqlite(), &pair).with(&["--set", "limits.body_timeout=50ms"]).start();
    let connection = connect(&server, &pair).await;
    let request = Request::post("https://localhost/users").body(()).expect("a request");
    let mut requests = connection.requests.clone().ready().await.expect("ready");
    let (response, _sending) = requests.send_request(request, false).expect("sent");
    assert_eq!(response.await.expect("an answer").status(), 408);
}

#[tokio::test]
async fn h2_what_names_two_hosts_is_refused_and_the_connection_goes_on() {
    let pair = Pair::new();
    let server = serving(&Database::sqlite(), &pair).start();
    let connection = connect(&server, &pair).await;
    for (host, status) in [("other.example", 400), ("localhost:80", 400), ("LOCALHOST:443", 200)] {
        let request = Request::get("https://localhost/healthz").header("host", host).body(());
        let mut requests = connection.requests.clone().ready().await.expect("ready");
        let (response, _) = requests.send_request(request.expect("a request"), true).expect("sent");
        assert_eq!(response.await.expect("an answer").status(), status, "{host}");
    }
}

/// What is about the server, or asks for a tunnel (RFC 9113, section 8.5), is no request to a contract; the tunnel is not made.
#[tokio::test]
async fn h2_options_of_everything_and_connect_are_refused_over_http2() {
    let pair = Pair::new();
    let database = Database::sqlite();
    let server = serving(&database, &pair).start();
    let connection = connect(&server, &pair).await;
    let everything = Uri::builder().scheme("https").authority("localhost").path_and_query("*").build();
    for (method, target) in [
        (Method::OPTIONS, everything.expect("a target")),
        (Method::CONNECT, Uri::from_static("accounts.example.com:443")),
    ] {
        let request = Request::builder().method(&method).uri(target).body(()).expect("a request");
        let mut requests = connection.requests.clone().ready().await.expect("ready");
        let (response, mut tunnel) = requests.send_request(request, false).expect("sent");
        let _ = tunnel.send_data(Bytes::from_static(b"what is behind it?"), true);
        let (head, mut body) = response.await.expect("an answer").into_parts();
        assert_eq!(head.status, 404, "{method}");
        assert_eq!(head.headers["content-type"], "application/problem+json", "{method}");
        assert_eq!(head.headers["x-content-type-options"], "nosniff", "{method}");
        while let Some(data) = body.data().await {
            data.expect("the rest of the answer");
        }
        assert_eq!(connection.status(Method::GET, "/healthz", "").await, 200, "{method}");
    }
}

#[tokio::test]
async fn h1_idle_http2_connections_are_ended() {
    let pair = Pair::new();
    let server = serving(&Database::sqlite(), &pair).with(&["--set", "limits.idle_timeout=50ms"]).start();
    let connection = connect(&server, &pair).await;
    assert_eq!(connection.status(Method::GET, "/healthz", "").await, 200);
    // The connection ends although its client still holds it.
    let ended = tokio::time::timeout(GUARD, connection.ended).await.expect("an end in time");
    assert!(ended.expect("no panic").is_ok(), "in order");
    drop(connection.requests);
}

async fn what_was_accepted_over_http2_is_answered_before_the_end(database: &Database) {
    let pair = Pair::new();
    let patient = ["--set", "shutdown_grace=100s", "--set", "limits.body_timeout=100s"];
    let server = serving(database, &pair).with(&patient).start();
    let mut waiting = Vec::new();
    for number in 0..10 {
        let connection = connect(&server, &pair).await;
        let request = Request::post("https://localhost/users").header("content-type", "application/json");
        let mut requests = connection.requests.clone().ready().await.expect("ready");
        let (response, mut sending) =
            requests.send_request(request.body(()).expect("a request"), false).expect("sent");
        // The head is there before the signal, the body comes behind it.
        sending.reserve_capacity(1);
        waiting.push((connection, response, sending, number));
    }
    for (connection, ..) in &waiting {
        let status = connection.status(Method::GET, "/healthz", "").await;
        assert_eq!(status, 200, "the frames before this are read");
    }
    server.signal("TERM");
    server.wait_for_log("SIGTERM: finishing what was accepted");
    let mut answered = 0;
    for (connection, response, mut sending, number) in waiting {
        let _ = sending.send_data(Bytes::from(sign_up(number)), true);
        if let Ok(response) = response.await {
            assert_eq!(response.status(), 200);
            answered += 1;
            drop(response);
        }
        connection.ends().await;
    }
    assert_eq!(answered, 10);
    let (ended, _) = server.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains(r#""cut":0"#), "{}", ended.err);
    assert_eq!(database.number("SELECT count(*) FROM users").await, answered);
}
