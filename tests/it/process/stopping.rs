//! The end of a process, asked for while it works.

use std::time::{Duration, Instant};

use crate::harness::client::{Client, get, post};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

use super::{accounts, assert_whole};

on_both! {
    f9_what_was_accepted_is_answered_before_the_end
    what_has_arrived_counts_as_accepted
    an_idle_server_stops_at_once
    a_stop_takes_no_longer_than_its_grace
    a_hangup_ends_nobody
}

fn sign_up(number: usize) -> Vec<u8> {
    post("/users", &format!(r#"{{"email":"user{number}@example.com","password":"a password {number}"}}"#))
}

fn serve(database: &Database) -> Vestibule {
    Vestibule::serve(database).with(&["--contract", "knex", "--set", "passwords.deadline=100s"])
}

async fn f9_what_was_accepted_is_answered_before_the_end(database: &Database) {
    const CLIENTS: usize = 40;
    let server = serve(database).with(&["--set", "shutdown_grace=100s"]).start();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut client = server.connect().await;
        assert_eq!(client.ask(&get("/healthz")).await.status, 200);
        client.send(&sign_up(number)).await;
        clients.push(client);
    }
    assert_eq!(clients.pop().expect("the last one").reply().await.status, 200);
    server.signal("TERM");
    server.wait_for_log("SIGTERM: finishing what was accepted");
    // Impatience changes nothing.
    server.signal("TERM");
    server.signal("INT");
    for mut client in clients {
        assert_eq!(client.reply().await.status, 200);
        assert!(client.is_closed().await);
    }
    let (ended, _) = server.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains(r#""cut":0"#), "{}", ended.err);
    assert_eq!(accounts(database).len(), CLIENTS);
    assert_whole(database, CLIENTS as i64).await;
}

/// `systemctl reload` sends it, also where there is no certificate to be read again.
async fn a_hangup_ends_nobody(database: &Database) {
    let server = serve(database).start();
    let mut client = server.connect().await;
    for number in 0..3 {
        server.signal("HUP");
        assert_eq!(client.ask(&sign_up(number)).await.status, 200);
    }
    assert_eq!(server.stop().0.code, Some(0));
}

/// A request that lies in the socket when the signal comes is answered, and its connection is not reset.
async fn what_has_arrived_counts_as_accepted(database: &Database) {
    let mut folder = None;
    for round in 0..10 {
        let mut launch = serve(database).with(&["--set", "shutdown_grace=100s"]);
        if let Some(folder) = folder.take() {
            launch = launch.inside(folder);
        }
        let server = launch.start();
        let mut clients = Vec::new();
        for number in 0..4 {
            let mut client = server.connect().await;
            // Half of them are known to the server, the others just come in.
            if number % 2 == 0 {
                assert_eq!(client.ask(&get("/healthz")).await.status, 200);
            }
            clients.push(client);
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(&sign_up(10 * round + number)).await;
        }
        server.signal("TERM");
        for client in &mut clients {
            let reply = client.try_reply().await;
            assert!(reply.as_ref().is_ok_and(|reply| reply.status == 200), "in round {round}: {reply:?}");
        }
        let (ended, kept) = server.ended();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        folder = Some(kept);
    }
    assert_whole(database, 40).await;
}

async fn an_idle_server_stops_at_once(database: &Database) {
    for signal in ["TERM", "INT"] {
        let server = serve(database).with(&["--set", "shutdown_grace=100s"]).start();
        let mut idle: Client = server.connect().await;
        assert_eq!(idle.ask(&get("/healthz")).await.status, 200);
        let asked = Instant::now();
        server.signal(signal);
        assert!(idle.is_closed().await);
        let (ended, _) = server.ended();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.err.contains(&format!("SIG{signal}")), "{}", ended.err);
        assert!(asked.elapsed() < Duration::from_secs(50), "it waited for its grace to end");
    }
}

async fn a_stop_takes_no_longer_than_its_grace(database: &Database) {
    let server = serve(database).with(&["--set", "shutdown_grace=200ms"]).start();
    // A client that never sends the rest of its body.
    let mut stuck = server.connect().await;
    stuck.send(b"POST /users HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{").await;
    server.signal("TERM");
    assert!(stuck.try_reply().await.is_err());
    let (ended, _) = server.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}
