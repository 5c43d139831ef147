//! The token secret, and that no secret is found anywhere afterwards.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::assert_whole;
use crate::harness::client::{Client, Reply, post, post_as};
use crate::harness::database::Database;
use crate::harness::folder::Folder;
use crate::harness::process::{Server, Vestibule};
use crate::harness::tls::Pair;

on_both! {
    a_generated_secret_is_kept_private_and_used_again
    given_secrets_sign
    files_of_secrets_that_others_can_use_are_named_at_start
    nothing_that_is_written_holds_a_secret
}

async fn token(server: &Server, number: usize) -> String {
    let body =
        format!(r#"{{"firstname":"Jane","email":"jane{number}@example.com","password":"supersecret"}}"#);
    let reply = server.connect().await.ask(&post("/express/user/register", &body)).await;
    reply.json()["token"].as_str().expect("a token").to_owned()
}

fn is_signed_with(secret: &[u8], token: &str) -> bool {
    let rules = Validation::new(Algorithm::HS256);
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_secret(secret), &rules).is_ok()
}

async fn a_generated_secret_is_kept_private_and_used_again(database: &Database) {
    let server = Vestibule::serve(database).start();
    let file = server.secret_file(database);
    let secret = std::fs::read_to_string(&file).expect("it was kept");
    assert_eq!(secret.trim_end().len(), 64, "32 random bytes in hexadecimal digits");
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o7777, 0o600);
    let before = token(&server, 1).await;
    let (ended, folder) = server.stop();
    let log = ended.err;
    let level = |text: &str| {
        let line =
            log.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text:?} in:\n{log}"));
        serde_json::from_str::<Value>(line).expect("JSON")["level"].clone()
    };
    assert_eq!(level("no token secret was configured"), "WARN");
    assert_eq!(level("its tables were created"), "INFO");
    assert!(!log.contains(secret.trim()), "{log}");

    let server = Vestibule::serve(database).inside(folder).start();
    assert_eq!(std::fs::read_to_string(&file).expect("it is still there"), secret);
    for token in [before, token(&server, 2).await] {
        assert!(is_signed_with(secret.trim().as_bytes(), &token));
        assert!(!is_signed_with(b"some other secret of thirty-two bytes", &token));
    }
    let (ended, folder) = server.stop();
    assert!(!ended.err.contains("token secret") && !ended.err.contains("were created"), "{}", ended.err);

    // A kept secret that was cut short is not replaced in silence.
    std::fs::write(&file, "short").expect("the file can be written");
    let refused = Vestibule::serve(database).inside(folder).run();
    assert_eq!(refused.code, Some(3), "{}", refused.err);
    assert!(refused.err.contains("shorter than 32 bytes"), "{}", refused.err);
}

async fn given_secrets_sign(database: &Database) {
    let (by_value, by_file) = ("a secret of exactly 32 bytes ...", "another one, from a file, longer ...");
    let server = Vestibule::serve(database).env("VESTIBULE_TOKEN_SECRET", by_value).start();
    assert!(is_signed_with(by_value.as_bytes(), &token(&server, 1).await));
    let folder = server.folder();
    assert!(!folder.join("vestibule.token-secret").exists());
    let (ended, folder) = server.stop();
    assert!(!ended.err.contains("token secret"), "{}", ended.err);
    let server = Vestibule::serve(database)
        .inside(folder)
        .file("key", &format!("{by_file}\n"))
        .env("VESTIBULE_TOKEN_SECRET_FILE", "key")
        .start();
    assert!(is_signed_with(by_file.as_bytes(), &token(&server, 2).await));
    server.stop();
    for (name, value) in
        [("VESTIBULE_TOKEN_SECRET", &by_value[..31]), ("VESTIBULE_TOKEN_SECRET_FILE", "short")]
    {
        let refused = Vestibule::serve(database).file("short", &by_file[..31]).env(name, value).run();
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(refused.err.contains("at least 32 bytes; this one has 31"), "{}", refused.err);
        assert!(
            !refused.err.contains(&by_value[..20]) && !refused.err.contains(&by_file[..20]),
            "{}",
            refused.err
        );
    }
}

/// What is said at the start about each of these files when it has these rights.
fn told_about(files: &[(PathBuf, u32)], run: Vestibule) -> (Vec<String>, Folder) {
    for (file, mode) in files {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(*mode)).expect("a file of ours");
    }
    let (ended, folder) = run.start().stop();
    let lines = ended.err.lines().filter(|line| line.contains("holds secrets"));
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let told = lines.inspect(|line| assert_eq!(line["level"], "WARN"));
    (told.map(|line| line["message"].as_str().expect("a text").to_owned()).collect(), folder)
}

async fn files_of_secrets_that_others_can_use_are_named_at_start(database: &Database) {
    let secret = "a secret of more than thirty-two bytes";
    let generated = {
        let server = Vestibule::serve(database).start();
        let file = server.secret_file(database);
        let text = std::fs::read_to_string(&file).expect("it was kept");
        (file, text)
    };
    let folder = Folder::new();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("the folder can be written");
        path
    };
    let pair = Pair::new();
    file("certificate.pem", &pair.certificate);
    let generated = match database {
        Database::Sqlite(_) => generated.0,
        // It lies in the working folder.
        Database::Postgres(_) => file("vestibule.token-secret", &generated.1),
    };
    let pepper = Vestibule::new(&["pepper", "new", "p"]).run().out;
    let account = file("acme/127.0.0.1_1_dir/account.json", "{}");
    let ours = file("acme/127.0.0.1_1_dir/certificate.pem", &format!("{}{}", pair.certificate, pair.key));
    let named =
        [file("key.pem", &pair.key), file("pepper", &pepper), file("app", secret), file("token", secret)];
    let [key, pepper, app, token] = named.clone();
    let config = file("vestibule.toml", &format!("token_secret = '{secret}'"));
    let shown = |path: &Path| path.display().to_string();
    let by_acme =
        ["acme.domains=a.example.com", "acme.accept_terms=true", "acme.directory=https://127.0.0.1:1/dir"];
    let by_acme = by_acme.map(str::to_owned).into_iter();
    let by_acme = by_acme.chain([format!("acme.folder={}", shown(&folder.path().join("acme")))]);
    let tls = [("certificate", folder.path().join("certificate.pem")), ("key", key.clone())];
    let tls = tls.map(|(name, path)| format!("tls.{name}={}", shown(&path))).into_iter();
    let token_file = [format!("token_secret_file={}", shown(&token))].into_iter();
    let others =
        [format!("secrets.app_file={}", shown(&app)), format!("passwords.pepper_file={}", shown(&pepper))];
    let by_file = vec!["--config".to_owned(), shown(&config)];
    let settings: [(Vec<&Path>, Vec<String>, Vec<String>); 3] = [
        (vec![&generated, &key, &pepper, &app], tls.collect(), Vec::new()),
        (vec![&token, &account, &ours, &pepper, &app], by_acme.chain(token_file).collect(), Vec::new()),
        (vec![&config, &pepper, &app], Vec::new(), by_file),
    ];
    let mut folder = Some(folder);
    for (files, settings, more) in settings {
        for mode in [0o600, 0o644] {
            let mut run = Vestibule::serve(database).inside(folder.take().expect("given back"));
            for setting in settings.iter().chain(&others) {
                run = run.with(&["--set", setting]);
            }
            run = run.with(&more.iter().map(String::as_str).collect::<Vec<_>>());
            let files: Vec<_> = files.iter().map(|file| (file.to_path_buf(), mode)).collect();
            let (told, back) = told_about(&files, run);
            folder = Some(back);
            let expected = |path: &Path| {
                let path = shown(path);
                format!("{path} holds secrets, and others can use it (mode 0644): chmod 600 {path}")
            };
            let expected: BTreeSet<_> = files.iter().map(|(file, _)| expected(file)).collect();
            let expected = if mode == 0o600 { BTreeSet::new() } else { expected };
            // A generated secret in the working folder is named as it is configured: not at all, by its name alone.
            let told: BTreeSet<_> = told.into_iter().map(|line| whole(&line, &generated)).collect();
            assert_eq!(told, expected);
        }
    }
}

/// The same line with the whole path of a file that was named by its name alone.
fn whole(line: &str, file: &Path) -> String {
    let name = file.file_name().expect("a name").to_string_lossy();
    match line.starts_with(&*name) {
        true => line.replace(&*name, &file.display().to_string()),
        false => line.to_owned(),
    }
}

/// Every secret in what follows holds this, and nothing else does. It has whatever the contracts ask of a password.
const CANARY: &str = "Kanarie!7";

fn canary(place: &str) -> String {
    format!("{CANARY}-{place}")
}

async fn nothing_that_is_written_holds_a_secret(database: &Database) {
    let server = Vestibule::serve(database)
        .env("VESTIBULE_TOKEN_SECRET", &format!("{}-long-enough-for-a-key", canary("token-secret")))
        .env("VESTIBULE_SECRETS_APP", &canary("app-secret"))
        .with(&["--set", "log.level=trace"])
        .start();
    let mut replies = Vec::new();
    for (request, reveals) in requests() {
        let reply = server.connect().await.ask(&with_secret_headers(&request)).await;
        assert_eq!(reply.body.contains(CANARY), reveals, "{}\n{reply:?}", String::from_utf8_lossy(&request));
        replies.push(reply);
    }
    let created = replies.iter().filter(|reply| reply.status < 300).count();
    assert_eq!(created, 5, "{replies:#?}");
    let statuses: BTreeSet<u16> =
        replies.iter().map(|reply| reply.status).filter(|status| *status >= 400).collect();
    assert_eq!(statuses, BTreeSet::from([400, 404, 405, 409, 413, 415]));

    // As it stands while the server runs: the write-ahead log still has everything.
    let mut written = vec![("a database dump".to_owned(), dump(database))];
    if let Database::Sqlite(folder) = database {
        collect(folder.path(), &mut written);
        assert!(
            written.iter().any(|(name, _)| name.ends_with("-wal")),
            "the write-ahead log was not looked at"
        );
    }
    collect(&server.folder(), &mut written);
    let hashed = b"$argon2id$v=19$m=19456,t=2,p=1$";
    assert!(written.iter().any(|(_, bytes)| holds(bytes, hashed)), "the accounts were not looked at");
    assert_whole(database, 5).await;
    let (ended, folder) = server.stop();
    assert_eq!(ended.err.matches(r#""message":"request""#).count(), replies.len());
    let log = ended.err.clone();
    written.extend([
        ("standard output".to_owned(), ended.out.into()),
        ("standard error".to_owned(), ended.err.into()),
    ]);
    if let Database::Sqlite(folder) = database {
        collect(folder.path(), &mut written);
    }
    collect(folder.path(), &mut written);
    for (place, bytes) in &written {
        for secret in secrets(&replies) {
            assert!(!holds(bytes, secret.as_bytes()), "{place} holds {secret}");
        }
    }
    assert!(!log.contains("argon2id$"), "a hash in the log:\n{log}");
}

/// Requests with a secret wherever one can be, and whether their reply may hold it: only where a contract says so.
fn requests() -> Vec<(Vec<u8>, bool)> {
    let p = |place: &str| canary(place);
    let (knex, flask, express) = ("/knex/users", "/flask/users", "/express/user/register");
    let (mongoose, envelope) = ("/mongoose/users", "/envelope/users");
    let knex_body = |password: &str| format!(r#"{{"email":"k@example.com","password":"{password}"}}"#);
    let envelope_body =
        |password: &str| format!(r#"{{"name":"E","email":"e@example.com","password":"{password}"}}"#);
    let large = format!(r#"{{"password":"{}{}"}}"#, p("large"), "x".repeat(70_000));
    vec![
        (post(knex, &knex_body(&p("knex"))), false),
        (post(knex, &knex_body(&p("taken"))), false),
        (post(flask, &format!(r#"{{"username":"flask","password":"{}"}}"#, p("flask"))), false),
        (
            post(
                express,
                &format!(r#"{{"firstname":"Jane","email":"x@example.com","password":"{}"}}"#, p("express")),
            ),
            false,
        ),
        (
            post(
                mongoose,
                &format!(r#"{{"name":"M","email":"m@example.com","password":"{}"}}"#, p("mongoose")),
            ),
            false,
        ),
        (post(envelope, &envelope_body(&p("envelope"))), false),
        // `rejected_password` is what this contract's file asks for.
        (
            post(
                envelope,
                &envelope_body(&format!(
                    "{CANARY} with\\u0000 a NUL and more than 1024 bytes {}",
                    "x".repeat(1100)
                )),
            ),
            true,
        ),
        (
            post(knex, &format!(r#"{{"email":"{} is no address","password":"{}"}}"#, "nobody", p("invalid"))),
            false,
        ),
        (post(knex, &format!(r#"{{"email":"t@example.com","password":["{}"]}}"#, p("typed"))), false),
        (post(knex, &format!(r#"{{"email":"t@example.com","password":{{"{}":1}}}}"#, p("keyed"))), false),
        (
            post(
                knex,
                &format!(r#"{{"email":"t@example.com","password":"{}{}"}}"#, p("long"), "x".repeat(1100)),
            ),
            false,
        ),
        (post(express, &format!(r#"{{"password":"{}"}}"#, p("only"))), false),
        (post(mongoose, &format!(r#"{{"password":"{}"}}"#, p("only"))), false),
        (post(flask, &format!(r#"{{"username":"","password":"{}"}}"#, p("empty"))), false),
        (post(knex, &format!(r#"{{"password":"{}""#, p("malformed"))), false),
        (post(knex, &format!(r#"{{"password":"{}","password":"{}"}}"#, p("twice"), p("again"))), false),
        (post(knex, &format!(r#""{}""#, p("text"))), false),
        (post_as("text/plain", knex, &p("type")), false),
        (post_as(&format!("text/plain; x={}", p("content-type")), knex, "{}"), false),
        (post(knex, &large), false),
        (post(&format!("/nowhere/{}", p("path")), "{}"), false),
        (post(&format!("{knex}?token={}", p("query")), "{}"), false),
        (format!("PUT {knex} HTTP/1.1\r\nhost: {}\r\n\r\n", p("host")).into_bytes(), false),
    ]
}

/// Credentials of which Vestibule knows nothing.
fn with_secret_headers(request: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(request.to_vec()).expect("text");
    let headers = format!(
        "\r\nauthorization: Bearer {}\r\ncookie: session={}\r\nx-api-key: {}\r\nuser-agent: {}\r\nx-request-id: {}\r\n",
        canary("bearer"),
        canary("cookie"),
        canary("api-key"),
        canary("agent"),
        canary("request-id")
    );
    text.replacen("\r\n", &headers, 1).into_bytes()
}

/// What nothing may hold: the canary, also in lower case, what was made of the passwords, and the tokens.
fn secrets(replies: &[Reply]) -> Vec<String> {
    let mut out = vec![CANARY.to_owned(), CANARY.to_lowercase(), CANARY.to_uppercase()];
    let accounts = ["knex", "flask", "express", "mongoose", "envelope"];
    out.extend(accounts.map(|place| vestibule::token::digest(&canary(place))));
    for reply in replies.iter().filter(|reply| reply.status < 300) {
        out.extend(reply.json()["token"].as_str().map(str::to_owned));
    }
    assert_eq!(out.len(), 3 + 5 + 2, "{out:?}");
    out
}

/// Every file of a folder.
fn collect(folder: &Path, out: &mut Vec<(String, Vec<u8>)>) {
    for file in std::fs::read_dir(folder).expect("a folder").flatten() {
        match file.path() {
            path if path.is_dir() => collect(&path, out),
            path => out.push((path.display().to_string(), std::fs::read(&path).expect("a file"))),
        }
    }
}

/// All that the database holds, as text.
fn dump(database: &Database) -> Vec<u8> {
    match database {
        Database::Sqlite(_) => Vec::new(),
        Database::Postgres(postgres) => {
            let dump =
                Command::new("pg_dump").args(["--inserts", &postgres.url]).output().expect("pg_dump runs");
            assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
            dump.stdout
        }
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// The search finds what is there: without this, a broken search would find nothing everywhere.
#[test]
fn the_search_finds() {
    assert!(holds(b"..Kanarie!7-knex..", CANARY.as_bytes()) && !holds(b"Kanarie!", CANARY.as_bytes()));
}

/// The one word that shows a refused password, and the one that shows what was made of an accepted one.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_contract_reveals_is_in_the_reply_alone() {
    let server = Vestibule::serve(&Database::sqlite()).with(&["--contract", "envelope"]).start();
    let mut client: Client = server.connect().await;
    let weak = r#"{"name":"E","email":"e@example.com","password":"kanarie-in-lower-case"}"#;
    let reply = client.ask(&post("/users", weak)).await;
    assert_eq!(reply.json()["errors"][0]["value"], "kanarie-in-lower-case");
    let log = server.stop().0.err;
    assert!(!log.contains("kanarie"), "{log}");
    for words in ["SHA-256 of the password is sent to its owner", "a refused password is sent back"] {
        let warned = log.lines().any(|line| line.contains("WARN") && line.contains(words));
        assert!(warned, "nobody was warned: {words}\n{log}");
    }
}

/// Who else is on this machine can read command lines, but not the environment.
#[tokio::test]
async fn a_password_on_the_command_line_is_warned_about() {
    let database = Database::postgres().await;
    let url = database.url().replacen('@', ":s3cret@", 1);
    let warned = |server: Server| {
        let log = server.stop().0.err;
        assert!(!log.contains("s3cret"), "{log}");
        log.contains("--database holds a password")
    };
    let serve = || Vestibule::new(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(warned(serve().with(&["--database", &url]).start()));
    assert!(!warned(serve().env("VESTIBULE_DATABASE", &url).start()));
    assert!(!warned(Vestibule::serve(&database).start()));
    database.remove().await;
}
