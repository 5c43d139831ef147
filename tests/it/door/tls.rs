//! TLS: which versions, which certificate, and what is said about both.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::client::{Client, get, post};
use crate::harness::database::Database;
use crate::harness::process::{GUARD, Server, Vestibule};
use crate::harness::tls::{Pair, TlsStream};

const FILES: [&str; 4] = ["--set", "tls.certificate=certificate.pem", "--set", "tls.key=key.pem"];

/// A run with this certificate.
pub(super) fn serving(database: &Database, pair: &Pair) -> Vestibule {
    Vestibule::serve(database)
        .with(&["--contract", "knex", "--set", "passwords.deadline=100s"])
        .with(&FILES)
        .file("certificate.pem", &pair.certificate)
        .file("key.pem", &pair.key)
}

fn serve(pair: &Pair) -> Server {
    serving(&Database::sqlite(), pair).start()
}

async fn client(server: &Server, pair: &Pair) -> Client<TlsStream<TcpStream>> {
    Client::over(pair.connect(server.address, &["http/1.1"]).await.expect("a handshake"))
}

async fn is_trusted(server: &Server, pair: &Pair) -> bool {
    pair.connect(server.address, &[]).await.is_ok()
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http_are_spoken() {
    let pair = Pair::new();
    let server = serve(&pair);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for (offered, agreed) in
            [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)]
        {
            let stream = pair.connect_with(server.address, offered, &[version]).await.expect("a handshake");
            let found = stream.get_ref().1.alpn_protocol();
            assert_eq!(found, agreed.map(str::as_bytes));
            if agreed != Some("h2") {
                assert_eq!(Client::over(stream).ask(&get("/healthz")).await.status, 200);
            }
        }
    }
}

#[tokio::test]
async fn h4_every_answer_on_tls_says_so_to_browsers() {
    let (pair, database) = (Pair::new(), Database::sqlite());
    let server = serving(&database, &pair).start();
    let mut client = client(&server, &pair).await;
    let sign_up = post("/users", r#"{"email":"jane@example.com","password":"a long password"}"#);
    for (request, status) in [
        (sign_up, 200),
        (get("/nowhere"), 404),
        (get("/users"), 405),
        (get("/docs"), 200),
        (get("/readyz"), 200),
    ] {
        let reply = client.ask(&request).await;
        assert_eq!((reply.status, reply.header("strict-transport-security")), (status, "max-age=31536000"));
    }
    assert!(server.announcement().contains("https://127.0.0.1"), "{}", server.announcement());
    let plain = Vestibule::serve(&Database::sqlite()).start();
    assert_eq!(plain.connect().await.ask(&get("/healthz")).await.header("strict-transport-security"), "");
}

/// The first bytes of a client that speaks up to `version` (0x0302 is TLS 1.1) and knows ciphers in CBC mode only.
fn old_hello(version: u16) -> Vec<u8> {
    // P-256; RSA and ECDSA with SHA-256.
    let extensions = [&[0, 10, 0, 4, 0, 2, 0, 23][..], &[0, 13, 0, 6, 0, 4, 4, 1, 4, 3]].concat();
    let body = [
        &version.to_be_bytes()[..],
        &[7; 32],
        &[0, 0, 6, 0xc0, 0x09, 0xc0, 0x13, 0, 0x2f, 1, 0],
        &(extensions.len() as u16).to_be_bytes(),
        &extensions,
    ]
    .concat();
    let length = body.len() as u8;
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], &body[..]].concat()
}

#[tokio::test]
async fn tls_1_1_and_weak_ciphers_are_refused() {
    let server = serve(&Pair::new());
    // Alerts of RFC 8446, section 6.2: protocol_version and handshake_failure.
    for (version, alert) in [(0x0302, 70), (0x0303, 40)] {
        let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
        stream.write_all(&old_hello(version)).await.expect("the server reads");
        let mut said = Vec::new();
        tokio::time::timeout(GUARD, stream.read_to_end(&mut said)).await.expect("an end").expect("no reset");
        assert_eq!(said, [21, 3, 3, 0, 2, 2, alert], "{version:x}");
    }
}

#[tokio::test]
async fn the_server_chooses_the_suite() {
    let pair = Pair::new();
    let server = serve(&pair);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut chosen = Vec::new();
        for reversed in [false, true] {
            let mut provider = rustls::crypto::aws_lc_rs::default_provider();
            if reversed {
                provider.cipher_suites.reverse();
            }
            let stream =
                pair.connect_as(server.address, &[], &[version], provider).await.expect("a handshake");
            chosen.push(stream.get_ref().1.negotiated_cipher_suite().expect("a suite").suite());
        }
        assert_eq!(chosen[0], chosen[1], "{version:?}");
    }
}

#[tokio::test]
async fn what_is_not_tls_is_closed_without_a_word_of_http() {
    let server = serve(&Pair::new());
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.write_all(&get("/healthz")).await.expect("the server reads");
    let mut said = Vec::new();
    let _ = tokio::time::timeout(GUARD, stream.read_to_end(&mut said)).await.expect("an end in time");
    assert!(!String::from_utf8_lossy(&said).contains("HTTP"), "{said:?}");
}

#[tokio::test]
async fn h1_a_client_that_does_not_finish_its_handshake_is_cut() {
    let pair = Pair::new();
    let server = serving(&Database::sqlite(), &pair).with(&["--set", "limits.header_timeout=50ms"]).start();
    for hello in [Vec::new(), old_hello(0x0303)[..20].to_vec()] {
        let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
        stream.write_all(&hello).await.expect("the server reads");
        assert!(Client::over(stream).is_closed().await);
    }
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_without_a_restart() {
    let (old, new) = (Pair::new(), Pair::new());
    let server = serve(&old);
    assert!(is_trusted(&server, &old).await && !is_trusted(&server, &new).await);
    let mut early = client(&server, &old).await;
    new.write(&server.folder());
    server.signal("HUP");
    server.wait_for_log("the certificate was read again");
    assert!(is_trusted(&server, &new).await && !is_trusted(&server, &old).await);
    assert_eq!(early.ask(&get("/healthz")).await.status, 200, "connections stay");
    // One that is no good changes nothing.
    std::fs::write(server.folder().join("key.pem"), &old.key).expect("the folder can be written");
    server.signal("HUP");
    server.wait_for_log("the new certificate is of no use; the old one stays");
    assert!(is_trusted(&server, &new).await);
    assert_eq!(server.stop().0.code, Some(0));
}

#[tokio::test]
async fn a_changed_file_is_noticed_without_a_signal() {
    let (old, new) = (Pair::new(), Pair::new());
    let server = serve(&old);
    assert!(is_trusted(&server, &old).await);
    new.write(&server.folder());
    server.wait_for_log("the certificate was read again");
    assert!(is_trusted(&server, &new).await);
}

#[tokio::test]
async fn plain_http_is_sent_to_the_configured_address() {
    let pair = Pair::new();
    let server = serving(&Database::sqlite(), &pair)
        .with(&["--set", "tls.redirect_listen=127.0.0.1:0", "--set", "base_url=https://accounts.example.com"])
        .start();
    let line = server.wait_for_log("\"message\":\"redirecting to HTTPS\"");
    let (_, rest) = line.split_once("\"bound\":\"").expect("an address");
    let address = rest[..rest.find('"').expect("its end")].parse().expect("an address");
    for (request, location) in [
        (get("/users?a=b"), "https://accounts.example.com/users?a=b"),
        (post("/users", "{}"), "https://accounts.example.com/users"),
        (
            b"GET http://evil.example/x HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_vec(),
            "https://accounts.example.com/x",
        ),
        (
            b"GET //evil.example HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_vec(),
            "https://accounts.example.com//evil.example",
        ),
    ] {
        let mut client = Client::connect(address).await;
        let reply = client.ask(&request).await;
        assert_eq!((reply.status, reply.header("location")), (308, location));
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert!(client.is_closed().await);
    }
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_at_start() {
    let (pair, other) = (Pair::new(), Pair::new());
    let refused = |certificate: &str, key: &str, more: &[&str]| {
        let run = Vestibule::serve(&Database::sqlite()).with(&FILES).with(more);
        let ended = run.file("certificate.pem", certificate).file("key.pem", key).run();
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        ended.err
    };
    for (certificate, key, told, at) in [
        (
            pair.certificate.as_str(),
            other.key.as_str(),
            "`tls.key` is not the key of the certificate in certificate.pem",
            "tls.key",
        ),
        (
            "nothing",
            &pair.key,
            "`tls.certificate` names the file certificate.pem, which holds no certificate in PEM form",
            "tls.certificate",
        ),
        (
            &pair.certificate,
            &pair.certificate,
            "`tls.key` names the file key.pem, which holds no private key in PEM form",
            "tls.key",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &pair.key,
            "`tls.certificate` names the file certificate.pem, which cannot be used",
            "tls.certificate",
        ),
    ] {
        let said = refused(certificate, key, &[]);
        assert!(
            said.contains(told) && said.contains(&format!("--> flag --set {at}")),
            "{told:?} is not in:\n{said}"
        );
    }
    let said = refused(&pair.certificate, &pair.key, &["--set", "tls.redirect_listen=127.0.0.1:0"]);
    assert!(said.contains("`base_url` does not say where") && said.contains("set `base_url`"), "{said}");
    let missing = Vestibule::serve(&Database::sqlite())
        .with(&["--set", "tls.certificate=nowhere.pem", "--set", "tls.key=/nowhere/key.pem"])
        .run();
    assert!(missing.err.contains("names the file nowhere.pem, which cannot be read"), "{}", missing.err);
    for (half, told) in [
        ("certificate", "`tls.certificate` is of no use without its key"),
        ("key", "`tls.key` is of no use without"),
    ] {
        let run = Vestibule::serve(&Database::sqlite()).with(&["--set", &format!("tls.{half}=x.pem")]);
        let said = run.with(&["--set", "tls.redirect_listen=127.0.0.1:0"]).run().err;
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn an_old_certificate_is_warned_about() {
    let until = |year| Pair::with(|params| params.not_after = rcgen::date_time_ymd(year, 1, 1));
    let log = |pair: &Pair| serve(pair).stop().0.err;
    assert!(log(&until(2020)).contains("certificate.pem expired at 2020-01-01T00:00:00Z"));
    assert!(!log(&until(2090)).contains("expire"));
    let soon = vestibule::clock::Clock::system().now() + jiff::SignedDuration::from_hours(10 * 24 + 1);
    let soon = Pair::with(|params| {
        params.not_after =
            rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(soon.as_second() as u64);
    });
    assert!(log(&soon).contains(", in 10 days"));
}
