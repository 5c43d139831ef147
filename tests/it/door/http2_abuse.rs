//! HTTP/2 as attackers write it, frame by frame: the connection ends, and everybody else is served.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http2::connect;
use super::tls::serving;
use crate::harness::database::Database;
use crate::harness::process::{GUARD, Server};
use crate::harness::tls::{Pair, TlsStream};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `method` (2 is GET, 3 is POST, by RFC 7541, appendix A) of `path` at `https://a`, without Huffman codes.
fn head(method: u8, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).expect("short");
    [&[0x80 | method, 0x87, 0x01, 1, b'a', 0x04, length], path.as_bytes()].concat()
}

struct Raw(TlsStream<TcpStream>);

impl Raw {
    /// A connection on which the preface and these settings were sent.
    async fn connect(server: &Server, pair: &Pair, settings: &[u8]) -> Raw {
        let mut stream = pair.connect(server.address, &["h2"]).await.expect("a handshake");
        let preface =
            [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, settings)].concat();
        stream.write_all(&preface).await.expect("the server reads");
        Raw(stream)
    }

    /// Sends until the connection ends, at most `most` times what `piece` gives for a number; reads on the way, as the
    /// answers would fill the pipe. Whether it ended.
    async fn ends_during(self, most: u32, piece: impl Fn(u32) -> Vec<u8>) -> bool {
        let (mut reader, mut writer) = tokio::io::split(self.0);
        let ended = async {
            let mut scratch = [0; 16 * 1024];
            while reader.read(&mut scratch).await.is_ok_and(|bytes| bytes > 0) {}
        };
        let flood = async {
            for number in 0..most {
                if writer.write_all(&piece(number)).await.is_err() {
                    return;
                }
            }
            // Everything was taken: whether the end comes is for the deadline of the test to say.
            let _ = writer.flush().await;
            std::future::pending().await
        };
        // Less than the time after which idleness ends it.
        tokio::time::timeout(Duration::from_secs(30), async {
            tokio::select! { () = ended => (), () = flood => () }
        })
        .await
        .is_ok()
    }
}

/// Nothing but the flood itself may end its connection.
const PATIENT: [&str; 6] = [
    "--set",
    "limits.header_timeout=1h",
    "--set",
    "limits.idle_timeout=1h",
    "--set",
    "limits.write_timeout=1h",
];

async fn survives(what: &str, most: u32, piece: impl Fn(u32) -> Vec<u8>) {
    let pair = Pair::new();
    let server = serving(&Database::sqlite(), &pair).with(&PATIENT).start();
    let honest = connect(&server, &pair).await;
    let attacker = Raw::connect(&server, &pair, &[]).await;
    let flood = attacker.ends_during(most, piece);
    let mut flood = std::pin::pin!(flood);
    let mut answered = 0;
    let cut = loop {
        tokio::select! {
            cut = &mut flood => break cut,
            answer = honest.ask(Method::GET, "/healthz", "") => {
                assert_eq!(answer.expect("an answer").0, 200, "{what}");
                answered += 1;
            }
        }
    };
    assert!(cut, "{what}: the connection goes on");
    assert_eq!(honest.ask(Method::GET, "/healthz", "").await.expect("an answer").0, 200, "{what}");
    assert!(
        server.stop().0.err.lines().all(|line| !line.contains("panicked")),
        "{what}, {answered} answered"
    );
}

#[tokio::test]
async fn h1_a_rapid_reset_ends_the_connection() {
    // CVE-2023-44487.
    survives("rapid reset", 20_000, |number| {
        let stream = 2 * number + 1;
        let head = frame(HEADERS, END_HEADERS | END_STREAM, stream, &head(3, "/users"));
        [head, frame(RESET, 0, stream, &8_u32.to_be_bytes())].concat()
    })
    .await;
}

#[tokio::test]
async fn h1_a_flood_of_continuations_ends_the_connection() {
    // CVE-2024-27316 and its kin; the value is a header that never ends.
    survives("continuations", 20_000, |number| match number {
        0 => frame(HEADERS, 0, 1, &head(2, "/healthz")),
        _ => frame(CONTINUATION, 0, 1, &[&[0, 1, b'x', 100][..], &[b'y'; 100]].concat()),
    })
    .await;
    survives("empty continuations", 20_000, |number| match number {
        0 => frame(HEADERS, 0, 1, &head(2, "/healthz")),
        _ => frame(CONTINUATION, 0, 1, &[]),
    })
    .await;
}

#[tokio::test]
async fn h1_floods_of_frames_that_ask_for_nothing_end_the_connection() {
    for (what, flood) in [
        ("pings", frame(PING, 0, 0, &[7; 8])),
        ("settings", frame(SETTINGS, 0, 0, &[])),
        ("windows", frame(WINDOW, 0, 0, &[0, 0, 0, 1])),
        ("priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1])),
    ] {
        survives(what, 20_000, |_| flood.clone()).await;
    }
}

#[tokio::test]
async fn h1_empty_pieces_of_a_body_end_the_connection() {
    survives("empty data", 20_000, |number| match number {
        0 => frame(HEADERS, END_HEADERS, 1, &head(3, "/users")),
        _ => frame(DATA, 0, 1, &[]),
    })
    .await;
}

#[tokio::test]
async fn h1_a_client_that_does_not_take_its_reply_ends_during() {
    let pair = Pair::new();
    let server = serving(&Database::sqlite(), &pair).with(&["--set", "limits.write_timeout=50ms"]).start();
    // SETTINGS_INITIAL_WINDOW_SIZE 0: nothing of any body may be sent.
    let attacker = Raw::connect(&server, &pair, &[0, 4, 0, 0, 0, 0]).await;
    let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(2, "/healthz"));
    assert!(attacker.ends_during(1, |_| request.clone()).await);
}

#[tokio::test]
async fn h1_a_silent_or_slow_http2_client_ends_during() {
    let pair = Pair::new();
    let server = serving(&Database::sqlite(), &pair).with(&["--set", "limits.header_timeout=2s"]).start();
    let silent = Raw(pair.connect(server.address, &["h2"]).await.expect("a handshake"));
    assert!(silent.ends_during(0, |_| Vec::new()).await, "no preface");
    let idle = Raw::connect(&server, &pair, &[]).await;
    assert!(idle.ends_during(0, |_| Vec::new()).await, "no request");
    let slow = Raw::connect(&server, &pair, &[]).await;
    assert!(slow.ends_during(1, |_| frame(HEADERS, 0, 1, &head(2, "/healthz"))).await, "half a head");
}

#[tokio::test]
async fn h2_plain_connections_speak_http_1_only() {
    let server = crate::harness::process::Vestibule::serve(&Database::sqlite()).start();
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("the server reads");
    let mut said = String::new();
    tokio::time::timeout(GUARD, stream.read_to_string(&mut said)).await.expect("an end").expect("no reset");
    assert_eq!(said, "", "it is closed, without a frame");
}
