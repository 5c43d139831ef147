//! What idle and slow clients cost, and what others notice of them. The figures belong to a build with optimisation and a machine
//! that is quiet:
//!
//! `(ulimit -n 30000; cargo test --release --test it h1_idle -- --ignored --nocapture --test-threads 1)`

use std::time::{Duration, Instant};

use http::Method;
use tokio::net::TcpStream;

use super::http2;
use super::tls::serving;
use crate::harness::client::{Client, get};
use crate::harness::database::Database;
use crate::harness::process::{Server, Vestibule};
use crate::harness::tls::Pair;

const CONNECTIONS: usize = 10_000;
/// What a connection may cost, in KiB.
const MOST: u64 = 20;
/// What a shared machine may add to the p99 of answers that take some 50 us.
const NOISE: Duration = Duration::from_millis(1);
const ROOM: [&str; 4] = ["--set", "limits.connections=10100", "--set", "limits.idle_timeout=10m"];

/// The slower of a hundred answers, but one.
async fn p99(server: &Server) -> Duration {
    let mut client = server.connect().await;
    let mut times = Vec::new();
    for _ in 0..1000 {
        let asked = Instant::now();
        assert_eq!(client.ask(&get("/healthz")).await.status, 200);
        times.push(asked.elapsed());
    }
    times.sort_unstable();
    times[990]
}

#[tokio::test]
#[ignore = "takes 20,000 open files; its figures are for a quiet machine"]
#[expect(clippy::print_stdout, reason = "figures are what it is for")]
async fn h1_idle_ten_thousand_idle_connections_cost_little() {
    let server = Vestibule::serve(&Database::sqlite()).with(&ROOM).start();
    let quiet = p99(&server).await;
    let before = server.resident_kib();
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client: Client<TcpStream> = server.connect().await;
        assert_eq!(client.ask(&get("/healthz")).await.status, 200);
        idle.push(client);
    }
    let each = (server.resident_kib() - before) as f64 / CONNECTIONS as f64;
    let crowded = p99(&server).await;
    println!("plain: {each:.1} KiB each; p99 {quiet:?} alone, {crowded:?} among them");
    assert!(each <= MOST as f64, "{each} KiB");
    assert!(crowded <= quiet * 2 + NOISE, "{quiet:?} alone, {crowded:?} among them");
}

#[tokio::test]
#[ignore = "its figures are for a quiet machine"]
#[expect(clippy::print_stdout, reason = "figures are what it is for")]
async fn h1_idle_slow_clients_hold_nobody_up() {
    const CLIENTS: usize = 1000;
    // It is the clients who take their time.
    const PAUSE: Duration = Duration::from_secs(1);
    let server = Vestibule::serve(&Database::sqlite()).with(&ROOM).with(&["--contract", "knex"]).start();
    let quiet = p99(&server).await;
    let head = "POST /users HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let mut slow = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let mut client: Client<TcpStream> = server.connect().await;
        // A head, or a body, that comes byte by byte; or question after question, without reading an answer.
        let (first, drop) = match number % 3 {
            0 => (head.to_owned(), "x".to_owned()),
            1 => (format!("{head}content-length: 1000\r\n\r\n{{"), " ".to_owned()),
            _ => (String::new(), "GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        };
        slow.spawn(async move {
            client.send(first.as_bytes()).await;
            while client.try_send(drop.as_bytes()).await.is_ok() {
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    let crowded = p99(&server).await;
    println!("{CLIENTS} slow clients: p99 {quiet:?} alone, {crowded:?} among them");
    assert!(crowded <= quiet * 2 + NOISE, "{quiet:?} alone, {crowded:?} among them");
}

#[tokio::test]
#[ignore = "takes 20,000 open files; its figures are for a quiet machine"]
#[expect(clippy::print_stdout, reason = "figures are what it is for")]
async fn h1_idle_encrypted_connections_are_measured() {
    const FEWER: usize = 2000;
    let pair = Pair::new();
    for (protocol, asks) in [("http/1.1", false), ("http/1.1", true), ("h2", false), ("h2", true)] {
        let server = serving(&Database::sqlite(), &pair).with(&ROOM).start();
        let connect = async || pair.connect(server.address, &[protocol]).await.expect("a handshake");
        let (mut idle, mut idle2) = (vec![Client::over(connect().await)], Vec::new());
        let before = server.resident_kib();
        for _ in 0..FEWER {
            if protocol == "h2" && asks {
                let connection = http2::connect(&server, &pair).await;
                assert_eq!(connection.status(Method::GET, "/healthz", "").await, 200);
                idle2.push(connection);
                continue;
            }
            let mut client = Client::over(connect().await);
            if asks {
                assert_eq!(client.ask(&get("/healthz")).await.status, 200);
            }
            idle.push(client);
        }
        let each = (server.resident_kib() - before) as f64 / FEWER as f64;
        println!(
            "{protocol} over TLS, {}: {each:.1} KiB each",
            if asks { "after a request" } else { "silent" }
        );
    }
}
