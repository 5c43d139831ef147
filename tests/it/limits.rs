//! What a listener holds against strangers, shown over raw sockets.
//!
//! Limits under test are a few milliseconds, all others a minute, so a test that passes met the limit it names.
//! Nothing sleeps to synchronise: tests wait for bytes, for the end of the stream, or for a signal of the handler.

mod server;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use vestibule::http::{Drained, Limits};

use server::{Client, GET, LIMITS, SHORT, Server, WAIT, within};

#[tokio::test]
async fn h1_a_silent_client_is_cut() {
    let server = Server::start(Limits { header_timeout: SHORT, ..LIMITS }).await;
    assert_eq!(server.connect().await.rest().await, "");
}

#[tokio::test]
async fn h1_a_slow_head_is_cut_however_steadily_it_comes() {
    let server = Server::start(Limits { header_timeout: SHORT, ..LIMITS }).await;
    assert_eq!(server.connect().await.drip("GET /a/long/path").await, "");
}

#[tokio::test]
async fn h1_a_slow_body_is_answered_408_and_closed() {
    let server = Server::start(Limits { body_timeout: SHORT, ..LIMITS }).await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
    let said = server.send(head).await.drip("x").await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(said.contains("connection: close\r\n"), "{said}");
    let mut silent = server.send(head).await;
    assert!(silent.rest().await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn h1_a_client_that_does_not_read_is_cut() {
    let mut server = Server::start(Limits { write_timeout: SHORT, ..LIMITS }).await;
    let _client = server.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await;
    within(server.endless_dropped.recv()).await.expect("the reply was given up");
}

#[tokio::test]
async fn h1_an_idle_connection_is_cut() {
    let server = Server::start(Limits { idle_timeout: SHORT, ..LIMITS }).await;
    let mut client = server.send(GET).await;
    client.reply().await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn h1_a_slow_second_head_has_the_time_of_a_head_and_no_more() {
    let server = Server::start(Limits { header_timeout: SHORT, ..LIMITS }).await;
    let mut client = server.send(GET).await;
    client.reply().await;
    client.write("GET / HT").await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_handler_may_take_longer_than_any_wait_for_the_client() {
    let limits = Limits { header_timeout: SHORT, idle_timeout: SHORT, body_timeout: SHORT, ..LIMITS };
    let server = Server::start(limits).await;
    let mut client = server.send(WAIT).await;
    within(server.signals.entered.notified()).await;
    // Another client's whole deadline passes meanwhile.
    server.connect().await.rest().await;
    server.connect().await.rest().await;
    server.signals.release.add_permits(1);
    assert!(client.reply().await.ends_with("waited"));
}

#[tokio::test]
async fn above_the_cap_a_client_is_told_so_and_a_freed_place_is_used() {
    let server = Server::start(Limits { connections: 1, ..LIMITS }).await;
    let mut first = server.send(WAIT).await;
    within(server.signals.entered.notified()).await;
    for _ in 0..3 {
        let said = server.send(GET).await.rest().await;
        assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
        assert!(said.contains("retry-after: 1\r\n") && said.contains("connection: close\r\n"), "{said}");
    }
    server.signals.release.add_permits(1);
    assert!(first.reply().await.ends_with("waited"));
    drop(first);
    // The place is free a moment after the client has gone.
    within(async { while !server.send(GET).await.reply().await.starts_with("HTTP/1.1 200 ") {} }).await;
}

#[tokio::test]
async fn many_surplus_clients_that_never_read_do_not_disturb_the_served_one() {
    let server = Server::start(Limits { connections: 1, ..LIMITS }).await;
    let mut served = server.send(GET).await;
    served.reply().await;
    let mut surplus = Vec::new();
    for _ in 0..200 {
        surplus.push(server.connect().await);
    }
    served.write(GET).await;
    assert!(served.reply().await.ends_with("hello"));
}

#[tokio::test]
async fn shutdown_finishes_the_request_in_hand_and_takes_no_new_client() {
    let server = Server::start(LIMITS).await;
    let mut client = server.send(WAIT).await;
    within(server.signals.entered.notified()).await;
    server.shutdown.cancel();
    within(async { while TcpStream::connect(server.address).await.is_ok() {} }).await;
    server.signals.release.add_permits(1);
    let said = client.rest().await;
    assert!(said.ends_with("waited") && said.contains("connection: close\r\n"), "{said}");
    // One of the attempts may have stood in the system's queue when the listener closed; it was ended in order.
    let drained = server.drained().await;
    assert!([1, 2].contains(&drained.finished) && drained.cut == 0, "{drained:?}");
}

#[tokio::test]
async fn shutdown_closes_idle_and_silent_connections_at_once() {
    let server = Server::start(LIMITS).await;
    let mut silent = server.connect().await;
    let mut idle = server.send(GET).await;
    idle.reply().await;
    server.shutdown.cancel();
    assert_eq!((idle.rest().await, silent.rest().await), (String::new(), String::new()));
    assert_eq!(server.drained().await, Drained { finished: 2, cut: 0 });
}

#[tokio::test]
async fn shutdown_cuts_what_is_stuck_after_the_grace() {
    let server = Server::start_with_grace(LIMITS, SHORT).await;
    let mut stuck = server.send(WAIT).await;
    within(server.signals.entered.notified()).await;
    server.shutdown.cancel();
    assert_eq!(stuck.rest().await, "");
    assert_eq!(server.drained().await, Drained { finished: 0, cut: 1 });
}

#[tokio::test]
async fn h2_ambiguous_or_broken_framing_is_answered_400_and_closed() {
    let server = Server::start(LIMITS).await;
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    for (headers, body) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunks),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunks),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
        ("Content-Length: 5, 5\r\n", "hello"),
        ("Content-Length: -5\r\n", "hello"),
        ("Transfer-Encoding: gzip, chunked\r\n", chunks),
        ("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello"),
        ("Transfer-Encoding : chunked\r\n", chunks),
        ("A: b\r\n Transfer-Encoding: chunked\r\n", chunks),
        ("Transfer-Encoding: chunked\r\n", "zz\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhelloworld\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}{GET}");
        let said = server.send(&request).await.rest().await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{request}\n{said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "nothing after it is a request: {said}");
    }
}

#[tokio::test]
async fn a_head_above_the_limit_is_answered_431() {
    let server = Server::start(LIMITS).await;
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "x".repeat(17 * 1024));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(101));
    for request in [large, many] {
        let said = server.send(&request).await.rest().await;
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    }
}

#[tokio::test]
async fn a_refused_body_does_not_cost_the_client_its_answer() {
    let server = Server::start(LIMITS).await;
    let body = "x".repeat(900 * 1024);
    let length = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let chunked = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    for request in [length, chunked] {
        // The whole request is written before anything is read.
        let said = server.send(&request).await.rest().await;
        assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    }
}

#[tokio::test]
async fn a_client_may_finish_sending_what_was_refused() {
    let server = Server::start(LIMITS).await;
    let mut client = server.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n").await;
    assert!(client.reply().await.starts_with("HTTP/1.1 413 "));
    for _ in 0..10 {
        // A closed socket would answer the first of these with a reset, and the next ones would fail.
        client.write(&"x".repeat(1000)).await;
    }
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = Server::start(LIMITS).await;
    let mut client = server.connect().await;
    let sized = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nsized";
    let chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7;a=b\r\nchunked\r\n0\r\nA: b\r\n\r\n";
    for (request, body) in [(GET, "hello"), (sized, "sized"), (chunked, "chunked"), (sized, "sized")] {
        client.write(request).await;
        assert!(client.reply().await.ends_with(&format!("\r\n\r\n{body}")));
    }
    let pipelined = [chunked, sized, GET, chunked].concat();
    client.write(&pipelined).await;
    for body in ["chunked", "sized", "hello", "chunked"] {
        assert!(client.reply().await.ends_with(&format!("\r\n\r\n{body}")));
    }
}

#[tokio::test]
async fn a_body_may_wait_for_100_continue() {
    let server = Server::start(LIMITS).await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    let mut client = server.send(head).await;
    let mut interim = [0; 25];
    within(client.0.read_exact(&mut interim)).await.expect("an interim reply");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write("body").await;
    assert!(client.reply().await.ends_with("body"));
}

#[tokio::test]
async fn a_panic_in_a_handler_ends_its_connection_only() {
    let server = Server::start(Limits { connections: 1, ..LIMITS }).await;
    assert_eq!(server.send("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await.rest().await, "");
    within(async { while !server.send(GET).await.reply().await.starts_with("HTTP/1.1 200 ") {} }).await;
}

#[tokio::test]
async fn a_handler_knows_its_peer() {
    let server = Server::start(LIMITS).await;
    let mut client = server.send("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let own = client.0.local_addr().expect("an address").to_string();
    assert!(client.reply().await.ends_with(&own));
}

#[test]
fn h1_a_full_file_table_is_survived() {
    // The limit holds for a whole process, so the scene is played in one of its own.
    let scene = std::env::current_exe().expect("this test binary");
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 40 && exec \"$0\" --exact --ignored limits::scene_of_a_full_file_table"])
        .arg(scene)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "fills the file table of its process; h1_a_full_file_table_is_survived runs it alone"]
async fn scene_of_a_full_file_table() {
    let server = Server::start(LIMITS).await;
    let mut early = server.send(GET).await;
    early.reply().await;
    let mut crowd = Vec::new();
    let error = loop {
        match TcpStream::connect(server.address).await {
            Ok(stream) => crowd.push(stream),
            Err(error) => break error,
        }
        assert!(crowd.len() < 1000, "the file table does not fill: run under `ulimit -n`");
    };
    assert_eq!(error.raw_os_error(), Some(24), "EMFILE, so the server cannot accept either");
    early.write(GET).await;
    assert!(early.reply().await.ends_with("hello"), "those inside are served");
    drop(crowd);
    // Our own table has room again as soon as the server has closed its ends, too.
    let mut late = within(async {
        loop {
            if let Ok(stream) = TcpStream::connect(server.address).await {
                break Client(stream);
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    late.write(GET).await;
    assert!(late.reply().await.ends_with("hello"), "and so are newcomers, once there is room");
}
