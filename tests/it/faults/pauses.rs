//! Servers that are held for a while, or whose clock jumps.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use rustix::process::Signal;
use tokio_util::sync::CancellationToken;
use vestibule::clock::Clock;
use vestibule::contract::shipped;

use super::judge::judge;
use super::load::Load;
use super::server::Orders;
use crate::harness::client::Client;
use crate::harness::database::Database;
use crate::harness::server::Server;

on_both! {
    f11_a_server_that_is_held_for_a_moment_answers_everybody
    f11_a_clock_that_jumps_loses_and_doubles_nobody
}

async fn f11_a_server_that_is_held_for_a_moment_answers_everybody(database: &Database) {
    let (url, load, stop) = (database.url(), Load::new(), CancellationToken::new());
    let server = Orders::on(&url).start();
    let clients = load.clients(server.address, 16, &stop);
    for _ in 0..3 {
        load.more_answers(20).await;
        server.signal(Signal::STOP);
        // The pause is the fault itself.
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.signal(Signal::CONT);
    }
    stop.cancel();
    clients.join_all().await;
    assert_eq!(server.kill().signal(), Some(9), "it was there to the end");
    let verdict = judge(&load.journal, &url).await;
    verdict.assert_innocent();
    assert_eq!((verdict.unknown, verdict.refused), (0, 0), "{verdict:?}");
}

async fn f11_a_clock_that_jumps_loses_and_doubles_nobody(database: &Database) {
    let (url, load) = (database.url(), Load::new());
    let times = ["2026-11-21T12:00:00Z", "2006-01-01T00:00:00Z", "2086-01-01T00:00:00Z"];
    let mut servers = Vec::new();
    for (seed, time) in times.iter().enumerate() {
        let store = database.open().await;
        let contract = shipped("knex").expect("a shipped contract");
        let clock = Clock::fixed(time.parse().expect("a time"), seed as u64);
        servers.push(Server::with("knex", contract, store, |app| app.clock = clock).await);
    }
    // The next sign-up always comes at another time, often an earlier one.
    for _ in 0..10 {
        for server in &servers {
            let mut client = Client::connect(server.address).await;
            assert_eq!(load.sign_up(&mut client, load.number()).await.expect("an answer"), 200);
        }
    }
    judge(&load.journal, &url).await.assert_innocent();
}
