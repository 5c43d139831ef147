//! H6 with several processes: what one lets in counts for all.

use std::time::{Duration, Instant};

use vestibule::app::App;
use vestibule::clock::Clock;
use vestibule::config::Rates;
use vestibule::contract;
use vestibule::store::Store;
use vestibule::throttle::Throttle;

use super::h6_rates::{NONE, hourly, sign_up};
use crate::harness::client::{Client, Reply, at_once, post, with};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;
use crate::harness::server::{PEER, Server};

on_both! {
    h6_ten_allowed_are_ten_of_500_at_once_on_two_processes
    h6_a_network_counts_on_all_processes_and_what_is_refused_is_learnt
    h6_without_its_database_nobody_is_let_in
    h6_a_full_shared_table_lets_no_stranger_in
    h6_a_repetition_counts_for_its_network_and_not_for_its_name
}

/// A server that shares its limits in `limits`, for so many buckets.
async fn server(database: &Database, rates: &Rates, limits: &Store, most: usize) -> Server {
    let throttle = Throttle::new(rates).shared_by(limits.clone(), b"a secret", most);
    server_with(database.open().await, |app| app.throttle = throttle).await
}

async fn server_with(store: Store, change: impl FnOnce(&mut App)) -> Server {
    let text = include_str!("../../../contracts/knex.toml");
    let contract = contract::load(text).contract.expect("a shipped contract");
    Server::with("knex", contract, store, change).await
}

/// What is no JSON is a try like everything else, and costs nothing.
async fn try_from(server: &Server, address: &str) -> Reply {
    Client::connect(server.address).await.ask(&with(&post("/users", "{"), PEER, address)).await
}

async fn h6_ten_allowed_are_ten_of_500_at_once_on_two_processes(database: &Database) {
    let serve = || {
        let set = ["rates.shared=true", "rates.account=10/h", "rates.network=7/h", "passwords.deadline=100s"];
        let serve = set.iter().fold(Vestibule::serve(database), |serve, set| serve.with(&["--set", set]));
        serve
            .with(&["--set", "trusted_proxies=127.0.0.1"])
            .env("VESTIBULE_TOKEN_SECRET", "one secret for all processes of a deployment")
            .start()
    };
    let servers = [serve(), serve()];
    let malformed = |_| with(&post("/knex/users", "{"), "x-forwarded-for", "192.0.2.1");
    let sign_up = |number: usize| {
        let body = format!(r#"{{"email":"Jane@Example.com","password":"secret-{number}"}}"#);
        post("/knex/users", &body)
    };
    let requests: [(Vec<Vec<u8>>, usize, usize); 2] =
        [((0..500).map(malformed).collect(), 7, 0), ((0..500).map(sign_up).collect(), 10, 1)];
    for (requests, expected, accounts) in requests {
        let (mut let_in, mut created) = (0, 0);
        for reply in at_once(&[servers[0].address, servers[1].address], requests).await {
            assert!([200, 400, 409, 429].contains(&reply.status), "{reply:?}");
            let_in += usize::from(reply.status != 429);
            created += usize::from(reply.status == 200);
        }
        assert_eq!(let_in, expected);
        assert_eq!(created, accounts);
    }
}

async fn h6_a_network_counts_on_all_processes_and_what_is_refused_is_learnt(database: &Database) {
    let (rates, limits) = (Rates { network: hourly(3), ..NONE }, database.open().await);
    let servers =
        [server(database, &rates, &limits, 100).await, server(database, &rates, &limits, 100).await];
    for (server, status) in [(0, 400), (1, 400), (0, 400), (1, 429)] {
        assert_eq!(try_from(&servers[server], "192.0.2.1").await.status, status);
    }
    assert_eq!(try_from(&servers[1], "192.0.2.2").await.status, 400);
    assert_eq!(try_from(&servers[1], "127.0.0.1").await.status, 400, "this machine is no network");
    // Who was refused knows why and need not ask any more; the other one has let in two of three and cannot know.
    limits.close().await;
    assert_eq!(try_from(&servers[0], "192.0.2.1").await.status, 503);
    let refused = try_from(&servers[1], "192.0.2.1").await;
    assert_eq!((refused.status, refused.header("ratelimit-policy")), (429, r#""network";q=3;w=3600"#));
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1080..=1200).contains(&wait), "{wait}");
}

async fn h6_without_its_database_nobody_is_let_in(database: &Database) {
    let (rates, limits) = (Rates { account: hourly(3), ..NONE }, database.open().await);
    let server = server(database, &rates, &limits, 100).await;
    limits.close().await;
    let busy = Client::connect(server.address).await.ask(&sign_up("jane@example.com")).await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, "1"));
    assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
}

async fn h6_a_full_shared_table_lets_no_stranger_in(database: &Database) {
    let (rates, limits) = (Rates { network: hourly(3), ..NONE }, database.open().await);
    let server = server(database, &rates, &limits, 20).await;
    for number in 0..20 {
        assert_eq!(try_from(&server, &format!("198.51.100.{number}")).await.status, 400);
    }
    server.app.throttle.tidy().await.expect("the store answers");
    let refused = try_from(&server, "203.0.113.1").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "60"));
    assert_eq!(try_from(&server, "198.51.100.7").await.status, 400, "it is known");
    database.execute("UPDATE rate_limits SET until = 1").await;
    server.app.throttle.tidy().await.expect("the store answers");
    assert_eq!(try_from(&server, "203.0.113.2").await.status, 400, "there is room again");
}

async fn h6_a_repetition_counts_for_its_network_and_not_for_its_name(database: &Database) {
    let rates = Rates { account: hourly(1), network: hourly(5), ..NONE };
    let server = server(database, &rates, &database.open().await, 100).await;
    let mut client = Client::connect(server.address).await;
    let plain = with(&sign_up("jane@example.com"), PEER, "192.0.2.1");
    let keyed = with(&plain, "idempotency-key", "k");
    let first = client.ask(&keyed).await;
    assert_eq!(first.status, 200, "{first:?}");
    for _ in 0..3 {
        let again = client.ask(&keyed).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
    }
    assert_eq!(client.ask(&plain).await.header("ratelimit"), r#""account";r=0;t=3600"#);
    assert_eq!(client.ask(&keyed).await.header("ratelimit"), r#""network";r=0;t=720"#);
}

/// `scripts/with-postgres --durable cargo test --test it -- --ignored --nocapture h6_what_counting_together_costs`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "a measurement says what it found")]
async fn h6_what_counting_together_costs() {
    let rates = Rates { network: hourly(1_000_000), account: hourly(1_000_000), keys: 1_000_000, ..NONE };
    for (name, database) in [("SQLite", Database::sqlite()), ("PostgreSQL", Database::postgres().await)] {
        // One store for both: on SQLite two would wait for each other's lock.
        let store = database.open().await;
        let throttle = Throttle::new(&rates).shared_by(store.clone(), b"a secret", 1_000_000);
        // Two clocks that stand still would make the same ids.
        let with = |throttle| |app: &mut App| (app.throttle, app.clock) = (throttle, Clock::system());
        let together = server_with(store.clone(), with(throttle)).await;
        let alone = server_with(store, with(Throttle::new(&rates))).await;
        for (clients, each) in [(1, 100), (64, 8)] {
            let mut times = [Vec::new(), Vec::new()];
            for round in 0..6 {
                for (number, server) in [&alone, &together].into_iter().enumerate() {
                    times[number].push(sign_ups(server, clients, each, &format!("{round}-{number}")).await);
                }
            }
            let [alone, together] = times.map(|mut times| {
                times.sort_unstable();
                times[times.len() / 2]
            });
            println!("{name}, {clients} at a time, one sign-up each: {alone:?} alone, {together:?} together");
        }
        database.remove().await;
    }
}

/// How long one sign-up took on the average of so many clients with so many each.
async fn sign_ups(server: &Server, clients: usize, each: usize, run: &str) -> Duration {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let (address, run) = (server.address, run.to_owned());
            tokio::spawn(async move {
                let mut connection = Client::connect(address).await;
                for number in 0..each {
                    let email = format!("{clients}-{run}-{client}-{number}@example.com");
                    let reply = connection.ask(&with(&sign_up(&email), PEER, "192.0.2.1")).await;
                    assert_eq!(reply.status, 200, "{reply:?}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no client panics");
    }
    begun.elapsed() / each as u32
}
