//! Secrets in every field, header and URL, through every outcome; and then everything that was written is searched for
//! them, in every spelling in which a secret may be written.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use tokio_postgres::NoTls;

use crate::harness::client::{Client, Reply, get, post, post_as};
use crate::harness::database::Database;
use crate::harness::folder::Folder;
use crate::harness::process::{GUARD, Server, Vestibule};
use crate::harness::tls::Pair;

on_both! {
    no_secret_is_written_anywhere_with_lines_for_people
    no_secret_is_written_anywhere_with_lines_for_programs
}

/// What every secret here holds, and nothing else does. It meets what the contracts ask of a password.
const MARK: &str = "Qz7!Kanarie";
/// What every address here holds: it may be in the database, and nowhere else.
const ADDRESS: &str = "zilvervink";

fn secret(place: &str) -> String {
    format!("{MARK}-{place}")
}

async fn no_secret_is_written_anywhere_with_lines_for_people(database: &Database) {
    run(database, "human").await;
}

async fn no_secret_is_written_anywhere_with_lines_for_programs(database: &Database) {
    run(database, "json").await;
}

/// What was found to be written, and by what name.
type Written = Vec<(String, Vec<u8>)>;

async fn run(database: &Database, format: &str) {
    let mut written = Written::new();
    let mut replies = Vec::new();
    let peppers = pepper_file();
    let folder = {
        let server = main_server(database, format).with(&["--set", &pepper_setting(&peppers)]).start();
        replies.extend(talk(&server).await);
        written.push(("/metrics".to_owned(), metrics(&server).await.into_bytes()));
        // As it stands while the server runs: the write-ahead log still has everything.
        files(&server.folder(), &mut written);
        if let Database::Sqlite(folder) = database {
            files(folder.path(), &mut written);
            assert!(written.iter().any(|(name, _)| name.ends_with("-wal")), "no write-ahead log");
        }
        let (ended, folder) = server.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        written.push(("standard output".to_owned(), ended.out.into_bytes()));
        written.push(("standard error".to_owned(), ended.err.into_bytes()));
        folder
    };
    let reached: BTreeSet<u16> = replies.iter().map(|reply| reply.status).collect();
    let expected = [200, 201, 400, 403, 404, 405, 408, 409, 413, 415, 422, 431, 500];
    assert_eq!(reached, BTreeSet::from(expected), "every outcome but busy");

    let server = busy_server(database, format).inside(folder).start();
    let busy = until_busy(&server).await;
    assert_eq!(busy.status, 503);
    let (ended, folder) = server.stop();
    written.push(("standard output".to_owned(), ended.out.into_bytes()));
    written.push(("standard error under load".to_owned(), ended.err.into_bytes()));

    written.extend(over_http2(database, format).await);
    files(folder.path(), &mut written);
    let rows = everything_stored(database).await;
    const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1,keyid=YmlyZA$";
    for at_least in [ADDRESS, HASH, "user.registered", "unsupported_media_type"] {
        assert!(rows.contains(at_least), "the rows were not looked at: {rows}");
    }
    written.push(("the database, row by row".to_owned(), rows.into_bytes()));
    for command in [
        &["user", "list"][..],
        &["user", "list", "--json"],
        &["user", "show", "1", "--json"],
        &["events", "tail"],
        &["events", "tail", "--json"],
        &["audit", "--limit", "1000"],
        &["audit", "--limit", "1000", "--json"],
    ] {
        let ended = Vestibule::new(command).on(database).run();
        assert!(ended.code == Some(0) && !ended.out.is_empty(), "{command:?}: {}", ended.err);
        written.push((format!("vestibule {}", command.join(" ")), (ended.out + &ended.err).into_bytes()));
    }
    let needles = needles(&replies);
    let found: Vec<String> =
        written.iter().flat_map(|(place, bytes)| search(place, bytes, &needles)).collect();
    assert!(found.is_empty(), "{found:#?}");

    // People are in the database alone.
    for (place, bytes) in written.iter().filter(|(place, _)| {
        ["standard", "/metrics", "vestibule audit"].iter().any(|told| place.starts_with(told))
    }) {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(ADDRESS), "{place} tells who signed up");
        assert!(!text.contains("argon2id$"), "{place} has a hash");
    }
}

const SERVED: [&str; 6] = [
    "knex@/knex",
    "flask@/flask",
    "express@/express",
    "mongoose@/mongoose",
    "envelope@/envelope",
    "few.toml@/few",
];

/// A contract with two ids in all: the third account cannot be made, which is the outcome `failed`.
const FEW: &str = r#"id = "[ab]"
[register]
path = "/users"
accepts = ["json", "form", "multipart"]
fields = [
  { name = "email", rules = [{ required = true, format = "email" }] },
  { name = "password", rules = [{ required = true }] },
  { name = "key", from = "header:X-Api-Key" },
  { name = "token", from = "query:token" },
  { name = "session", from = "cookie:session" },
]
[register.created]
body = '{}'
[register.default]
body = '{ "said": "{{ message }}" }'
"#;

fn main_server(database: &Database, format: &str) -> Vestibule {
    let serve = Vestibule::serve(database)
        .file("few.toml", FEW)
        .env("VESTIBULE_TOKEN_SECRET", &secret("a token secret that is long enough"))
        .env("VESTIBULE_SECRETS_APP", &secret("app-secret"))
        .with(&["--set", &format!("log.format={format}"), "--set", "log.level=trace"])
        .with(&["--set", "admin_listen=127.0.0.1:0", "--set", "limits.body_timeout=1s"])
        .with(&[
            "--set",
            "passwords.deadline=100s",
            "--set",
            "audit.store=true",
            "--set",
            "rates.shared=true",
        ]);
    SERVED.iter().fold(serve, |serve, contract| serve.with(&["--contract", contract]))
}

/// A pepper that is a secret, too, outside of the folder that is searched.
fn pepper_file() -> Folder {
    let folder = Folder::new();
    let line = format!("bird {}", STANDARD.encode(secret("a pepper that is long enough")));
    std::fs::write(folder.path().join("pepper"), line).expect("the folder can be written");
    folder
}

fn pepper_setting(folder: &Folder) -> String {
    format!("passwords.pepper_file={}", folder.path().join("pepper").display())
}

fn busy_server(database: &Database, format: &str) -> Vestibule {
    Vestibule::serve(database)
        .env("VESTIBULE_TOKEN_SECRET", &secret("a token secret that is long enough"))
        .with(&["--set", &format!("log.format={format}"), "--set", "log.level=trace"])
        .with(&["--set", "passwords.deadline=1ms", "--set", "passwords.workers=1", "--contract", "knex"])
}

/// One request of each kind; whatever it is about, its headers are full of secrets.
async fn talk(server: &Server) -> Vec<Reply> {
    let mut replies = Vec::new();
    for request in requests() {
        let reply = server.connect().await.ask(&with_secret_headers(&request)).await;
        replies.push(reply);
    }
    // The same key, the same request and another one.
    for password in ["keyed", "keyed", "keyed-again"] {
        let body = sign_up_express("keyed", &secret(password));
        let request = with_header(&post("/express/user/register", &body), "idempotency-key", &secret("key"));
        replies.push(server.connect().await.ask(&request).await);
    }
    assert_eq!(replies[replies.len() - 3].body, replies[replies.len() - 2].body, "it was repeated");
    replies
}

fn sign_up(name: &str, password: &str) -> String {
    format!(
        r#"{{"name":"Vink","email":"{name}.{ADDRESS}@example.com","password":"{password}","token":"{}"}}"#,
        secret("unknown-field")
    )
}

fn sign_up_express(name: &str, password: &str) -> String {
    format!(r#"{{"firstname":"Vink","email":"{name}.{ADDRESS}@example.com","password":"{password}"}}"#)
}

fn requests() -> Vec<Vec<u8>> {
    let (knex, few) = ("/knex/users", "/few/users");
    let p = secret;
    let form =
        |name: &str| format!("email={name}.{ADDRESS}@example.com&password={}", p(name).replace('!', "%21"));
    let multipart = format!(
        "--x\r\ncontent-disposition: form-data; name=\"email\"\r\n\r\nparts.{ADDRESS}@example.com\r\n--x\r\n\
         content-disposition: form-data; name=\"password\"\r\n\r\n{}\r\n--x--\r\n",
        p("parts")
    );
    let large = format!(r#"{{"password":"{}{}"}}"#, p("large"), "x".repeat(70_000));
    let long = |what: &str| format!("{}{}", p(what), "x".repeat(20_000));
    let mut out = vec![
        // created
        post(knex, &sign_up("knex", &p("knex"))),
        post("/flask/users", &format!(r#"{{"username":"{ADDRESS}","password":"{}"}}"#, p("flask"))),
        post("/express/user/register", &sign_up_express("express", &p("express"))),
        post("/mongoose/users/", &sign_up("mongoose", &p("mongoose"))),
        post("/envelope/users", &sign_up("envelope", &p("envelope"))),
        // created, then `failed`: there are two ids
        post_as("application/x-www-form-urlencoded", few, &form("form")),
        post_as("multipart/form-data; boundary=x", few, &multipart),
        post(&format!("{few}?token={}", p("query")), &sign_up("few", &p("few"))),
        // taken
        post(knex, &sign_up("knex", &p("taken"))),
        // invalid, wherever the secret stands
        post("/envelope/users", &sign_up("other", &format!("{}\\u0000{}", p("rejected"), "x".repeat(1100)))),
        post(knex, &sign_up("other", &format!("{}{}", p("long"), "x".repeat(1100)))),
        post(knex, &format!(r#"{{"email":"{} is no address","password":"{}"}}"#, p("address"), p("beside"))),
        post(knex, &format!(r#"{{"email":["{}"],"password":["{}"]}}"#, p("list"), p("list"))),
        post(knex, &format!(r#"{{"email":"a@example.com","password":{{"{}":1}}}}"#, p("member"))),
        post("/mongoose/users/", &format!(r#"{{"password":"{}"}}"#, p("only"))),
        post("/flask/users", &format!(r#"{{"username":"","password":"{}"}}"#, p("no-name"))),
        post("/flask/users", &format!(r#"{{"username":"{}@","password":"x"}}"#, p("name"))),
        // malformed
        post(knex, &format!(r#"{{"password":"{}""#, p("cut"))),
        post(knex, &format!(r#"{{"password":"{}","password":"{}"}}"#, p("twice"), p("again"))),
        post(knex, &format!(r#""{}""#, p("text"))),
        post(knex, &format!("{}{}", "[".repeat(40), p("deep"))),
        post_as("multipart/form-data; boundary=x", few, &format!("--x\r\n{}\r\n\r\n", p("part-head"))),
        with_header(&post(knex, "{}"), "idempotency-key", &format!("\"{}", p("open-quote"))),
        // others
        post_as(&format!("text/plain; x={}", p("content-type")), knex, &p("type")),
        post(knex, &large),
        post(&format!("/nowhere/{}", p("path")), &p("body")),
        format!("PUT {knex}?{} HTTP/1.1\r\nhost: {}\r\n\r\n", p("query"), p("host")).into_bytes(),
        format!("{} {knex} HTTP/1.1\r\nhost: a\r\n\r\n", p("METHOD").replace('!', "")).into_bytes(),
        with_header(&post(knex, &sign_up("page", &p("page"))), "origin", &format!("https://{}", p("origin"))),
        // too slow: the rest never comes
        format!("POST {knex} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{}", p("slow"))
            .into_bytes(),
    ];
    // What is no request: hyper refuses it before anybody else sees it.
    out.extend([
        format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", long("uri")).into_bytes(),
        format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", long("header")).into_bytes(),
        format!("{}\r\n\r\n", p("nonsense")).into_bytes(),
        format!("GET / HTTP/1.1\r\n{} no colon\r\n\r\n", p("bad")).into_bytes(),
    ]);
    out
}

fn with_header(request: &[u8], name: &str, value: &str) -> Vec<u8> {
    let text = String::from_utf8(request.to_vec()).expect("text");
    text.replacen("\r\n", &format!("\r\n{name}: {value}\r\n"), 1).into_bytes()
}

/// Credentials of which Vestibule knows nothing, and names by which it goes.
fn with_secret_headers(request: &[u8]) -> Vec<u8> {
    [
        ("authorization", "Bearer "),
        ("proxy-authorization", "Basic "),
        ("cookie", "session="),
        ("x-api-key", ""),
        ("user-agent", "Mozilla/"),
        ("referer", "https://a.example/?"),
        ("x-request-id", ""),
        ("x-forwarded-for", ""),
        ("forwarded", "for="),
        ("traceparent", ""),
    ]
    .iter()
    .fold(request.to_vec(), |request, (name, before)| {
        with_header(&request, name, &format!("{before}{}", secret(name)))
    })
}

async fn metrics(server: &Server) -> String {
    let line = server.wait_for_log("GET /metrics is served");
    let start = line.find("127.0.0.1:").expect("an address") + "127.0.0.1:".len();
    let port: String = line[start..].chars().take_while(char::is_ascii_digit).collect();
    let address = SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")));
    let reply = Client::connect(address).await.ask(&get("/metrics")).await;
    assert!(reply.body.contains("vestibule_requests_total"), "{reply:?}");
    reply.body
}

/// Sign-ups at once until one is refused for want of time.
async fn until_busy(server: &Server) -> Reply {
    for round in 0..100 {
        let mut clients = Vec::new();
        for number in 0..8 {
            let body = sign_up(&format!("busy-{round}-{number}"), &secret("busy"));
            let mut client = server.connect().await;
            client.send(&with_secret_headers(&post("/users", &body))).await;
            clients.push(client);
        }
        let mut replies = Vec::new();
        for mut client in clients {
            replies.push(client.reply().await);
        }
        if let Some(busy) = replies.into_iter().find(|reply| reply.status != 200) {
            return busy;
        }
    }
    panic!("a server that may not wait is never busy");
}

/// The same over TLS and HTTP/2, whose library has a log of its own.
async fn over_http2(database: &Database, format: &str) -> Written {
    let (pair, mut written) = (Pair::new(), Written::new());
    let serve = Vestibule::serve(database)
        .file("certificate.pem", &pair.certificate)
        .file("key.pem", &pair.key)
        .env("VESTIBULE_TOKEN_SECRET", &secret("a token secret that is long enough"))
        .with(&["--set", "tls.certificate=certificate.pem", "--set", "tls.key=key.pem", "--contract", "knex"])
        .with(&["--set", &format!("log.format={format}"), "--set", "log.level=trace"]);
    let server = serve.start();
    let stream = pair.connect(server.address, &["h2"]).await.expect("a handshake");
    let (requests, connection) = h2::client::handshake(stream).await.expect("a preface");
    let moving = tokio::spawn(connection);
    for (path, name, status) in
        [("/users", "http2", 200), ("/users", "http2", 409), ("/nowhere", "http2", 404)]
    {
        let request = http::Request::post(format!("https://localhost{path}?{}", secret("query")))
            .header("content-type", "application/json")
            .header("cookie", secret("cookie"))
            .header("user-agent", secret("agent"))
            .body(())
            .expect("a request");
        let (response, mut body) =
            requests.clone().ready().await.expect("room").send_request(request, false).expect("open");
        body.send_data(Bytes::from(sign_up(name, &secret("http2"))), true).expect("it is taken");
        let response = tokio::time::timeout(GUARD, response).await.expect("in time").expect("an answer");
        assert_eq!(response.status(), status, "{path}");
    }
    drop(requests);
    moving.abort();
    files(&server.folder(), &mut written);
    let (ended, _) = server.stop();
    written.push(("standard output".to_owned(), ended.out.into_bytes()));
    written.push(("standard error over HTTP/2".to_owned(), ended.err.into_bytes()));
    // The test has put the key there itself; it must not come to the log.
    written.retain(|(name, _)| !name.ends_with(".pem"));
    let key = pair.key.lines().nth(1).expect("a line of the key");
    assert!(
        written.iter().all(|(_, bytes)| !String::from_utf8_lossy(bytes).contains(key)),
        "the key was written"
    );
    written
}

/// Every file of a folder.
fn files(folder: &Path, out: &mut Written) {
    for file in std::fs::read_dir(folder).expect("a folder").flatten() {
        match file.path() {
            path if path.is_dir() => files(&path, out),
            path => out.push((path.display().to_string(), std::fs::read(&path).expect("a file"))),
        }
    }
}

/// Every column of every table as text.
async fn everything_stored(database: &Database) -> String {
    match database {
        Database::Sqlite(folder) => {
            from_sqlite(&folder.path().join("vestibule.db")).expect("the file can be read")
        }
        Database::Postgres(database) => from_postgres(&database.url).await.expect("the server can be read"),
    }
}

fn from_sqlite(file: &Path) -> rusqlite::Result<String> {
    let file = rusqlite::Connection::open(file)?;
    let mut tables = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut out = String::new();
    for table in tables {
        let mut rows = file.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = rows.column_count();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                let value = row.get_ref(column)?;
                match value.as_bytes_or_null() {
                    Ok(Some(bytes)) => {
                        out.extend([String::from_utf8_lossy(bytes).as_ref(), "\n", &hex(bytes), "\n"])
                    }
                    _ => out.push_str(&format!("{value:?}\n")),
                }
            }
        }
    }
    Ok(out)
}

async fn from_postgres(url: &str) -> Result<String, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let tables = "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema NOT IN \
                  ('pg_catalog', 'information_schema')";
    let mut out = String::new();
    for table in client.query(tables, &[]).await? {
        let table: String = table.get(0);
        for row in client.query(&format!("SELECT t::text FROM {table} t"), &[]).await? {
            out.extend([row.get::<_, &str>(0), "\n"]);
        }
    }
    Ok(out)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All spellings of a secret: as it is, in other cases, and percent-encoded, escaped, in Base64 wherever it may begin,
/// and in hexadecimal digits.
fn spellings(secret: &str) -> Vec<String> {
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let escaped: String = secret.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let mut out = vec![
        secret.to_owned(),
        secret.to_lowercase(),
        secret.to_uppercase(),
        secret.replace('!', "%21"),
        percent.clone(),
        percent.to_uppercase(),
        escaped,
        hex(secret.as_bytes()),
        hex(secret.as_bytes()).to_uppercase(),
        // Bytes as `Debug` writes them.
        format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']).to_owned(),
    ];
    for engine in [STANDARD, URL_SAFE] {
        for before in 0..3 {
            let text = engine.encode([&vec![b'x'; before][..], secret.as_bytes()].concat());
            // The first and the last letters depend on what stands around.
            let inner = text.trim_end_matches('=');
            out.push(inner[[0, 2, 3][before]..inner.len() - 1].to_owned());
        }
    }
    out
}

/// What nothing may hold: the mark in every spelling, what was made of whole secrets, and the tokens.
fn needles(replies: &[Reply]) -> Vec<String> {
    let mut out = spellings(MARK);
    let whole =
        ["knex", "flask", "express", "mongoose", "envelope", "form", "parts", "few", "busy", "http2", "key"];
    out.extend(whole.map(|place| vestibule::token::digest(&secret(place))));
    let tokens = replies.iter().filter(|reply| reply.status < 300 && reply.body.contains("\"token\""));
    for token in tokens.map(|reply| reply.json()["token"].as_str().expect("a token").to_owned()) {
        let parts: Vec<&str> = token.split('.').collect();
        // The head of all tokens is the same and no secret.
        out.extend([parts[1].to_owned(), parts[2].to_owned(), vestibule::token::digest(&token)]);
    }
    assert!(out.len() > spellings(MARK).len() + whole.len() + 2 * 3, "there were tokens");
    out
}

fn search(place: &str, bytes: &[u8], needles: &[String]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let found = needles.iter().filter_map(|needle| Some((needle, text.find(needle.as_str())?)));
    found
        .map(|(needle, at)| {
            let around: String = text[..at].chars().rev().take(60).collect();
            format!("{place}: {needle} behind {:?}", around.chars().rev().collect::<String>())
        })
        .collect()
}

/// Without this, a search that finds nothing anywhere would pass.
#[test]
fn control_the_search_finds_every_spelling() {
    let planted = secret("planted");
    let digest = vestibule::token::digest(&secret("knex"));
    let mut needles = spellings(MARK);
    needles.push(digest.clone());
    let json = serde_json::json!({ "user": format!("x{planted}"), "n": 1 }).to_string();
    for text in [
        planted.clone(),
        planted.to_lowercase(),
        planted.to_uppercase(),
        json.clone(),
        form_urlencoded::byte_serialize(planted.as_bytes()).collect(),
        planted.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        STANDARD.encode(&planted),
        STANDARD.encode(format!("a{planted}")),
        URL_SAFE.encode(format!("ab{planted}c")),
        STANDARD.encode(&json),
        hex(planted.as_bytes()),
        format!("{:?}", planted.as_bytes()),
        format!("$sha256${digest}"),
    ] {
        let around = format!("before \u{1} {text} behind");
        assert!(!search("here", around.as_bytes(), &needles).is_empty(), "not found: {text}");
    }
    assert!(search("here", b"Qz7 Kanarie", &needles).is_empty());
}
