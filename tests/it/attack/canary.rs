//! Secrets in every field, header and URL, through every outcome; and then everything that was written is searched for
//! them, in every spelling in which a secret may be written.

mod requests;
mod search;
mod written;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::harness::client::{Client, Reply, get, post, with};
use crate::harness::database::Database;
use crate::harness::folder::Folder;
use crate::harness::process::{GUARD, Server, Vestibule};
use crate::harness::proof::solved;
use crate::harness::tls::Pair;
use requests::{
    in_the_clear, requests, sign_up, sign_up_express, sign_up_standard, too_many, with_secret_headers,
};
use search::{needles, search, sha1};
use written::{everything_stored, files};

on_both! {
    l1_no_secret_is_written_anywhere_with_lines_for_people
    l1_no_secret_is_written_anywhere_with_lines_for_programs
}

/// What every secret here holds, and nothing else does. It meets what the contracts ask of a password.
const MARK: &str = "Qz7!Kanarie";
/// What every address here holds: it may be in the database, and nowhere else.
const ADDRESS: &str = "zilvervink";

fn secret(place: &str) -> String {
    format!("{MARK}-{place}")
}

async fn l1_no_secret_is_written_anywhere_with_lines_for_people(database: &Database) {
    run(database, "human").await;
}

async fn l1_no_secret_is_written_anywhere_with_lines_for_programs(database: &Database) {
    run(database, "json").await;
}

/// What was found to be written, and by what name.
type Written = Vec<(String, Vec<u8>)>;

async fn run(database: &Database, format: &str) {
    let mut written = Written::new();
    let mut replies = Vec::new();
    let (peppers, breached) = (pepper_file(), breached_file());
    let folder = {
        let server = main_server(database, format)
            .with(&["--set", &setting("passwords.pepper_file", &peppers, "pepper")])
            .with(&["--set", &setting("passwords.breached", &breached, "filter")])
            .start();
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
    let expected = [200, 201, 400, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500];
    assert_eq!(reached, BTreeSet::from(expected), "every outcome but busy");

    let server = busy_server(database, format).inside(folder).start();
    let busy = until_busy(&server).await;
    assert_eq!(busy.status, 503);
    let (ended, folder) = server.stop();
    written.push(("standard output".to_owned(), ended.out.into_bytes()));
    written.push(("standard error under load".to_owned(), ended.err.into_bytes()));

    written.extend(over_tls(database, format).await);
    files(folder.path(), &mut written);
    let rows = everything_stored(database).await;
    const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1,keyid=YmlyZA$";
    for at_least in [ADDRESS, HASH, "user.registered", "unsupported_media_type", "throttled"] {
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

/// Which secret was in a breach.
const BREACHED: &str = "was in a breach";

/// How often one name may be tried.
const OFTEN: &str = "rates.account=5/h";

const SERVED: [&str; 7] = [
    "standard@/standard",
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
        ])
        .with(&["--set", OFTEN, "--set", "proof.demand=always", "--set", "proof.difficulty=300"]);
    SERVED.iter().fold(serve, |serve, contract| serve.with(&["--contract", contract]))
}

/// A pepper that is a secret, too, outside of the folder that is searched.
fn pepper_file() -> Folder {
    let folder = Folder::new();
    let line = format!("bird {}", STANDARD.encode(secret("a pepper that is long enough")));
    std::fs::write(folder.path().join("pepper"), line).expect("the folder can be written");
    folder
}

/// A filter of breached passwords that holds a secret, outside of that folder, too.
fn breached_file() -> Folder {
    let folder = Folder::new();
    let (list, filter) = (folder.path().join("list"), folder.path().join("filter"));
    std::fs::write(&list, format!("{}:1\r\n", sha1(BREACHED).to_uppercase()))
        .expect("the folder can be written");
    let arguments = [list, filter].map(|path| path.display().to_string());
    let made = Vestibule::new(&["breach", "build", &arguments[0], "--to", &arguments[1]]).run();
    assert_eq!(made.code, Some(0), "{}", made.err);
    folder
}

fn setting(name: &str, folder: &Folder, file: &str) -> String {
    format!("{name}={}", folder.path().join(file).display())
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
        let request = with(&post("/express/user/register", &body), "idempotency-key", &secret("key"));
        replies.push(server.connect().await.ask(&request).await);
    }
    assert_eq!(replies[replies.len() - 3].body, replies[replies.len() - 2].body, "it was repeated");
    replies.extend(with_proof(server).await);
    let often = replies.len();
    for request in too_many() {
        replies.push(server.connect().await.ask(&with_secret_headers(&request)).await);
    }
    let often: Vec<u16> = replies[often..].iter().map(|reply| reply.status).collect();
    assert_eq!(often, [200, 409, 409, 409, 409, 429]);
    let codes = ["proof_malformed", "proof_forged", "proof_missing", "proof_spent", "personal", "breached"];
    for code in codes.map(|code| format!(r#""code":"{code}""#)) {
        assert!(replies.iter().any(|reply| reply.body.contains(&code)), "{code}");
    }
    replies
}

/// A sign-up with a solved challenge, and another one with the same.
async fn with_proof(server: &Server) -> Vec<Reply> {
    let path = requests::STANDARD;
    let ask = with_secret_headers(&get(&format!("{path}/challenge?token={}", secret("challenge"))));
    let mut replies = vec![server.connect().await.ask(&ask).await];
    let proof = solved(&replies[0].json());
    for name in ["standard", "spent"] {
        let request = post(path, &sign_up_standard(name, &secret(name), "Vink", &proof));
        replies.push(server.connect().await.ask(&with_secret_headers(&request)).await);
    }
    assert_eq!(replies.iter().map(|reply| reply.status).collect::<Vec<_>>(), [200, 201, 422]);
    replies
}

/// The address of a listener beside the main one, by what the log says of it.
fn beside(server: &Server, what: &str) -> SocketAddr {
    let line = server.wait_for_log(what);
    let start = line.find("127.0.0.1:").expect("an address") + "127.0.0.1:".len();
    let port: String = line[start..].chars().take_while(char::is_ascii_digit).collect();
    SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")))
}

async fn metrics(server: &Server) -> String {
    let address = beside(server, "GET /metrics is served");
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

/// The same over TLS and HTTP/2, whose library has a log of its own; and without TLS where it is asked for.
async fn over_tls(database: &Database, format: &str) -> Written {
    let (pair, mut written) = (Pair::new(), Written::new());
    let serve = Vestibule::serve(database)
        .file("certificate.pem", &pair.certificate)
        .file("key.pem", &pair.key)
        .env("VESTIBULE_TOKEN_SECRET", &secret("a token secret that is long enough"))
        .with(&["--set", "tls.certificate=certificate.pem", "--set", "tls.key=key.pem", "--contract", "knex"])
        .with(&["--set", "tls.redirect_listen=127.0.0.1:0", "--set", "base_url=https://accounts.example.com"])
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
    let (redirecting, mut reached) = (beside(&server, "redirecting to HTTPS"), BTreeSet::new());
    for request in in_the_clear() {
        reached.insert(Client::connect(redirecting).await.ask(&with_secret_headers(&request)).await.status);
    }
    assert_eq!(reached, BTreeSet::from([308, 400, 431]));
    files(&server.folder(), &mut written);
    let (ended, _) = server.stop();
    written.push(("standard output".to_owned(), ended.out.into_bytes()));
    written.push(("standard error over TLS".to_owned(), ended.err.into_bytes()));
    // The test has put the key there itself; it must not come to the log.
    written.retain(|(name, _)| !name.ends_with(".pem"));
    let key = pair.key.lines().nth(1).expect("a line of the key");
    assert!(
        written.iter().all(|(_, bytes)| !String::from_utf8_lossy(bytes).contains(key)),
        "the key was written"
    );
    written
}
