//! Who sees what while a challenge of tls-alpn-01 is open (RFC 8737): the authority its certificate and nothing else,
//! everybody else the ordinary one.

use rcgen::{CustomExtension, KeyPair};
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::client::{Client, get};
use crate::harness::folder::Folder;
use crate::harness::process::{GUARD, Server, Vestibule};
use crate::harness::tls::{Pair, TlsStream, connect_to_anybody};

const OPEN: &str = "a.example.com";
const BOTH: [&rustls::SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A server with a certificate and an open challenge in its folder, whose authority is not there.
struct Challenged {
    server: Server,
    ordinary: Pair,
    challenge: Pair,
    state: Folder,
}

impl Challenged {
    fn start(challenge: &str) -> Challenged {
        let state = Folder::new();
        let ordinary = pair(|params| params.not_after = rcgen::date_time_ymd(2090, 1, 1));
        let shown =
            pair(|params| params.custom_extensions = vec![CustomExtension::new_acme_identifier(&[7; 32])]);
        let home = state.path().join("127.0.0.1_1_dir");
        std::fs::create_dir_all(home.join("challenges")).expect("a folder");
        let write = |name: &str, pair: &Pair| {
            std::fs::write(home.join(name), format!("{}{}", pair.certificate, pair.key)).expect("a file");
        };
        write("certificate.pem", &ordinary);
        write(&format!("challenges/tls-alpn-01.{OPEN}.pem"), &shown);
        let mut run = Vestibule::new(&["serve", "--listen", "127.0.0.1:0", "--contract", "knex"]);
        for setting in [
            &format!("acme.folder={}", state.path().display()),
            &format!("acme.challenge={challenge}"),
            "acme.directory=https://127.0.0.1:1/dir",
            "acme.domains=a.example.com,b.example.com",
            "acme.accept_terms=true",
            "tls.redirect_listen=127.0.0.1:0",
            "base_url=https://a.example.com",
        ] {
            run = run.with(&["--set", setting]);
        }
        Challenged { server: run.start(), ordinary, challenge: shown, state }
    }

    async fn connect(
        &self,
        name: &str,
        protocols: &[&str],
        version: &'static rustls::SupportedProtocolVersion,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        connect_to_anybody(self.server.address, name, protocols, version).await
    }
}

fn pair(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Pair {
    let names = [OPEN, "b.example.com"].map(str::to_owned).to_vec();
    let mut params = rcgen::CertificateParams::new(names).expect("names");
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    Pair { certificate: certificate.pem(), key: key.serialize_pem() }
}

/// Whether this certificate was shown.
fn shows(stream: &TlsStream<TcpStream>, pair: &Pair) -> bool {
    use rustls::pki_types::pem::PemObject as _;
    let expected =
        rustls::pki_types::CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("PEM");
    stream.get_ref().1.peer_certificates().expect("a certificate")[0] == expected
}

fn agreed(stream: &TlsStream<TcpStream>) -> Option<&[u8]> {
    stream.get_ref().1.alpn_protocol()
}

/// All that comes back on a connection on which somebody asks for a page.
async fn answered(mut stream: TlsStream<TcpStream>) -> Vec<u8> {
    let mut answer = Vec::new();
    // The other end may be gone before it is asked.
    let _ = stream.write_all(&get("/healthz")).await;
    let _ = tokio::time::timeout(GUARD, stream.read_to_end(&mut answer)).await.expect("an end in time");
    answer
}

#[tokio::test]
async fn the_authority_sees_the_challenge_and_no_http_is_spoken() {
    let challenged = Challenged::start("tls-alpn-01");
    for version in BOTH {
        let stream = challenged.connect(OPEN, &["acme-tls/1"], version).await.expect("a handshake");
        assert!(shows(&stream, &challenged.challenge) && agreed(&stream) == Some(b"acme-tls/1"));
        assert_eq!(answered(stream).await, b"");
        // An authority offers nothing else; who does is shown nothing of the challenge, and cannot speak HTTP either.
        let odd = challenged.connect(OPEN, &["acme-tls/1", "x"], version).await.expect("a handshake");
        assert!(shows(&odd, &challenged.ordinary) && agreed(&odd) == Some(b"acme-tls/1"));
        assert_eq!(answered(odd).await, b"");
    }
}

#[tokio::test]
async fn everybody_else_is_served_as_ever_while_a_challenge_is_open() {
    let challenged = Challenged::start("tls-alpn-01");
    for version in BOTH {
        for (offered, expected) in [
            (&[][..], None),
            (&["http/1.1"][..], Some("http/1.1")),
            (&["acme-tls/1", "http/1.1"], Some("http/1.1")),
        ] {
            let stream = challenged.connect(OPEN, offered, version).await.expect("a handshake");
            assert!(shows(&stream, &challenged.ordinary), "{offered:?}");
            assert_eq!(agreed(&stream), expected.map(str::as_bytes), "{offered:?}");
            assert_eq!(Client::over(stream).ask(&get("/healthz")).await.status, 200, "{offered:?}");
        }
        let stream = challenged.connect(OPEN, &["h2", "http/1.1"], version).await.expect("a handshake");
        assert!(shows(&stream, &challenged.ordinary) && agreed(&stream) == Some(b"h2"));
        let (mut requests, connection) = h2::client::handshake(stream).await.expect("a preface");
        let running = tokio::spawn(connection);
        let request = http::Request::get("https://a.example.com/healthz").body(()).expect("a request");
        let (response, _) = requests.send_request(request, true).expect("a stream");
        assert_eq!(response.await.expect("an answer").status(), 200);
        running.abort();
    }
}

#[tokio::test]
async fn without_an_open_challenge_an_authority_is_refused() {
    let challenged = Challenged::start("tls-alpn-01");
    let refused = async |challenged: &Challenged, name: &str| {
        for version in BOTH {
            let error = challenged.connect(name, &["acme-tls/1"], version).await.expect_err(name);
            assert!(error.to_string().contains("alert"), "{name}: {error}");
        }
    };
    // One of ours, a stranger's, and none at all: an address is not told.
    for name in ["b.example.com", "c.example.com", "127.0.0.1"] {
        refused(&challenged, name).await;
    }
    let home = challenged.state.path().join("127.0.0.1_1_dir/challenges");
    std::fs::remove_file(home.join(format!("tls-alpn-01.{OPEN}.pem"))).expect("the challenge");
    refused(&challenged, OPEN).await;
    // Where the names are shown by http-01, nobody speaks this protocol at all.
    refused(&Challenged::start("http-01"), OPEN).await;
}
