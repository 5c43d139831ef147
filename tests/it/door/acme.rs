//! Certificates by ACME, from a real authority.

mod handshakes;
mod renewal;
mod together;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::harness::client::{Client, get};
use crate::harness::folder::Folder;
use crate::harness::pebble::Pebble;
use crate::harness::process::{GUARD, Server, Vestibule};
use crate::harness::tls::{Pair, connect_to_anybody};

const OBTAINED: &str = "a certificate was obtained";
const FAILED: &str = "no certificate was obtained";
const ORDERING: &str = "ordering a certificate";
const TAKEN_UP: &str = "the certificate was read again";

/// A server that asks this authority, and keeps what it gets in `state`.
fn serving(pebble: &Pebble, state: &Folder, challenge: &str) -> Vestibule {
    serving_but(pebble, state, &format!("acme.challenge={challenge}"))
}

/// The same with one setting changed or added.
fn serving_but(pebble: &Pebble, state: &Folder, change: &str) -> Vestibule {
    let at = |port: u16| format!("{}:{port}", pebble.address);
    let state = state.path().display();
    let mut run = Vestibule::new(&["serve", "--listen", &at(5001), "--contract", "knex"])
        .with(&["--database", "sqlite://vestibule.db"])
        .file("ca.pem", &pebble.ca());
    let settings = [
        format!("acme.folder={state}"),
        format!("acme.directory=https://{}/dir", at(14000)),
        format!("tls.redirect_listen={}", at(5002)),
        "acme.domains=a.example.com,b.example.com".to_owned(),
        "acme.accept_terms=true".to_owned(),
        "acme.ca=ca.pem".to_owned(),
        "base_url=https://a.example.com".to_owned(),
    ];
    let key = change.split_inclusive('=').next().expect("a key");
    let kept = settings.iter().filter(|setting| !setting.starts_with(key)).map(String::as_str);
    for setting in kept.chain([change]) {
        run = run.with(&["--set", setting]);
    }
    run
}

/// Asks again and again until it holds: certificates come and go meanwhile.
async fn until(holds: impl AsyncFn() -> bool) {
    let asking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(GUARD, asking).await.expect("it holds in time");
}

fn only_the_owner_may_look_into(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let rights = entry.metadata().expect("a file").permissions().mode() & 0o777;
        let is_folder = entry.path().is_dir();
        assert_eq!(rights, if is_folder { 0o700 } else { 0o600 }, "{}", entry.path().display());
        if is_folder {
            only_the_owner_may_look_into(&entry.path());
        }
    }
}

#[tokio::test]
async fn both_challenges_get_a_certificate_that_is_renewed() {
    for challenge in ["http-01", "tls-alpn-01"] {
        let (mut pebble, state) = (Pebble::new(9), Folder::new());
        pebble.start();
        let server = serving(&pebble, &state, challenge).start();
        server.wait_for_log(OBTAINED);
        only_the_owner_may_look_into(state.path());
        server.wait_for_log(TAKEN_UP);
        let first = served(&server).await;
        let before = server.log_so_far().matches(OBTAINED).count();
        server.wait_for_logs(OBTAINED, before + 1);
        // It is taken up, and what the authority has seen is needed by nobody any more.
        let challenges = inside(&pebble, &state, "challenges");
        let is_renewed = async || {
            let second = served(&server).await;
            let left = std::fs::read_dir(&challenges).expect("a folder").count();
            second != first && second == leaf(&certificate(&pebble, &state)) && left == 0
        };
        until(is_renewed).await;
        assert_eq!(server.stop().0.code, Some(0));
    }
}

#[test]
fn other_names_need_another_certificate() {
    let (mut pebble, state) = (Pebble::new(86_400), Folder::new());
    pebble.start();
    let one = serving(&pebble, &state, "tls-alpn-01").start();
    one.wait_for_log(OBTAINED);
    one.stop();
    let before = certificate(&pebble, &state);
    let more = "acme.domains=a.example.com,b.example.com,c.example.com";
    let other = serving_but(&pebble, &state, more).start();
    other.wait_for_log(OBTAINED);
    assert_ne!(certificate(&pebble, &state), before);
}

#[test]
fn an_authority_that_is_down_is_asked_again_after_pauses_that_double() {
    let (pebble, state) = (Pebble::new(1), Folder::new());
    let server = serving(&pebble, &state, "tls-alpn-01").start();
    server.wait_for_logs(FAILED, 3);
    let failed = moments(&server.stop().0.err, FAILED);
    for (pair, least) in failed.windows(2).zip([2, 4]) {
        let pause = pair[1].duration_since(pair[0]).as_secs_f64();
        assert!(pause >= f64::from(least), "after {pause} s already: {failed:?}");
    }
}

#[tokio::test]
async fn a_certificate_in_the_folder_is_served_without_an_authority() {
    let (mut pebble, state) = (Pebble::new(86_400), Folder::new());
    pebble.start();
    let server = serving(&pebble, &state, "tls-alpn-01").start();
    server.wait_for_log(OBTAINED);
    server.stop();
    pebble.stop();
    let server = serving(&pebble, &state, "tls-alpn-01").start();
    // It is for the configured names, which our client does not ask for; before it looks at them it trusts the chain.
    let said = handshake(&server, &certificate(&pebble, &state), "http/1.1").await;
    assert!(said.contains("not valid for name"), "{said}");
    // Who asks as an authority does is not shown it.
    let said = handshake(&server, &certificate(&pebble, &state), "acme-tls/1").await;
    assert!(said.contains("alert"), "{said}");
    let log = server.stop().0.err;
    assert!(!log.contains(ORDERING), "{log}");
}

#[tokio::test]
async fn an_authority_that_is_down_or_not_trusted_does_not_end_the_server() {
    let (mut pebble, state) = (Pebble::new(86_400), Folder::new());
    let server = serving(&pebble, &state, "http-01").start();
    server.wait_for_log(FAILED);
    let said = handshake(&server, &pebble.ca(), "http/1.1").await;
    assert!(said.contains("alert"), "{said}");
    for path in ["x", "../../lock", "..%2flock", ""] {
        let mut client = Client::connect((pebble.address, 5002).into()).await;
        let request = get(&format!("/.well-known/acme-challenge/{path}"));
        assert_eq!(client.ask(&request).await.status, 404, "{path}");
    }
    pebble.start();
    server.wait_for_log(OBTAINED);
    server.stop();
    let (stranger, empty) = (Pebble::new(1).ca(), Folder::new());
    let server = serving(&pebble, &empty, "http-01").file("ca.pem", &stranger).start();
    server.wait_for_log("invalid peer certificate");
    assert_eq!(server.stop().0.code, Some(0));
}

#[test]
fn settings_that_cannot_work_are_refused_at_start() {
    for (change, told) in [
        ("acme.accept_terms=false", "`acme.accept_terms` must be true"),
        ("tls.certificate=x.pem", "`acme.domains` asks for a certificate, but one is given"),
        ("acme.domains=*.example.com", "no address and no wildcard"),
        ("acme.directory=http://ca.example/", "`acme.directory` must be an address like"),
        ("acme.ca=nowhere.pem", "`acme.ca` names the file nowhere.pem, which cannot be read"),
    ] {
        let state = Folder::new();
        let ended = serving_but(&Pebble::new(1), &state, change).run();
        assert!(ended.code == Some(2) && ended.err.contains(told), "{told:?} is not in:\n{}", ended.err);
    }
    let bare = ["serve", "--set", "acme.domains=a.example.com", "--set", "acme.challenge=http-01"];
    let said = Vestibule::new(&bare).run().err;
    for told in
        ["`acme.folder` is missing", "`acme.challenge` is http-01, but nothing", "`acme.accept_terms`"]
    {
        assert!(said.contains(told), "{told:?} is not in:\n{said}");
    }
}

/// A file of the folder in which everything about this authority lies.
fn inside(pebble: &Pebble, state: &Folder, name: &str) -> PathBuf {
    state.path().join(format!("{}_14000_dir", pebble.address)).join(name)
}

fn certificate(pebble: &Pebble, state: &Folder) -> String {
    std::fs::read_to_string(inside(pebble, state, "certificate.pem")).expect("the certificate")
}

/// The first certificate of a chain.
fn leaf(chain: &str) -> CertificateDer<'static> {
    CertificateDer::pem_slice_iter(chain.as_bytes()).next().expect("a certificate").expect("PEM")
}

/// The certificate that a client is shown.
async fn served(server: &Server) -> CertificateDer<'static> {
    let name = "a.example.com";
    let stream = connect_to_anybody(server.address, name, &["http/1.1"], &rustls::version::TLS13).await;
    let stream = stream.expect("a handshake");
    stream.get_ref().1.peer_certificates().expect("a certificate")[0].clone().into_owned()
}

/// When this was logged.
fn moments(log: &str, message: &str) -> Vec<Timestamp> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| line["message"] == message);
    lines.map(|line| line["timestamp"].as_str().expect("a text").parse().expect("a time")).collect()
}

/// Why a handshake fails for who trusts the last certificate in `chain`.
async fn handshake(server: &Server, chain: &str, protocol: &str) -> String {
    let last = chain.rfind("-----BEGIN CERTIFICATE").expect("a certificate");
    let pair = Pair { certificate: chain[last..].to_owned(), key: String::new() };
    pair.connect(server.address, &[protocol]).await.expect_err("no handshake").to_string()
}
