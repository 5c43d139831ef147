//! Killed processes: at random moments, and between every two steps of a sign-up.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::campaign::{CLIENTS, Dice, kill_at_random, verdict_after};
use super::judge::judge;
use super::load::{Load, at_once, email};
use super::rows::rows;
use super::server::{Deed, Orders, Place};
use crate::harness::client::Client;
use crate::harness::database::Database;
use crate::harness::process::GUARD;

on_both! {
    f1_killed_at_random_moments_it_loses_nothing
    f3_killed_between_any_two_steps_it_loses_nothing
    f12_a_client_that_hangs_up_between_hash_and_commit_is_registered_whole
    on_two_servers_an_address_is_registered_once
    control_a_server_that_answers_early_is_found_out
    control_without_its_unique_index_the_database_holds_doubles
}

async fn f1_killed_at_random_moments_it_loses_nothing(database: &Database) {
    let (verdict, _) = kill_at_random(&database.url(), 12, &mut Dice::new()).await;
    verdict.assert_innocent();
}

async fn f3_killed_between_any_two_steps_it_loses_nothing(database: &Database) {
    let url = database.url();
    let load = Load::new();
    let on_postgres = matches!(database, Database::Postgres(_));
    for place in Place::ALL {
        if place == Place::Inserted && on_postgres {
            continue;
        }
        for passage in [1, 7] {
            let server = Orders::on(&url).at(place, Deed::Kill(passage)).start();
            let clients = load.clients(server.address, CLIENTS, &CancellationToken::new());
            let status = server.ended().await;
            clients.join_all().await;
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "at {place:?}");
        }
    }
    verdict_after(&load, &url, &mut Vec::new()).await.assert_innocent();
}

async fn f12_a_client_that_hangs_up_between_hash_and_commit_is_registered_whole(database: &Database) {
    let (url, load) = (database.url(), Load::new());
    for place in [Place::Hashed, Place::Sealed] {
        let server = Orders::on(&url).at(place, Deed::Gather(1)).start();
        let number = load.number();
        let mut client = Client::connect(server.address).await;
        let mut server = tokio::select! {
            told = load.sign_up(&mut client, number) => panic!("{told:?}, although the server holds it"),
            server = server.gathered() => server,
        };
        drop(client);
        server.go();
        // Nobody tells when a sign-up without a client is done, but others see it.
        let begun = Instant::now();
        let mine = format!("SELECT email FROM users WHERE email = '{}'", email(number));
        while rows(&url, &mine).await.is_empty() {
            assert!(begun.elapsed() < GUARD, "it was not registered");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        load.run(server.address, 1, 3).await;
        let mut another = Client::connect(server.address).await;
        let told = load.sign_up_under("the key of another request", &mut another, number).await;
        assert_eq!(told.expect("an answer"), 409, "it was registered although nobody waited");
        server.kill();
        let verdict = judge(&load.journal, &url).await;
        verdict.assert_innocent();
    }
}

async fn on_two_servers_an_address_is_registered_once(database: &Database) {
    const RACERS: usize = 12;
    let (url, load) = (database.url(), Load::new());
    let gather = Orders::on(&url).at(Place::Hashed, Deed::Gather(RACERS / 2));
    for _ in 0..3 {
        let (one, other) = (gather.start(), gather.start());
        let (addresses, numbers) = ([one.address, other.address], [load.number(); RACERS]);
        // All of them have passed the look-up when the first comes to the insert.
        let race = async {
            let (mut one, mut other) = tokio::join!(one.gathered(), other.gathered());
            one.go();
            other.go();
            (one, other)
        };
        tokio::join!(at_once(&load, &addresses, &numbers), race);
    }
    let verdict = judge(&load.journal, &url).await;
    verdict.assert_innocent();
    assert_eq!((verdict.acknowledged, verdict.unknown), (3, 0), "{verdict:?}");
}

async fn control_a_server_that_answers_early_is_found_out(database: &Database) {
    let (url, load) = (database.url(), Load::new());
    let server = Orders::on(&url).early().at(Place::Hashed, Deed::Kill(20)).start();
    load.clients(server.address, CLIENTS, &CancellationToken::new()).join_all().await;
    drop(server);
    let verdict = judge(&load.journal, &url).await;
    assert!(!verdict.lost.is_empty(), "the judge must find what was lost: {verdict:?}");
}

async fn control_without_its_unique_index_the_database_holds_doubles(database: &Database) {
    const RACERS: usize = 6;
    let (url, load) = (database.url(), Load::new());
    Orders::on(&url).start().kill();
    drop_index(database).await;
    let server = Orders::on(&url).at(Place::Hashed, Deed::Gather(RACERS)).start();
    let (addresses, numbers) = ([server.address], [load.number(); RACERS]);
    let race = async {
        let mut server = server.gathered().await;
        server.go();
        server
    };
    tokio::join!(at_once(&load, &addresses, &numbers), race);
    let verdict = judge(&load.journal, &url).await;
    assert!(!verdict.doubled.is_empty(), "the judge must find the doubles: {verdict:?}");
}

/// Takes from `user_keys` what makes it unique.
async fn drop_index(database: &Database) {
    let sql = match database {
        Database::Sqlite(_) => {
            "DROP TABLE user_keys; CREATE TABLE user_keys (kind TEXT, value TEXT, user_id INTEGER)"
        }
        Database::Postgres(_) => "ALTER TABLE user_keys DROP CONSTRAINT user_keys_pkey",
    };
    super::rows::execute(&database.url(), sql).await;
}
