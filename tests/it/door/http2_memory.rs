//! What a connection can make the server hold before a request of it is whole.

use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use http::{Method, Request};

use super::http2::{Connection, connect, sign_up};
use super::tls::serving;
use crate::harness::database::Database;
use crate::harness::process::GUARD;
use crate::harness::tls::Pair;

const CONNECTIONS: usize = 20;
/// As many as a connection may have at a time, but one.
const STREAMS: usize = 63;
/// Just short of the longest body that is taken.
const ALMOST: usize = 64 * 1024 - 1;
/// What a connection may hold beside 4 KiB for each request, in KiB: 60 KiB of one long body and 64 KiB of others, a piece
/// of 16 KiB for which there was no room, and as much again for who grows a buffer and for pages that are half used.
const MOST: u64 = 2 * (60 + 64 + 16);

/// A request whose body does not end.
struct Unfinished {
    response: h2::client::ResponseFuture,
    sending: h2::SendStream<Bytes>,
}

impl Unfinished {
    /// Sends so many bytes of it, or as many as are taken.
    async fn send(connection: &Connection, bytes: usize) -> Unfinished {
        let request = Request::post("https://localhost/users").header("content-type", "application/json");
        let mut requests = connection.requests.clone().ready().await.expect("ready");
        let (response, mut sending) =
            requests.send_request(request.body(()).expect("a request"), false).expect("sent");
        let mut left = bytes;
        while left > 0 {
            sending.reserve_capacity(left);
            let room = std::future::poll_fn(|cx| sending.poll_capacity(cx));
            let room = tokio::time::timeout(GUARD, room).await.expect("room, or an end, in time");
            // A request that was answered takes no more.
            let Some(Ok(room)) = room else { break };
            left -= room;
            let _ = sending.send_data(Bytes::from(vec![b' '; room]), false);
        }
        Unfinished { response, sending }
    }

    /// The status of its answer, if there is one by now.
    async fn answered(mut self) -> Option<u16> {
        let answer = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut self.response).poll(cx))).await;
        drop(self.sending);
        match answer {
            Poll::Ready(answer) => Some(answer.expect("an answer").status().as_u16()),
            Poll::Pending => None,
        }
    }
}

/// What each of many connections costs that sends so many bytes in each of its requests, in KiB, and how many requests of a
/// connection were refused.
async fn cost(bytes: usize) -> (u64, usize) {
    let pair = Pair::new();
    let database = Database::sqlite();
    let patient = ["--set", "limits.body_timeout=1h"];
    let server = serving(&database, &pair).with(&patient).start();
    let honest = connect(&server, &pair).await;
    assert_eq!(honest.ask(Method::POST, "/users", &sign_up(1000)).await.expect("an answer").0, 200);
    let before = server.resident_kib();
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        let connection = connect(&server, &pair).await;
        let mut unfinished = Vec::new();
        for _ in 0..STREAMS {
            unfinished.push(Unfinished::send(&connection, bytes).await);
        }
        // By its answer the server has seen all that came before it.
        assert_eq!(connection.ask(Method::GET, "/healthz", "").await.expect("an answer").0, 200);
        held.push((connection, unfinished));
    }
    let each = server.resident_kib().saturating_sub(before) / CONNECTIONS as u64;
    let mut refused = 0;
    for (number, (connection, unfinished)) in held.into_iter().enumerate() {
        let signed_up = connection.ask(Method::POST, "/users", &sign_up(number)).await.expect("an answer");
        assert_eq!(signed_up.0, 200, "a short one finds room beside the others: {signed_up:?}");
        for one in unfinished {
            let status = one.answered().await;
            assert!(matches!(status, None | Some(503)), "{status:?}");
            refused += usize::from(status.is_some());
        }
    }
    (each, refused / CONNECTIONS)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "figures are what it is for")]
async fn h1_bodies_that_do_not_end_cost_little() {
    let (bare, _) = cost(0).await;
    let (short, refused) = cost(4096).await;
    assert_eq!(refused, 0, "short ones are always taken");
    let (long, turned_away) = cost(ALMOST).await;
    println!(
        "{STREAMS} unfinished requests: {bare} KiB a connection without a body, {short} KiB with 4 KiB each, {long} KiB with \
         all that is taken of 64 KiB each, of which {turned_away} are refused"
    );
    assert!(turned_away > STREAMS / 2, "{turned_away}");
    let most = MOST + 4 * STREAMS as u64;
    assert!(
        long <= bare + most && short <= bare + most,
        "{long} and {short} KiB, and {bare} KiB without bodies"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_further_requests_of_a_connection_take_the_places_of_connections() {
    let (pair, database) = (Pair::new(), Database::sqlite());
    let server = serving(&database, &pair)
        .with(&["--set", "limits.connections=4", "--set", "limits.body_timeout=1h"])
        .start();
    let connection = connect(&server, &pair).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(Unfinished::send(&connection, 10).await);
    }
    let surplus = connection.ask(Method::POST, "/users", &sign_up(1)).await.expect("an answer");
    assert_eq!(surplus.0, 503, "{surplus:?}");
    assert!(surplus.1.contains_key("retry-after") && surplus.1.contains_key("strict-transport-security"));
    // Whichever of them ends: the one in the connection's own place, or one that has taken another.
    for (end, number) in [(0, 2), (2, 3)] {
        held.remove(end);
        let next = async {
            loop {
                // A place is free again soon after the reset was read.
                let answer =
                    connection.ask(Method::POST, "/users", &sign_up(number)).await.expect("an answer");
                if answer.0 != 503 {
                    break answer;
                }
            }
        };
        let next = tokio::time::timeout(GUARD, next).await.expect("room again");
        assert_eq!(next.0, 200, "{next:?}");
    }
    for one in held {
        assert_eq!(one.answered().await, None, "what was let in is not touched");
    }
}
