//! Renewal information (RFC 9773) for pebble, which has none: a directory that leads to pebble for everything else, and a
//! place that says when to renew what the test wants it to say.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use vestibule::clock::Clock;

use super::pebble::Pebble;

/// Where it listens, at pebble's address.
pub(crate) const PORT: u16 = 14001;

/// What is answered about one certificate: status line, further header lines, body.
#[derive(Clone, Debug)]
pub(crate) struct Said(pub(crate) &'static str, pub(crate) &'static str, pub(crate) String);

impl Said {
    /// A window, in seconds from now.
    pub(crate) fn window(start: i64, end: i64) -> Said {
        let at = |seconds| Clock::system().now() + jiff::SignedDuration::from_secs(seconds);
        let window = format!(r#"{{"suggestedWindow":{{"start":"{}","end":"{}"}}}}"#, at(start), at(end));
        Said("200 OK", "retry-after: 21600\r\n", window)
    }
}

/// The front. It listens until the test process ends.
pub(crate) struct Ari(Arc<Mutex<State>>);

struct State {
    /// About the first certificate that is asked about, the second, and so on; the last one is for all others, too.
    answers: Vec<Said>,
    /// The certificates that were asked about, in the order in which they came.
    known: Vec<String>,
    /// How many questions there were.
    questions: usize,
}

impl Ari {
    pub(crate) fn before(pebble: &Pebble, answers: Vec<Said>) -> Ari {
        let state = Arc::new(Mutex::new(State { answers, known: Vec::new(), questions: 0 }));
        let listener = TcpListener::bind((pebble.address, PORT)).expect("a free port");
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        let chain = CertificateDer::from_pem_slice(pebble.file("pebble.pem").as_bytes()).expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(pebble.file("pebble.key").as_bytes()).expect("PEM");
        let config = Arc::new(builder.with_single_cert(vec![chain], key).expect("a pair"));
        let (shared, address) = (state.clone(), pebble.address.to_string());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(config.clone()).expect("a configuration");
                // Whoever goes away in between has asked for nothing.
                let _ = answer(StreamOwned::new(connection, stream), &shared, &address);
            }
        });
        Ari(state)
    }

    /// How many certificates were asked about.
    pub(crate) fn certificates(&self) -> usize {
        self.0.lock().expect("nobody panics").known.len()
    }

    /// How many questions came.
    pub(crate) fn questions(&self) -> usize {
        self.0.lock().expect("nobody panics").questions
    }

    /// Says something else from now on.
    pub(crate) fn say(&self, answer: Said) {
        self.0.lock().expect("nobody panics").answers = vec![answer];
    }
}

fn answer(
    stream: StreamOwned<ServerConnection, TcpStream>,
    state: &Mutex<State>,
    address: &str,
) -> std::io::Result<()> {
    let (mut reader, mut line, mut head) = (BufReader::new(stream), String::new(), String::new());
    while reader.read_line(&mut line)? > 0 && line != "\r\n" {
        head.push_str(&std::mem::take(&mut line));
    }
    let path = head.split(' ').nth(1).unwrap_or_default();
    let Said(status, headers, body) = match path.strip_prefix("/ari/") {
        Some(certificate) => state.lock().expect("nobody panics").about(certificate),
        None => Said("200 OK", "", directory(address)),
    };
    let length = body.len();
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}content-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}

impl State {
    fn about(&mut self, certificate: &str) -> Said {
        self.questions += 1;
        let place = self.known.iter().position(|known| known == certificate).unwrap_or_else(|| {
            self.known.push(certificate.to_owned());
            self.known.len() - 1
        });
        self.answers[place.min(self.answers.len() - 1)].clone()
    }
}

/// Pebble's own places, and ours for renewals.
fn directory(address: &str) -> String {
    let places = [
        ("newNonce", "nonce-plz"),
        ("newAccount", "sign-me-up"),
        ("newOrder", "order-plz"),
        ("revokeCert", "revoke-cert"),
        ("keyChange", "rollover-account-key"),
    ];
    let places = places.map(|(name, path)| format!(r#""{name}":"https://{address}:14000/{path}","#));
    format!(r#"{{{}"renewalInfo":"https://{address}:{PORT}/ari"}}"#, places.concat())
}
