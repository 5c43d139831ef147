//! First starts that are killed half-way, and several at once.

use std::time::{Duration, Instant};

use super::campaign::Dice;
use super::judge::judge;
use super::load::Load;
use super::rows::rows;
use super::server::{Faulty, Orders};
use crate::harness::database::Database;

on_both! {
    f10_a_first_start_that_is_killed_is_resumed
    f10_several_first_starts_at_once_migrate_once
}

/// How often each migration was applied: as many rows as migrations, when none was twice.
pub(super) async fn assert_migrated_once(url: &str) {
    let versions = rows(url, "SELECT version FROM vestibule_migrations ORDER BY version").await.concat();
    let numbered: Vec<String> = (1..=versions.len()).map(|number| number.to_string()).collect();
    assert!(!versions.is_empty() && versions == numbered, "{versions:?}");
}

async fn f10_a_first_start_that_is_killed_is_resumed(database: &Database) {
    let (url, load, mut dice) = (database.url(), Load::new(), Dice::new());
    // How long a start takes here, on another database of the kind.
    let other = database.another().await;
    let begun = Instant::now();
    drop(Orders::on(&other.url()).start());
    let usual = begun.elapsed().as_micros() as u64;
    other.remove().await;
    for _ in 0..12 {
        let mut child = Orders::on(&url).spawn();
        // The moment of the kill is the fault itself.
        tokio::time::sleep(Duration::from_micros(dice.below(usual))).await;
        child.kill().expect("a child can be killed");
        child.wait().expect("a child ends");
    }
    let server = Orders::on(&url).start();
    load.register(server.address, 4, 10).await;
    server.kill();
    assert_migrated_once(&url).await;
    judge(&load.journal, &url).await.assert_innocent();
}

async fn f10_several_first_starts_at_once_migrate_once(database: &Database) {
    let (url, load) = (database.url(), Load::new());
    let starting: Vec<_> = (0..3)
        .map(|_| {
            let command = Orders::on(&url).command();
            tokio::task::spawn_blocking(move || Faulty::start(command))
        })
        .collect();
    for server in starting {
        let server = server.await.expect("it starts");
        load.register(server.address, 4, 10).await;
    }
    assert_migrated_once(&url).await;
    judge(&load.journal, &url).await.assert_innocent();
}
