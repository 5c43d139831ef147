//! A new version starts on the database of an older one: killed half-way, several at once, and beside the older one.

use std::time::{Duration, Instant};

use super::campaign::Dice;
use super::older::{self, Contents, PASSWORD, PEOPLE};
use super::server::{Faulty, Orders};
use super::starts::assert_migrated_once;
use crate::harness::client::{Client, post};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;
use crate::harness::strace::{is_wanted, killing};

on_both! {
    f10_an_upgrade_that_is_killed_at_any_moment_is_resumed
    f10_an_upgrade_that_is_killed_at_every_write_is_resumed
    f10_several_upgrades_at_once_migrate_once
    f10_what_an_older_version_asks_goes_on_working
}

/// A database of the same kind as this one, of an earlier schema.
async fn older(like: &Database, number: usize) -> (Database, Contents) {
    let database = like.another().await;
    older::make(&database, number).await;
    let contents = Contents::of(&database).await;
    (database, contents)
}

/// Starts what must start now, and holds the database against what it was.
async fn assert_upgraded(database: Database, before: &Contents) {
    Orders::on(&database.url()).start().kill();
    assert_migrated_once(&database.url()).await;
    before.assert_whole(&database).await;
    assert_serves(&database).await;
    database.remove().await;
}

/// The older accounts open, their addresses are taken, and there are new ones.
async fn assert_serves(database: &Database) {
    let server = Orders::on(&database.url()).start();
    let mut client = Client::connect(server.address).await;
    let sign_up = |email: &str| post("/users", &format!(r#"{{"email":"{email}","password":"a password"}}"#));
    for person in [PEOPLE.start, PEOPLE.end - 1] {
        assert_eq!(client.ask(&sign_up(&older::email(person))).await.status, 409);
    }
    assert_eq!(client.ask(&sign_up("newer@example.com")).await.status, 200);
    server.kill();
    let verify = Vestibule::new(&["user", "verify", &older::email(PEOPLE.start)]).on(database);
    let verified = verify.input(format!("{PASSWORD}\n").as_bytes()).run();
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
}

async fn f10_an_upgrade_that_is_killed_at_any_moment_is_resumed(like: &Database) {
    let mut dice = Dice::new();
    for number in older::numbers() {
        // How long such a start takes here.
        let (database, before) = older(like, number).await;
        let begun = Instant::now();
        assert_upgraded(database, &before).await;
        let usual = begun.elapsed().as_micros() as u64 / 2;
        let (database, before) = older(like, number).await;
        for _ in 0..8 {
            let mut child = Orders::on(&database.url()).spawn();
            // The moment of the kill is the fault itself.
            tokio::time::sleep(Duration::from_micros(dice.below(usual))).await;
            child.kill().expect("a child can be killed");
            child.wait().expect("a child ends");
        }
        assert_upgraded(database, &before).await;
    }
}

async fn f10_an_upgrade_that_is_killed_at_every_write_is_resumed(like: &Database) {
    if !is_wanted() {
        return;
    }
    // Ever later, until it lives to serve: on a database that was never upgraded, so that each kill meets an upgrade.
    for number in older::numbers() {
        let mut kills = 0;
        loop {
            let (database, before) = older(like, number).await;
            let orders = Orders::on(&database.url());
            let served = Faulty::try_start(orders.command_under(&killing(kills + 1))).is_ok();
            before.assert_whole(&database).await;
            assert_upgraded(database, &before).await;
            if served {
                break;
            }
            kills += 1;
        }
        assert!(kills > 3, "from {number} there was nothing to kill: {kills}");
    }
}

async fn f10_several_upgrades_at_once_migrate_once(like: &Database) {
    for number in older::numbers() {
        let (database, before) = older(like, number).await;
        let starting: Vec<_> = (0..3)
            .map(|_| {
                let command = Orders::on(&database.url()).command();
                tokio::task::spawn_blocking(move || Faulty::start(command))
            })
            .collect();
        for server in starting {
            server.await.expect("it starts").kill();
        }
        assert_upgraded(database, &before).await;
    }
}

/// An older program that runs while a newer one migrates goes on with its own statements, which are kept as they were.
async fn f10_what_an_older_version_asks_goes_on_working(like: &Database) {
    for number in older::numbers() {
        let (database, _) = older(like, number).await;
        let server = Orders::on(&database.url()).start();
        let mut client = Client::connect(server.address).await;
        let person = PEOPLE.end;
        older::sign_up(&database, number, person).await;
        let body = format!(r#"{{"email":"{}","password":"a password"}}"#, older::email(person));
        assert_eq!(client.ask(&post("/users", &body)).await.status, 409, "what the older one made counts");
        let verify = Vestibule::new(&["user", "verify", &older::email(person)]).on(&database);
        let verified = verify.input(format!("{PASSWORD}\n").as_bytes()).run();
        assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
        server.kill();
        database.remove().await;
    }
}
