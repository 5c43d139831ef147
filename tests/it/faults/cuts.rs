//! The connection to PostgreSQL is cut on every message around the commit.

use vestibule::clock::Clock;
use vestibule::contract::shipped;
use vestibule::store::{DatabaseUrl, Opening, Store};

use super::judge::judge;
use super::load::{Load, email};
use super::proxy::{Cut, MESSAGES, Proxy};
use super::rows::rows;
use super::server::Orders;
use crate::harness::client::Client;
use crate::harness::postgres::Database;
use crate::harness::server::Server;

/// A server in this process on a database behind a proxy.
pub(super) async fn serve(url: &str) -> Server {
    let url = DatabaseUrl::parse(url).expect("a database URL");
    let store = Store::open(&url, Opening::Serve).await.expect("the database opens");
    Server::with("knex", shipped("knex").expect("a shipped contract"), store, |app| {
        app.clock = Clock::system();
    })
    .await
}

async fn proxy(database: &Database) -> (Proxy, String) {
    let config: tokio_postgres::Config = database.url.parse().expect("the test server's URL");
    let Some(tokio_postgres::config::Host::Unix(folder)) = config.get_hosts().first() else {
        panic!("these tests need a server with a Unix socket: {}", database.url)
    };
    let proxy = Proxy::before(folder, config.get_ports().first().copied().unwrap_or(5432)).await;
    let url = proxy.url(config.get_dbname().expect("a database"));
    (proxy, url)
}

fn cuts() -> Vec<Cut> {
    let mut cuts = vec![Cut::BeforeInsert, Cut::AfterInsert, Cut::BeforeCommit];
    cuts.extend((0..=MESSAGES).map(Cut::AfterMessages));
    cuts
}

#[tokio::test(flavor = "multi_thread")]
async fn f6_a_cut_around_the_commit_is_never_told_as_a_success_or_as_taken() {
    let database = Database::create().await;
    let (proxy, url) = proxy(&database).await;
    let (server, load) = (serve(&url).await, Load::new());
    let mut told = Vec::new();
    for cut in cuts() {
        proxy.cut(cut);
        let number = load.number();
        let mut client = Client::connect(server.address).await;
        let status = load.sign_up(&mut client, number).await.expect("an answer");
        assert!(proxy.has_cut(), "{cut:?}");
        let user = format!("SELECT id FROM users WHERE email = '{}'", email(number));
        let users = rows(&database.url, &user).await.len();
        match cut {
            Cut::BeforeInsert | Cut::BeforeCommit => {
                assert_eq!((status, users), (503, 0), "{cut:?}")
            }
            // The server may still be at it; that it decides shows in the end.
            Cut::AfterInsert => assert_eq!(status, 503),
            Cut::AfterMessages(_) => {
                assert!(status == 503 || status == 200, "{cut:?}: {status}");
                assert_eq!(users, 1, "{cut:?}");
            }
        }
        told.push(status);
        load.resolve(server.address).await;
    }
    assert_eq!(told.last(), Some(&200), "the last cut was behind the last message");
    assert_eq!(told.iter().filter(|status| **status == 200).count(), 1, "{told:?}");
    let verdict = judge(&load.journal, &database.url).await;
    assert!(verdict.findings().is_empty(), "{:#?}", verdict.findings());
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_a_server_that_answers_early_is_found_out_by_a_cut() {
    let database = Database::create().await;
    let (proxy, url) = proxy(&database).await;
    let (server, load) = (Orders::on(&url).early().start(), Load::new());
    proxy.cut(Cut::BeforeCommit);
    let mut client = Client::connect(server.address).await;
    assert_eq!(load.sign_up(&mut client, load.number()).await.expect("an answer"), 200);
    while !proxy.has_cut() {
        tokio::task::yield_now().await;
    }
    server.kill();
    let verdict = judge(&load.journal, &database.url).await;
    assert_eq!(verdict.lost.len(), 1, "the judge must find what was lost: {verdict:?}");
    database.drop().await;
}
