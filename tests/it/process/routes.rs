//! Paths, methods, sizes and media types; and that a refused request leaves its connection usable.

use std::time::Instant;

use crate::harness::client::{get, post, post_as};
use crate::harness::database::Database;
use crate::harness::process::{GUARD, Vestibule};

on_both! {
    a_path_answers_with_and_without_its_trailing_slash
    what_is_refused_is_refused_in_the_contracts_words_or_rfc_9457
    the_server_tells_how_it_is
}

const SIGN_UP: &str = r#"{"name":"A","email":"a@example.com","password":"P@ssw0rd"}"#;

async fn a_path_answers_with_and_without_its_trailing_slash(database: &Database) {
    let server = Vestibule::serve(database).start();
    let mut client = server.connect().await;
    for path in ["/knex/users", "/mongoose/users/", "/express/user/register", "/envelope/users"] {
        let twin = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
        let (one, other) = (client.ask(&post(path, "{}")).await, client.ask(&post(&twin, "{}")).await);
        assert_eq!((one.status, &one.body), (400, &other.body), "{path}");
        assert_eq!(other.status, 400, "{twin}");
        assert_eq!(client.ask(&post(&format!("{path}/x"), "{}")).await.status, 404);
    }
    assert_eq!(client.ask(&post("/envelope/users/", SIGN_UP)).await.status, 201);
    server.stop();

    // Where two contracts would collide, each answers only where its file says.
    let server =
        Vestibule::serve(database).with(&["--contract", "knex@/", "--contract", "mongoose@/"]).start();
    let mut client = server.connect().await;
    assert!(client.ask(&post("/users", "{}")).await.body.contains("email is required"));
    assert!(client.ask(&post("/users/", "{}")).await.body.contains("ValidationError"));
}

async fn what_is_refused_is_refused_in_the_contracts_words_or_rfc_9457(database: &Database) {
    let server = Vestibule::serve(database).start();
    let mut client = server.connect().await;
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(64 * 1024));
    let put =
        |path: &str| format!("PUT {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{{}}").into_bytes();

    // `flask` and `envelope` have words for everything; the others leave it to RFC 9457.
    for (request, status, flask, title) in [
        (put("/flask/users"), 405, "This method is not allowed here.", "Method Not Allowed"),
        (
            post_as("text/xml", "/flask/users", "<a/>"),
            415,
            "This content type is not accepted.",
            "Unsupported Media Type",
        ),
        (post("/flask/users", "{"), 400, "The request could not be read.", "Bad Request"),
        (post("/flask/users", &large), 413, "The request is too large.", "Payload Too Large"),
    ] {
        let mut client = server.connect().await;
        let reply = client.ask(&request).await;
        assert_eq!((reply.status, reply.json()), (status, serde_json::json!({ "error": flask })));
        assert_eq!(reply.header("allow"), if status == 405 { "POST" } else { "" });
        let knex = String::from_utf8(request).expect("text").replacen("/flask/", "/knex/", 1);
        let mut client = server.connect().await;
        let reply = client.ask(knex.as_bytes()).await;
        assert_eq!((reply.status, reply.header("content-type")), (status, "application/problem+json"));
        assert_eq!((&reply.json()["status"], &reply.json()["title"]), (&status.into(), &title.into()));
        assert_eq!(reply.header("allow"), if status == 405 { "POST" } else { "" });
        if status == 413 {
            assert_eq!(reply.header("connection"), "close");
            assert!(client.is_closed().await);
        } else {
            assert_eq!(client.ask(&post("/knex/users", "{}")).await.status, 400, "after {title}");
        }
    }
    let nowhere = client.ask(&post("/nowhere", SIGN_UP)).await;
    assert_eq!((nowhere.status, nowhere.header("content-type")), (404, "application/problem+json"));
    assert_eq!((&nowhere.json()["status"], &nowhere.json()["type"]), (&404.into(), &"about:blank".into()));

    // The body of a refused request comes late, and is not taken for the next request.
    for path in ["/nowhere", "/flask/users"] {
        let request = String::from_utf8(post(path, SIGN_UP)).expect("text").replacen("POST", "PATCH", 1);
        let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
        client.send(format!("{head}\r\n\r\n").as_bytes()).await;
        client.send(body.as_bytes()).await;
        let reply = client.reply().await;
        assert!([404, 405].contains(&reply.status) && reply.header("connection").is_empty(), "{reply:?}");
        assert_eq!(client.ask(&get("/healthz")).await.status, 200, "after {path}");
    }
    for reply in [nowhere, client.ask(&get("/healthz")).await, client.ask(&get("/readyz")).await] {
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
    }
    let wrong = client.ask(&post("/healthz", "")).await;
    assert_eq!((wrong.status, wrong.header("content-type")), (405, "application/problem+json"));
    assert!(wrong.header("allow").contains("GET"), "{wrong:?}");
    assert_eq!(client.ask(&post("/envelope/users", SIGN_UP)).await.status, 201);
}

async fn the_server_tells_how_it_is(database: &Database) {
    let server = Vestibule::serve(database).start();
    let mut client = server.connect().await;
    let told = async |client: &mut crate::harness::client::Client, path| {
        let reply = client.ask(&get(path)).await;
        (reply.status, reply.body)
    };
    assert_eq!(told(&mut client, "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(told(&mut client, "/readyz").await, (200, "ok\n".to_owned()));
    let Database::Postgres(postgres) = database else { return };
    postgres.drop().await;
    // It is asked once a second at most.
    let begun = Instant::now();
    let changed = loop {
        match told(&mut client, "/readyz").await {
            (200, _) => assert!(begun.elapsed() < GUARD, "it is not noticed"),
            other => break other,
        }
    };
    assert_eq!(changed, (503, "the store does not answer\n".to_owned()));
    assert_eq!(told(&mut client, "/healthz").await, (200, "ok\n".to_owned()));
    let refused = client.ask(&post("/envelope/users", SIGN_UP)).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(!refused.header("retry-after").is_empty() && refused.json()["status"] == "Service Unavailable");
    let (ended, _) = server.stop();
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains("does not answer"), "{}", ended.err);
}
