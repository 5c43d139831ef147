//! Web pages of other sites sign nobody up, unless they are listed.

use crate::harness::client::{Reply, get};
use crate::harness::database::Database;
use crate::harness::process::{Server, Vestibule};

on_both! {
    h3_a_page_of_another_site_signs_nobody_up
    h3_a_listed_page_may_ask_and_read
}

fn sign_up(number: usize, headers: &str) -> Vec<u8> {
    let body = format!(r#"{{"email":"user{number}@example.com","password":"a long password"}}"#);
    let length = body.len();
    format!("POST /users HTTP/1.1\r\nhost: accounts.example.com\r\n{headers}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

async fn asked(server: &Server, number: usize, headers: &str) -> Reply {
    server.connect().await.ask(&sign_up(number, headers)).await
}

fn serve(database: &Database, arguments: &[&str]) -> Server {
    let arguments = [&["--contract", "knex", "--set", "passwords.deadline=100s"], arguments].concat();
    Vestibule::serve(database).with(&arguments).start()
}

const JSON: &str = "content-type: application/json\r\n";

async fn h3_a_page_of_another_site_signs_nobody_up(database: &Database) {
    let server = serve(database, &["--set", "base_url=https://www.example.com/app"]);
    for (number, foreign) in [
        "origin: https://evil.example\r\nsec-fetch-site: cross-site\r\n",
        "origin: https://evil.example\r\nsec-fetch-site: cross-site\r\ncontent-type: text/plain\r\n",
        "origin: https://evil.example\r\ncontent-type: application/json\r\n",
        "origin: null\r\ncontent-type: application/x-www-form-urlencoded\r\n",
        "sec-fetch-site: cross-site\r\ncontent-type: application/json\r\n",
        "origin: https://other.example.com\r\nsec-fetch-site: same-site\r\ncontent-type: application/json\r\n",
        "origin: http://www.example.com\r\ncontent-type: application/json\r\n",
    ]
    .iter()
    .enumerate()
    {
        let reply = asked(&server, number, foreign).await;
        assert_eq!((reply.status, reply.header("content-type")), (403, "application/problem+json"), "{foreign}");
        assert_eq!((reply.header("vary"), reply.header("access-control-allow-origin")), ("", ""));
        server.wait_for_log(&format!(r#""request_id":"{}""#, reply.header("x-request-id")));
    }
    assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
    // A body with a type that the contract does not read is refused from anywhere.
    assert_eq!(asked(&server, 0, "content-type: text/plain\r\n").await.status, 415);
    for (number, ours) in [
        "",
        JSON,
        "origin: https://www.example.com\r\n",
        "origin: https://accounts.example.com\r\n",
        "origin: https://behind-a-proxy.example\r\nsec-fetch-site: same-origin\r\n",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(asked(&server, number, ours).await.status, 200, "{ours}");
    }
    assert_eq!(server.connect().await.ask(&preflight("https://evil.example")).await.status, 405);
    let log = server.stop().0.err;
    assert_eq!(log.matches(r#""outcome":"cross_site","status":403"#).count(), 7, "{log}");
}

fn preflight(origin: &str) -> Vec<u8> {
    format!(
        "OPTIONS /users HTTP/1.1\r\nhost: accounts.example.com\r\norigin: {origin}\r\n\
         access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n\
         content-length: 0\r\n\r\n"
    )
    .into_bytes()
}

async fn h3_a_listed_page_may_ask_and_read(database: &Database) {
    let server = serve(database, &["--set", "cors.origins=https://app.example.com,http://localhost:3000"]);
    let listed = "http://localhost:3000";
    let mut client = server.connect().await;
    client.send(&preflight(listed)).await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 204 "), "{head}");
    for line in [
        "access-control-allow-origin: http://localhost:3000",
        "access-control-allow-methods: POST",
        "access-control-allow-headers: content-type",
        "access-control-max-age: 600",
        "vary: origin",
        "cache-control: no-store",
    ] {
        assert!(head.lines().any(|found| found == line), "{line:?} is not in {head}");
    }
    assert!(!head.contains("credentials") && !head.contains('*'), "{head}");
    let page = format!("origin: {listed}\r\nsec-fetch-site: cross-site\r\n{JSON}");
    for (number, status) in [(1, 200), (1, 400)] {
        let reply = asked(&server, number, &page).await;
        assert!(reply.status == status || status == 400 && (400..500).contains(&reply.status), "{reply:?}");
        assert_eq!((reply.header("access-control-allow-origin"), reply.header("vary")), (listed, "origin"));
    }
    // Everybody else is treated as if there was no list.
    let stranger = format!("origin: https://evil.example\r\nsec-fetch-site: cross-site\r\n{JSON}");
    let reply = asked(&server, 2, &stranger).await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (403, ""));
    let reply = server.connect().await.ask(&preflight("https://app.example.com.evil.example")).await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (405, ""));
    let native = server.connect().await.ask(&get("/healthz")).await;
    assert_eq!((native.status, native.header("access-control-allow-origin")), (200, ""));
    assert_eq!(database.number("SELECT count(*) FROM users").await, 1);
}

#[test]
fn h3_origins_are_checked_at_start() {
    let run = Vestibule::serve(&Database::sqlite());
    let told =
        run.with(&["--set", "cors.origins=https://app.example.com,*,https://app.example.com/"]).run().err;
    assert!(told.contains("item 2 of `cors.origins` must be an origin as browsers write it"), "{told}");
    assert!(told.contains("item 3 of `cors.origins`") && !told.contains("item 1"), "{told}");
}
