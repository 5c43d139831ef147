//! Every contract and every outcome as a whole HTTP exchange: `contracts/examples/<contract>/<case>.http`.
//!
//! A file holds requests and the answers to them, in turn, between lines of `---`. Lines that begin with `#` at its
//! top say what it shows; `# given: the store is closed`, `# given: the hash pool has stopped`, `# given: too many
//! tries have come` and `# given: sign-up is closed` make trouble first.
//! Each file runs against a server and a database of its own, on SQLite and on PostgreSQL, and must come out byte for
//! byte (the `date` header aside). `VESTIBULE_BLESS=1 scripts/test goldens` writes what the server answers now.
//! `VESTIBULE_GOLDENS=express` runs those of one contract only.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vestibule::config::{Rate, Rates};
use vestibule::contract::{self, Contract};
use vestibule::throttle::Throttle;

use crate::harness::database::Database;
use crate::harness::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanges_on_sqlite() {
    let mut differences = Vec::new();
    for golden in all() {
        differences.extend(golden.run(Database::sqlite(), bless()).await);
    }
    report(&differences);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanges_on_postgresql() {
    let mut differences = Vec::new();
    for golden in all() {
        differences.extend(golden.run(Database::postgres().await, false).await);
    }
    if !bless() {
        report(&differences);
    }
}

/// A contract without an example of some outcome, and an example without a contract, are stale.
#[test]
fn every_outcome_has_an_example() {
    let mut missing = Vec::new();
    for (name, contract) in contracts() {
        for outcome in contract.outcomes() {
            let folder = examples().join(&name);
            let files = fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut stems =
                files.filter_map(|f| f.path().file_stem().map(|s| s.to_string_lossy().into_owned()));
            if !stems.any(|stem| stem == outcome.name() || stem.starts_with(&format!("{}-", outcome.name())))
            {
                missing.push(format!("{}/{outcome}.http", folder.display()));
            }
        }
    }
    assert!(missing.is_empty(), "examples are missing:\n{}", missing.join("\n"));
    let known: Vec<String> = contracts().into_iter().map(|(name, _)| name).collect();
    for folder in fs::read_dir(examples()).expect("contracts/examples").flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        assert!(known.contains(&name), "contracts/examples/{name} belongs to no contract");
    }
}

pub(crate) fn bless() -> bool {
    std::env::var_os("VESTIBULE_BLESS").is_some()
}

fn report(differences: &[String]) {
    let hint = "VESTIBULE_BLESS=1 scripts/test goldens accepts what the server answers now";
    assert!(differences.is_empty(), "{}\n{hint}", differences.join("\n\n"));
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts/examples")
}

/// Every contract of the repository by name.
pub(crate) fn contracts() -> Vec<(String, Contract)> {
    contract_files().into_iter().map(|path| (stem(&path), load(&path))).collect()
}

/// Every contract file of the repository.
pub(crate) fn contract_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts");
    let files =
        [folder.clone(), folder.join("wild")].into_iter().filter_map(|f| fs::read_dir(f).ok()).flatten();
    let mut paths: Vec<PathBuf> = files.flatten().map(|f| f.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    paths
}

/// Every answer in the examples of a contract, with the name of its file.
pub(crate) fn answers(contract: &str) -> Vec<(String, String)> {
    let files = fs::read_dir(examples().join(contract)).into_iter().flatten().flatten();
    let answers = files.flat_map(|file| {
        let text = fs::read_to_string(file.path()).expect("an example");
        let name = file.path().display().to_string();
        let (_, blocks) = parse(&text);
        blocks.into_iter().skip(1).step_by(2).map(move |answer| (name.clone(), answer))
    });
    answers.collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a file has a name").to_string_lossy().into_owned()
}

fn load(path: &Path) -> Contract {
    let text = fs::read_to_string(path).expect("a contract file");
    let loaded = contract::load(&text);
    let shown = contract::render(&path.display().to_string(), &text, &loaded.complaints, false);
    loaded.contract.unwrap_or_else(|| panic!("{shown}"))
}

/// One file of exchanges, and the contract file that it is about.
struct Golden {
    contract: PathBuf,
    path: PathBuf,
}

fn all() -> Vec<Golden> {
    let mut out = Vec::new();
    let only = std::env::var("VESTIBULE_GOLDENS").ok();
    for contract in contract_files() {
        if only.as_ref().is_some_and(|only| *only != stem(&contract)) {
            continue;
        }
        let folder = fs::read_dir(examples().join(stem(&contract))).into_iter().flatten().flatten();
        out.extend(folder.map(|file| Golden { contract: contract.clone(), path: file.path() }));
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    out
}

impl Golden {
    async fn run(&self, database: Database, bless: bool) -> Option<String> {
        let text = fs::read_to_string(&self.path).expect("an example");
        let (comment, blocks) = parse(&text);
        let name = stem(&self.contract);
        let server = Server::with(&name, load(&self.contract), database.open().await, |app| {
            app.closed = comment.contains("given: sign-up is closed");
            if comment.contains("given: too many tries have come") {
                app.throttle = spent(&name);
            }
        });
        let server = server.await;
        if comment.contains("given: the store is closed") {
            server.app.store.clone().close().await;
        }
        if comment.contains("given: the hash pool has stopped") {
            server.app.passwords.close();
        }
        let mut out = comment.clone();
        for (i, request) in blocks.iter().step_by(2).enumerate() {
            let answer = server.exchange(&wire(request)).await;
            let break_before = if i > 0 { "\n---\n" } else { "" };
            out.push_str(&format!("{break_before}{request}\n---\n{}", readable(&answer)));
        }
        out.push('\n');
        drop(server);
        database.remove().await;
        if bless {
            fs::write(&self.path, &out).expect("the example can be written");
            return None;
        }
        (out != text).then(|| format!("{} differs; expected:\n{text}\nanswered:\n{out}", self.path.display()))
    }
}

/// A limit of one try in an hour, which somebody has just used up.
fn spent(contract: &str) -> Throttle {
    let total = Some(Rate { count: 1, per: Duration::from_secs(3600), burst: 1 });
    let throttle =
        Throttle::new(&Rates { network: None, site: None, account: None, total, keys: 1, shared: false });
    let _ = throttle.arrival(contract, None, Duration::ZERO).expect("the one try");
    throttle
}

/// The comment at the top, and the blocks between lines of `---`.
fn parse(text: &str) -> (String, Vec<String>) {
    let comment: String = text.lines().take_while(|l| l.starts_with('#')).map(|l| format!("{l}\n")).collect();
    let blocks =
        text[comment.len()..].split("\n---\n").map(|b| b.trim_end_matches('\n').to_owned()).collect();
    (comment, blocks)
}

/// A request as it goes over the wire; what every client adds by itself is added here.
pub(crate) fn wire(request: &str) -> Vec<u8> {
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let has = |name: &str| head.lines().any(|l| l.to_ascii_lowercase().starts_with(name));
    let mut out = String::new();
    for line in head.lines() {
        out.push_str(line);
        out.push_str("\r\n");
    }
    out.push_str("host: accounts.example.com\r\nconnection: close\r\n");
    let body = if has("content-type: multipart") { body.replace('\n', "\r\n") } else { body.to_owned() };
    if !has("content-length:") && !body.is_empty() {
        out.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    out.push_str("\r\n");
    out.push_str(&body);
    out.into_bytes()
}

/// An answer as it stands in a file.
fn readable(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let head: Vec<&str> =
        head.lines().filter(|l| !l.starts_with("date: ") && *l != "connection: close").collect();
    let gap = if body.is_empty() { "" } else { "\n\n" };
    format!("{}{gap}{body}", head.join("\n"))
}
