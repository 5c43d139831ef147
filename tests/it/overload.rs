//! What a hash is spent on: nothing that was refused before, nobody who has left, and no contract at the cost of
//! another. The workers are held where a test wants them, so nothing here waits for a clock.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use vestibule::contract;
use vestibule::password::Hold;

use crate::harness::database::Database;
use crate::harness::process::GUARD;
use crate::harness::server::Server;

async fn server(database: &Database) -> Server {
    let text = include_str!("../../contracts/express.toml");
    let contract = contract::load(text).contract.expect("a shipped contract");
    Server::start("express", contract, database.open().await).await
}

fn post(body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        "POST /user/register HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json";
    format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn sign_up(email: &str) -> Vec<u8> {
    post(&format!(r#"{{"firstname":"Jane","email":"{email}","password":"supersecret"}}"#))
}

async fn status(server: &Server, request: &[u8]) -> String {
    let answer = server.exchange(request).await;
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Waits for a state that is on its way, without a pause of its own making.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(GUARD, wait).await.unwrap_or_else(|_| panic!("it never came to {what}"));
}

#[tokio::test]
async fn nothing_that_is_refused_anyway_reaches_the_workers() {
    let database = Database::sqlite();
    let server = server(&database).await;
    assert_eq!(status(&server, &sign_up("jane@example.com")).await, "201");
    // From here on whoever asks for a hash fails.
    server.app.passwords.close();
    assert_eq!(status(&server, &sign_up("other@example.com")).await, "500", "the negative control");
    let text = String::from_utf8(sign_up("new@example.com")).expect("ASCII");
    for (request, expected) in [
        (sign_up("JANE@example.com"), "400"),
        (sign_up("no address"), "400"),
        (post(r#"{"firstname":"J","email":"new@example.com","password":"supersecret"}"#), "400"),
        (post("{"), "400"),
        (post(&format!("\"{}\"", "x".repeat(70_000))), "413"),
        (text.replace("application/json", "text/plain").into_bytes(), "415"),
        (text.replace("POST", "PUT").into_bytes(), "405"),
        (text.replace("/user/register", "/elsewhere").into_bytes(), "404"),
    ] {
        let answered = status(&server, &request).await;
        assert_eq!(answered, expected, "{}", String::from_utf8_lossy(&request[..request.len().min(300)]));
    }
}

#[tokio::test]
async fn o1_who_leaves_before_a_worker_begins_costs_nothing() {
    let database = Database::sqlite();
    let server = server(&database).await;
    let pool = server.app.passwords.metrics().clone();
    server.app.passwords.hold(Some(Hold::BeforeTaking));
    let mut crowd = Vec::new();
    for number in 0..20 {
        let mut client = TcpStream::connect(server.address).await.expect("the server listens");
        client.write_all(&sign_up(&format!("u{number}@example.com"))).await.expect("the server reads");
        crowd.push(client);
    }
    until("20 that wait", || pool.waiting.get() == 20).await;
    crowd.truncate(1);
    until("19 that left", || server.app.metrics.connections.open.get() == 1).await;
    server.app.passwords.hold(None);
    drop(server.exchange(&sign_up("later@example.com")).await);
    assert_eq!((pool.left.get(), abandoned(&server)), (19, 19));
    assert_eq!(
        database.number("SELECT count(*) FROM users").await,
        2,
        "the one who stayed and the later one"
    );
    assert_eq!(database.number("SELECT count(*) FROM user_keys WHERE value = 'u0@example.com'").await, 1);
    assert_eq!(server.app.metrics.unheard.get(), 0);
}

#[tokio::test]
async fn who_leaves_after_a_worker_has_begun_is_registered_whole() {
    let database = Database::sqlite();
    let server = server(&database).await;
    let pool = server.app.passwords.metrics().clone();
    server.app.passwords.hold(Some(Hold::AfterTaking));
    let mut client = TcpStream::connect(server.address).await.expect("the server listens");
    client.write_all(&sign_up("jane@example.com")).await.expect("the server reads");
    until("the worker's hands", || pool.working.get() == 1).await;
    drop(client);
    until("one that left", || server.app.metrics.connections.open.get() == 0).await;
    server.app.passwords.hold(None);
    until("an account", || server.app.metrics.unheard.get() == 1).await;
    for table in ["users", "user_keys WHERE kind = 'email'", "events"] {
        assert_eq!(database.number(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
    }
    assert_eq!(status(&server, &sign_up("jane@example.com")).await, "400", "and is told so by a second try");
}

/// How many requests came to nothing because their clients left.
fn abandoned(server: &Server) -> u64 {
    let text = server.app.metrics.encode().expect("metrics");
    let line = text.lines().find(|line| line.contains(r#"outcome="abandoned""#)).expect("a counter");
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}
