//! H6: how often a network, an address and everybody together may try.

use std::time::Duration;

use vestibule::config::{Rate, Rates};
use vestibule::contract;
use vestibule::throttle::{Limit, Throttle};
use vestibule::user::Key;

use crate::harness::client::{Client, Reply, at_once, post, with};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;
use crate::harness::server::{PEER, Server};

on_both! {
    h6_ten_allowed_are_ten_of_500_at_once
    h6_the_answer_does_not_tell_whether_there_is_an_account
    h6_a_repetition_counts_for_its_network_and_not_for_its_name
}

pub(super) const NONE: Rates =
    Rates { network: None, site: None, account: None, total: None, keys: 1000, shared: false };

pub(super) fn hourly(count: u32) -> Option<Rate> {
    Some(Rate { count, per: Duration::from_secs(3600), burst: count })
}

async fn server(database: &Database, rates: Rates) -> Server {
    let text = include_str!("../../../contracts/knex.toml");
    let contract = contract::load(text).contract.expect("a shipped contract");
    Server::with("knex", contract, database.open().await, |app| app.throttle = Throttle::new(&rates)).await
}

pub(super) fn sign_up(email: &str) -> Vec<u8> {
    post("/users", &format!(r#"{{"email":"{email}","password":"supersecret"}}"#))
}

/// What a try from an address comes to; what is no JSON is counted like everything else, and costs nothing.
async fn try_from(server: &Server, address: &str) -> Reply {
    Client::connect(server.address).await.ask(&with(&post("/users", "{"), PEER, address)).await
}

const LIMITS: [&str; 4] = ["network", "site", "total", "account"];

/// Where the tries against a limit come from: they have what it counts in common, and nothing narrower.
fn origin(limit: &str, number: usize) -> String {
    match limit {
        "network" => format!("2001:db8:0:1:{number:x}::1"),
        "site" => format!("2001:db8:1:{number:x}::1"),
        _ => format!("198.{}.{}.1", 18 + number / 256, number % 256),
    }
}

async fn h6_ten_allowed_are_ten_of_500_at_once(database: &Database) {
    for limit in LIMITS {
        let mut serve = Vestibule::serve(database).with(&[
            "--set",
            "trusted_proxies=127.0.0.1",
            "--set",
            "passwords.deadline=100s",
        ]);
        for other in LIMITS {
            let rate = if other == limit { "10/h" } else { "off" };
            serve = serve.with(&["--set", &format!("rates.{other}={rate}")]);
        }
        let server = serve.start();
        let tries = (0..500)
            .map(|number: usize| {
                let email = ["jane@example.com", "JANE@Example.com", "Jane@EXAMPLE.COM"][number % 3];
                let body = format!(r#"{{"email":"{email}","password":"secret-{number}"}}"#);
                // What is no JSON is counted like everything else, but for names, and costs no hash.
                let body = if limit == "account" { &body } else { "{" };
                with(&post("/knex/users", body), "x-forwarded-for", &origin(limit, number))
            })
            .collect();
        let (mut let_in, mut created) = (0, 0);
        for reply in at_once(&[server.address], tries).await {
            let_in += usize::from(reply.status != 429);
            created += usize::from(reply.status == 200);
            if reply.status == 429 {
                assert_eq!(reply.header("ratelimit-policy"), format!(r#""{limit}";q=10;w=3600"#));
                let wait: u64 = reply.header("retry-after").parse().expect("seconds");
                assert!((1..=360).contains(&wait), "{reply:?}");
            }
        }
        assert_eq!((let_in, created), (10, usize::from(limit == "account")), "{limit}");
        // Another name, network or site is another bucket; of all together there is one.
        let other = r#"{"email":"june@example.com","password":"secret-1"}"#;
        let other = with(&post("/knex/users", other), "x-forwarded-for", "203.0.113.1");
        let status = server.connect().await.ask(&other).await.status;
        let expected: &[u16] = if limit == "total" { &[429] } else { &[200, 409] };
        assert!(expected.contains(&status), "{limit}: {status}");
    }
}

async fn h6_the_answer_does_not_tell_whether_there_is_an_account(database: &Database) {
    let server = server(database, Rates { account: hourly(2), ..NONE }).await;
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.ask(&sign_up("jane@example.com")).await.status, 200);
    assert_eq!(client.ask(&sign_up("jane@example.com")).await.status, 409);
    // From here on whoever asks for a hash fails, so that this name never gets an account.
    server.app.passwords.close();
    for _ in 0..2 {
        assert_eq!(client.ask(&sign_up("june@example.com")).await.status, 500, "it is not throttled yet");
    }
    let told = |reply: Reply| {
        let headers: Vec<_> =
            reply.headers.into_iter().filter(|(name, _)| name != "date" && name != "x-request-id").collect();
        (reply.status, headers, reply.body)
    };
    let known = told(client.ask(&sign_up("jane@example.com")).await);
    let unknown = told(client.ask(&sign_up("june@example.com")).await);
    assert_eq!((known.0, &known), (429, &unknown));
}

async fn h6_a_repetition_counts_for_its_network_and_not_for_its_name(database: &Database) {
    let server = server(database, Rates { account: hourly(1), network: hourly(5), ..NONE }).await;
    let mut client = Client::connect(server.address).await;
    let plain = with(&sign_up("jane@example.com"), PEER, "192.0.2.1");
    let keyed = with(&plain, "idempotency-key", "k");
    let first = client.ask(&keyed).await;
    assert_eq!(first.status, 200, "{first:?}");
    for _ in 0..3 {
        let again = client.ask(&keyed).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
    }
    let refused = client.ask(&plain).await;
    assert_eq!((refused.status, refused.header("ratelimit")), (429, r#""account";r=0;t=3600"#));
    let refused = client.ask(&keyed).await;
    assert_eq!((refused.status, refused.header("ratelimit")), (429, r#""network";r=0;t=720"#));
}

#[tokio::test]
async fn h6_each_network_and_site_has_a_budget_of_its_own() {
    let database = Database::sqlite();
    let burst = Some(Rate { count: 120, per: Duration::from_secs(3600), burst: 30 });
    let server = server(&database, Rates { network: burst, site: hourly(70), ..NONE }).await;
    for address in ["192.0.2.1", "2001:db8:0:1::1"] {
        for _ in 0..30 {
            assert_eq!(try_from(&server, address).await.status, 400, "{address}");
        }
    }
    // A mapped address is the IPv4 one; the second half of an IPv6 address is the subscriber's own choice.
    for address in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:0:1::1", "2001:db8:0:1:2:3:4:5"] {
        let refused = try_from(&server, address).await;
        assert_eq!(refused.status, 429, "{address}: {refused:?}");
        assert_eq!(refused.header("retry-after"), "30");
        assert_eq!(refused.header("ratelimit"), r#""network";r=0;t=30"#);
        assert_eq!(refused.header("ratelimit-policy"), r#""network";q=30;w=900"#);
        assert_eq!(refused.headers.iter().filter(|(name, _)| name.starts_with("ratelimit")).count(), 2);
    }
    // Its site has 40 more, from whichever of its networks.
    for network in 2..42 {
        assert_eq!(try_from(&server, &format!("2001:db8:0:{network:x}::1")).await.status, 400, "{network}");
    }
    let refused = try_from(&server, "2001:db8:0:99::1").await;
    assert_eq!((refused.status, refused.header("ratelimit")), (429, r#""site";r=0;t=52"#));
    for address in ["192.0.2.2", "2001:db8:1::1", "127.0.0.1", "::1"] {
        assert_eq!(try_from(&server, address).await.status, 400, "{address}");
    }
}

#[tokio::test]
async fn h6_this_machine_is_no_network_and_all_together_are_limited() {
    let database = Database::sqlite();
    let server = server(&database, Rates { network: hourly(1), total: hourly(5), ..NONE }).await;
    for address in ["127.0.0.1", "::1", "127.0.0.1", "192.0.2.1", "192.0.2.2"] {
        assert_eq!(try_from(&server, address).await.status, 400, "{address}");
    }
    let refused = try_from(&server, "192.0.2.3").await;
    assert_eq!((refused.status, refused.header("ratelimit")), (429, r#""total";r=0;t=720"#));
}

#[tokio::test]
async fn h6_what_is_throttled_is_not_hashed() {
    let database = Database::sqlite();
    let server = server(&database, Rates { network: hourly(2), ..NONE }).await;
    server.app.passwords.close();
    let mut client = Client::connect(server.address).await;
    for (number, expected) in [500, 500, 429, 429].into_iter().enumerate() {
        let request = with(&sign_up(&format!("jane{number}@example.com")), PEER, "192.0.2.1");
        assert_eq!(client.ask(&request).await.status, expected);
    }
}

#[tokio::test]
async fn h6_memory_is_bounded_and_a_full_table_lets_no_stranger_in() {
    let database = Database::sqlite();
    let server = server(&database, Rates { network: hourly(3), keys: 50, ..NONE }).await;
    let mut known = Vec::new();
    for number in 0..2000 {
        let address = format!("198.51.{}.{}", 100 + number / 250, number % 250);
        match try_from(&server, &address).await.status {
            400 => known.push(address),
            status => assert_eq!(status, 429),
        }
    }
    assert!((1..=50).contains(&known.len()) && server.app.throttle.keys() == known.len(), "{}", known.len());
    let refused = try_from(&server, "203.0.113.1").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "60"));
    for address in &known {
        assert_eq!(try_from(&server, address).await.status, 400, "{address} is known");
    }
}

#[tokio::test]
async fn h6_who_is_refused_by_one_limit_takes_no_room_in_another() {
    let database = Database::sqlite();
    let rates = Rates { network: hourly(3), site: hourly(5), keys: 160, ..NONE };
    let server = server(&database, rates).await;
    let mut let_in = 0;
    for network in 0..400 {
        let status = try_from(&server, &format!("2001:db8:0:{network:x}::1")).await.status;
        let_in += usize::from(status == 400);
        assert_eq!(status, if network < 5 { 400 } else { 429 }, "{network}");
    }
    assert_eq!((let_in, server.app.throttle.keys()), (5, 6), "five networks and their site");
    for address in ["203.0.113.1", "2001:db8:1::1"] {
        assert_eq!(try_from(&server, address).await.status, 400, "{address} finds room");
    }
}

#[test]
fn h6_a_refused_name_does_not_use_up_the_one_beside_it() {
    let throttle = Throttle::new(&Rates { account: hourly(1), total: hourly(1), network: hourly(9), ..NONE });
    let key = |kind: &str, value: &str| Key { kind: kind.to_owned(), value: value.to_owned() };
    let names = |email, user| {
        let keys = [key("email", email), key("username", user)];
        throttle.names("knex", &keys, Duration::ZERO).map(drop).map_err(|throttled| throttled.limit)
    };
    assert_eq!(names("jane@example.com", "jane"), Ok(()));
    assert_eq!(names("june@example.com", "jane"), Err(Limit::Account));
    assert_eq!(names("june@example.com", "june"), Ok(()), "her address was not counted with the name");
    let arrival = |last| throttle.arrival("knex", Some([192, 0, 2, last].into()), Duration::ZERO).map(drop);
    let known = throttle.keys();
    assert_eq!(arrival(1), Ok(()));
    (2..200)
        .for_each(|last| assert_eq!(arrival(last).map_err(|throttled| throttled.limit), Err(Limit::Total)));
    assert_eq!(throttle.keys(), known + 2, "one network and everybody");
}

#[test]
fn h6_what_is_no_rate_is_refused_at_start() {
    let wrong = ["--set", "rates.network=often", "--set", "rates.account=0/h", "--set", "rates.keys=1"];
    let refused = Vestibule::new(&["serve"]).with(&wrong).run();
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    for name in ["rates.network", "rates.account", "rates.keys"] {
        assert!(refused.err.contains(name), "{}", refused.err);
    }
}

/// `cargo test --release --test it -- --ignored --nocapture h6_a_million`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "a measurement says what it found")]
fn h6_a_million_networks_cost() {
    let resident = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    };
    let (throttle, before) =
        (Throttle::new(&Rates { network: hourly(120), keys: 1_100_000, ..NONE }), resident());
    let address = |number: u32| Some(std::net::IpAddr::from((0x0100_0000 + number).to_be_bytes()));
    let all = || {
        let begun = std::time::Instant::now();
        for number in 0..1_000_000 {
            let _ = throttle.arrival("standard", address(number), Duration::ZERO).expect("there is room");
        }
        begun.elapsed() / 1_000_000
    };
    let (new, known) = (all(), all());
    let kib = resident() - before;
    println!("{} networks: {kib} KiB; a new one {new:?}, a known one {known:?}", throttle.keys());
    assert!(kib < 48 * 1024, "{kib} KiB");
}
