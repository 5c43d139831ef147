//! `/openapi.json` and `/docs`: there when they are switched on, complete in themselves, and closed to other origins.

use serde_json::Value as Json;
use vestibule::contract::shipped;

use crate::harness::database::Database;
use crate::harness::server::Server;

async fn server(docs: bool) -> (Server, Database) {
    let database = Database::sqlite();
    let contract = shipped("express").expect("it is shipped");
    let server = Server::with("express", contract, database.open().await, |app| app.docs = docs).await;
    (server, database)
}

async fn ask(server: &Server, request: &str) -> (String, String) {
    let request = format!("{request}\r\nhost: accounts.example.com\r\nconnection: close\r\n\r\n");
    let answer = String::from_utf8(server.exchange(request.as_bytes()).await).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test]
async fn the_document_is_served() {
    let (server, database) = server(true).await;
    let (head, body) = ask(&server, "GET /openapi.json HTTP/1.1").await;
    assert!(
        head.starts_with("http/1.1 200") && head.contains("content-type: application/json\r\n"),
        "{head}"
    );
    let document: Json = serde_json::from_str(&body).expect("JSON");
    assert_eq!(document["servers"][0]["url"], "https://accounts.example.com");
    assert_eq!(document["paths"]["/user/register"]["post"]["operationId"], "register_express");
    let tag = head.lines().find_map(|l| l.strip_prefix("etag: ")).expect("a tag");
    let (head, body) = ask(&server, &format!("GET /openapi.json HTTP/1.1\r\nif-none-match: {tag}")).await;
    assert!(head.starts_with("http/1.1 304") && body.is_empty(), "{head}");
    drop(server);
    database.remove().await;
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let (server, database) = server(true).await;
    for (path, media) in
        [("/docs", "text/html"), ("/docs/page.css", "text/css"), ("/docs/page.js", "text/javascript")]
    {
        let (head, body) = ask(&server, &format!("GET {path} HTTP/1.1")).await;
        assert!(
            head.starts_with("http/1.1 200") && head.contains(&format!("content-type: {media}")),
            "{head}"
        );
        assert!(
            head.contains("content-security-policy: default-src 'none'; script-src 'self'; style-src"),
            "{head}"
        );
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        for elsewhere in
            ["http:", "https:", "//cdn", "innerHTML", "onclick", "<style", " style=", "@import", "url("]
        {
            assert!(!body.contains(elsewhere), "{path} contains {elsewhere}");
        }
    }
    drop(server);
    database.remove().await;
}

#[tokio::test]
async fn other_methods_are_for_contracts() {
    let (server, database) = server(true).await;
    let (head, body) = ask(&server, "POST /docs HTTP/1.1").await;
    assert!(head.starts_with("http/1.1 405") && body.contains("not allowed here"), "{head}\n{body}");
    assert!(head.contains("allow: get,head"), "{head}");
    drop(server);
    database.remove().await;
}

#[tokio::test]
async fn the_switch_turns_them_off() {
    let (server, database) = server(false).await;
    for path in ["/openapi.json", "/docs", "/docs/page.js"] {
        let (head, _) = ask(&server, &format!("GET {path} HTTP/1.1")).await;
        assert!(head.starts_with("http/1.1 404"), "{path}: {head}");
    }
    drop(server);
    database.remove().await;
}
