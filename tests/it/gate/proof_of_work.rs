//! Proofs of work: whom they are asked of, that each counts once, and that the widget's own code makes them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::app::App;
use vestibule::clock::Clock;
use vestibule::contract;
use vestibule::password::{Engine, Hold, Params, Pool, PoolSettings, Source};
use vestibule::proof::{Demand, Policy, Proofs};
use vestibule::user::Password;

use crate::harness::backend::{altcha, script_of_the_guide, wanted};
use crate::harness::client::{Client, Reply, at_once, get, post, with};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;
use crate::harness::proof::solved;
use crate::harness::server::{Server, app};

on_both! {
    k2_64_uses_of_a_proof_on_two_processes_and_a_third_count_once
    proof_is_kept_by_what_is_refused_and_spent_before_the_hash
    proof_of_a_repetition_is_not_asked_for_again
    proof_that_is_new_makes_no_other_request
    proof_of_twins_under_one_key_makes_one_account
    proof_that_came_to_nothing_counts_again_under_its_key_alone
    proof_without_a_store_is_no_pass
}

const SPENT: &str = "SELECT count(*) FROM spent_proofs";

fn body(email: &str, proof: Option<&str>) -> String {
    let mut body = json!({ "email": email, "password": "tree frogs sing at dawn", "name": "Jane" });
    if let Some(proof) = proof {
        body["altcha"] = proof.into();
    }
    body.to_string()
}

fn sign_up(email: &str, proof: Option<&str>) -> Vec<u8> {
    post("/users", &body(email, proof))
}

/// `standard`, whose deployment asks `demand` for proofs, with parts of it changed.
async fn server(database: &Database, demand: Demand, change: impl FnOnce(&mut App)) -> Server {
    let text = include_str!("../../../contracts/standard.toml");
    let contract = contract::load(text).contract.expect("a shipped contract");
    let policy = Policy { demand, difficulty: 300, difficulty_under_load: 2400, ..Policy::nobody() };
    let store = database.open().await;
    let changed = |app: &mut App| {
        app.proofs = Arc::new(Proofs::new(b"a secret for tests", policy));
        change(app);
    };
    Server::with("standard", contract, store, changed).await
}

async fn challenge(client: &mut Client, path: &str) -> Value {
    let reply = client.ask(&get(path)).await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"), "{reply:?}");
    reply.json()
}

async fn proof(client: &mut Client) -> String {
    solved(&challenge(client, "/users/challenge").await)
}

/// The code of the only complaint.
fn code(reply: &Reply) -> String {
    let errors = reply.json()["errors"].clone();
    assert!(reply.status == 422 && errors.as_array().is_some_and(|all| all.len() == 1), "{reply:?}");
    assert_eq!(errors[0]["field"], "altcha");
    errors[0]["code"].as_str().expect("a code").to_owned()
}

async fn k2_64_uses_of_a_proof_on_two_processes_and_a_third_count_once(database: &Database) {
    let serve = || {
        let always =
            ["--contract", "standard", "--set", "proof.demand=always", "--set", "proof.difficulty=2000"];
        let secret = "a secret for tests that is long enough";
        Vestibule::serve(database).env("VESTIBULE_TOKEN_SECRET", secret).with(&always).start()
    };
    let servers = [serve(), serve()];
    let proof = proof(&mut servers[0].connect().await).await;
    let tries = (0..64).map(|number| sign_up(&format!("jane{number}@example.com"), Some(&proof))).collect();
    let mut created = 0;
    for reply in at_once(&[servers[0].address, servers[1].address], tries).await {
        if reply.status == 201 { created += 1 } else { assert_eq!(code(&reply), "proof_spent") }
    }
    drop(servers);
    let again = serve().connect().await.ask(&sign_up("june@example.com", Some(&proof))).await;
    assert_eq!((created, code(&again)), (1, "proof_spent".to_owned()));
    assert_eq!(database.number("SELECT count(*) FROM users").await, 1);
    assert_eq!(database.number(SPENT).await, 1);
}

async fn proof_is_kept_by_what_is_refused_and_spent_before_the_hash(database: &Database) {
    let server = server(database, Demand::Always, |_| ()).await;
    let mut client = Client::connect(server.address).await;
    let mine = proof(&mut client).await;
    assert_eq!(code(&client.ask(&sign_up("jane@example.com", None)).await), "proof_missing");
    assert_eq!(code(&client.ask(&sign_up("jane@example.com", Some(""))).await), "proof_missing");
    let wrong = client.ask(&sign_up("no address", Some(&mine))).await;
    assert_eq!((wrong.status, database.number(SPENT).await), (422, 0));
    assert_eq!(client.ask(&sign_up("jane@example.com", Some(&mine))).await.status, 201);
    // To ask whether an address is taken costs a proof, too.
    let other = proof(&mut client).await;
    assert_eq!(client.ask(&sign_up("jane@example.com", Some(&other))).await.status, 409);
    assert_eq!(code(&client.ask(&sign_up("june@example.com", Some(&other))).await), "proof_spent");
    // From here on whoever asks for a hash fails.
    let last = proof(&mut client).await;
    server.app.passwords.close();
    assert_eq!(client.ask(&sign_up("june@example.com", Some(&last))).await.status, 500);
    assert_eq!(code(&client.ask(&sign_up("june@example.com", Some(&last))).await), "proof_spent");
    let counted = server.app.metrics.encode().expect("metrics");
    for line in [
        "vestibule_proof_challenges_total 3",
        "vestibule_proof_spent_total 3",
        r#"vestibule_proof_refused_total{reason="missing"} 2"#,
        r#"vestibule_proof_refused_total{reason="spent"} 2"#,
    ] {
        assert!(counted.lines().any(|counted| counted == line), "{line}\n{counted}");
    }
}

/// Minutes after the time at which other servers of these tests stand still.
fn later(app: &mut App, minutes: i64) {
    let now = app.clock.now() + jiff::SignedDuration::from_mins(minutes);
    app.clock = Clock::fixed(now, 8);
}

async fn proof_of_a_repetition_is_not_asked_for_again(database: &Database) {
    let before = server(database, Demand::Always, |_| ()).await;
    let mut client = Client::connect(before.address).await;
    let mine = proof(&mut client).await;
    let keyed = with(&sign_up("jane@example.com", Some(&mine)), "idempotency-key", "k");
    let first = client.ask(&keyed).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(client.ask(&keyed).await.body, first.body);
    // When nobody asked for one.
    let at_rest = server(database, Demand::Never, |_| ()).await;
    let unasked = with(&sign_up("june@example.com", None), "idempotency-key", "k2");
    let second = Client::connect(at_rest.address).await.ask(&unasked).await;
    assert_eq!(second.status, 201, "{second:?}");
    let after = server(database, Demand::Always, |app| later(app, 20)).await;
    let mut client = Client::connect(after.address).await;
    for (request, reply) in [(&keyed, &first), (&unasked, &second)] {
        let again = client.ask(request).await;
        assert_eq!((again.status, &again.body), (201, &reply.body));
    }
    // Neither is a way around: others, and the same under other keys, are judged.
    for (request, told) in [
        (sign_up("jane@example.com", Some(&mine)), "proof_expired"),
        (with(&sign_up("joan@example.com", Some(&mine)), "idempotency-key", "k3"), "proof_expired"),
        (with(&sign_up("joan@example.com", None), "idempotency-key", "k4"), "proof_missing"),
    ] {
        assert_eq!(code(&client.ask(&request).await), told);
    }
    let other = with(&sign_up("joan@example.com", None), "idempotency-key", "k2");
    let refused = client.ask(&other).await;
    assert_eq!((refused.status, refused.json()["errors"].is_null()), (422, true), "the key is in use");
    assert_eq!(database.number("SELECT count(*) FROM users").await, 2);
}

/// Whoever heard no answer and sends the form again may have another proof by then: the widget makes a new one by itself.
async fn proof_that_is_new_makes_no_other_request(database: &Database) {
    let server = server(database, Demand::Always, |_| ()).await;
    let mut client = Client::connect(server.address).await;
    let [first, second] = [proof(&mut client).await, proof(&mut client).await];
    let keyed = |email: &str, proof| with(&sign_up(email, Some(proof)), "idempotency-key", "k");
    let made = client.ask(&keyed("jane@example.com", &first)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let again = client.ask(&keyed("jane@example.com", &second)).await;
    assert_eq!((again.status, &again.body), (201, &made.body));
    assert_eq!(database.number(SPENT).await, 1, "the other one is still good");
    // What is asked for still counts, and a proof that is none.
    let other = client.ask(&keyed("june@example.com", &second)).await;
    assert_eq!((other.status, other.json()["errors"].is_null()), (422, true), "{other:?}");
    assert_eq!(code(&client.ask(&keyed("jane@example.com", "x")).await), "proof_malformed");
    let next = with(&sign_up("june@example.com", Some(&second)), "idempotency-key", "k2");
    assert_eq!(client.ask(&next).await.status, 201);
}

async fn proof_of_twins_under_one_key_makes_one_account(database: &Database) {
    let server = server(database, Demand::Always, |_| ()).await;
    let proof = proof(&mut Client::connect(server.address).await).await;
    let request = with(&sign_up("jane@example.com", Some(&proof)), "idempotency-key", "k");
    let twins: Vec<_> = (0..4)
        .map(|_| {
            let (address, request) = (server.address, request.clone());
            tokio::spawn(async move { Client::connect(address).await.ask(&request).await })
        })
        .collect();
    let mut bodies = Vec::new();
    for twin in twins {
        let reply = twin.await.expect("no client panics");
        assert_eq!(reply.status, 201, "{reply:?}");
        bodies.push(reply.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(database.number("SELECT count(*) FROM users").await, 1);
}

async fn proof_that_came_to_nothing_counts_again_under_its_key_alone(database: &Database) {
    let broken = server(database, Demand::Always, |_| ()).await;
    let mut client = Client::connect(broken.address).await;
    let proof = proof(&mut client).await;
    let request = |email: &str| with(&sign_up(email, Some(&proof)), "idempotency-key", "k");
    broken.app.passwords.close();
    for _ in 0..3 {
        assert_eq!(client.ask(&request("jane@example.com")).await.status, 500);
    }
    assert_eq!(code(&client.ask(&request("june@example.com")).await), "proof_spent", "another request");
    let whole = server(database, Demand::Always, |_| ()).await;
    let mut client = Client::connect(whole.address).await;
    assert_eq!(code(&client.ask(&sign_up("jane@example.com", Some(&proof))).await), "proof_spent", "no key");
    assert_eq!(client.ask(&request("jane@example.com")).await.status, 201);
    // Five times, and then no more, whatever came of it.
    database.execute("DELETE FROM idempotency_keys").await;
    assert_eq!(client.ask(&request("jane@example.com")).await.status, 409);
    assert_eq!(code(&client.ask(&request("jane@example.com")).await), "proof_spent");
}

async fn proof_without_a_store_is_no_pass(database: &Database) {
    let server = server(database, Demand::Always, |_| ()).await;
    let mut client = Client::connect(server.address).await;
    let proof = proof(&mut client).await;
    database.execute("ALTER TABLE spent_proofs RENAME TO elsewhere").await;
    let refused = client.ask(&sign_up("jane@example.com", Some(&proof))).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{refused:?}");
    database.execute("ALTER TABLE elsewhere RENAME TO spent_proofs").await;
    assert_eq!(client.ask(&sign_up("jane@example.com", Some(&proof))).await.status, 201);
}

#[tokio::test]
async fn proof_is_asked_for_and_harder_the_fuller_the_queue_is() {
    let database = Database::sqlite();
    let settings = PoolSettings {
        engine: Engine::Fast,
        params: Params { iterations: 20, ..Params::default() },
        workers: 1,
        deadline: Duration::from_secs(20),
    };
    let slow = |app: &mut App| app.passwords = Pool::start(settings).expect("the pool starts");
    let server = server(&database, Demand::UnderLoad, slow).await;
    let mut client = Client::connect(server.address).await;
    assert_eq!(challenge(&mut client, "/users/challenge").await["maxnumber"], 300);
    assert_eq!(client.ask(&sign_up("jane@example.com", None)).await.status, 201, "nobody waits");
    // Begins in the quiet moment, and keeps its body for later.
    let mut early = Client::connect(server.address).await;
    let request = with(&sign_up("joan@example.com", None), "expect", "100-continue");
    let body = request.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    early.send(&request[..body]).await;
    assert!(early.head().await.starts_with("HTTP/1.1 100 "));
    server.app.passwords.hold(Some(Hold::BeforeTaking));
    let mut asked = vec![300];
    let mut crowd = Vec::new();
    // Each waits until the test lets go of it, which costs no hash.
    while let Ok(place) = server.app.passwords.place(Source(0)) {
        let (app, waiting) = (server.app.clone(), server.app.passwords.queue_len());
        crowd.push(tokio::spawn(async move {
            let (password, presence) =
                (Password::parse("supersecret").expect("one"), app.passwords.presence());
            app.passwords.hash(password, [0; 16], place, presence.claim()).await
        }));
        while server.app.passwords.queue_len() == waiting {
            tokio::task::yield_now().await;
        }
        let most = challenge(&mut client, "/users/challenge").await["maxnumber"].as_u64().expect("a number");
        if asked.last() != Some(&most) {
            asked.push(most);
        }
        assert!(crowd.len() < 1000, "the queue is never full");
    }
    assert_eq!(asked, [300, 600, 1200, 2400]);
    let mine = proof(&mut client).await;
    assert_eq!(code(&client.ask(&sign_up("june@example.com", None)).await), "proof_missing");
    early.send(&request[body..]).await;
    assert_eq!(code(&early.reply().await), "proof_missing", "what counts is the moment of its body");
    // Nothing is written for those who are sent away, and they keep their proof.
    let busy = client.ask(&sign_up("june@example.com", Some(&mine))).await;
    assert_eq!((busy.status, database.number(SPENT).await), (503, 0));
    crowd.iter().for_each(tokio::task::JoinHandle::abort);
    for one in crowd {
        drop(one.await);
    }
    server.app.passwords.hold(None);
    assert_eq!(client.ask(&sign_up("june@example.com", Some(&mine))).await.status, 201);
}

#[tokio::test]
async fn proof_belongs_to_its_contract_and_may_stand_in_a_header() {
    let text = include_str!("../../../contracts/standard.toml")
        .replace(r#"name = "altcha","#, r#"name = "altcha", from = "header:X-Altcha","#);
    let database = Database::sqlite();
    let contracts =
        ["--contract", "standard@/a", "--contract", "own.toml@/b", "--set", "proof.demand=always"];
    let quick = ["--set", "proof.difficulty=100", "--set", "proof.difficulty_under_load=100"];
    let server = Vestibule::serve(&database).file("own.toml", &text).with(&contracts).with(&quick).start();
    let mut client = server.connect().await;
    let a = solved(&challenge(&mut client, "/a/users/challenge").await);
    let b = solved(&challenge(&mut client, "/b/users/challenge").await);
    let bare = post("/b/users", &body("jane@example.com", None));
    assert_eq!(code(&client.ask(&bare).await), "proof_missing");
    assert_eq!(code(&client.ask(&with(&bare, "x-altcha", &a)).await), "proof_forged");
    assert_eq!(client.ask(&with(&bare, "x-altcha", &b)).await.status, 201);
    assert_eq!(client.ask(&post("/a/users", &body("june@example.com", Some(&a)))).await.status, 201);
}

/// Of contracts that share a path the more particular one answers, and so it is its challenge that is handed out.
#[tokio::test]
async fn proof_of_contracts_that_share_a_path_is_each_ones_own() {
    let standard = include_str!("../../../contracts/standard.toml");
    let particular = standard.replace(r#"path   = "/users""#, r#"path   = "/users?kind=b""#);
    assert_ne!(standard, particular);
    let database = Database::sqlite();
    let contracts = ["--contract", "a.toml@/", "--contract", "b.toml@/", "--set", "proof.demand=always"];
    let quick = ["--set", "proof.difficulty=100", "--set", "proof.difficulty_under_load=100"];
    let server = Vestibule::serve(&database)
        .file("a.toml", standard)
        .file("b.toml", &particular)
        .with(&contracts)
        .with(&quick)
        .start();
    let mut client = server.connect().await;
    for (query, email) in [("?kind=b", "jane@example.com"), ("", "june@example.com")] {
        let proof = solved(&challenge(&mut client, &format!("/users/challenge{query}")).await);
        let reply = client.ask(&post(&format!("/users{query}"), &body(email, Some(&proof)))).await;
        assert_eq!(reply.status, 201, "{query}: {reply:?}");
    }
}

#[tokio::test]
async fn proof_is_checked_when_it_is_sent_and_challenges_are_told_about() {
    let database = Database::sqlite();
    let page = ["--contract", "standard", "--set", "cors.origins=https://app.example.com"];
    let server = Vestibule::serve(&database).with(&page).start();
    let mut client = server.connect().await;
    assert_eq!(client.ask(&sign_up("jane@example.com", None)).await.status, 201, "a newcomer's curl");
    assert_eq!(code(&client.ask(&sign_up("june@example.com", Some("x"))).await), "proof_malformed");
    assert_eq!(client.ask(&sign_up("june@example.com", Some(""))).await.status, 201);
    let long = client.ask(&sign_up("joan@example.com", Some(&"A".repeat(30_000)))).await;
    assert_eq!(code(&long), "proof_malformed");
    let asked = with(&get("/users/challenge"), "origin", "https://app.example.com");
    let told = client.ask(&asked).await;
    assert_eq!(told.header("access-control-allow-origin"), "https://app.example.com");
    assert_eq!((told.header("content-type"), told.header("vary")), ("application/json", "origin"));
    let foreign = client.ask(&with(&get("/users/challenge"), "origin", "https://b.example")).await;
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (200, ""));
    let post = client.ask(&post("/users/challenge", "{}")).await;
    assert_eq!((post.status, post.header("allow")), (405, "GET,HEAD"));
    let document = client.ask(&get("/openapi.json")).await.json();
    let schema = &document["paths"]["/users/challenge"]["get"]["responses"]["200"]["content"];
    let schema = jsonschema::draft202012::new(&schema["application/json"]["schema"]).expect("a schema");
    assert!(schema.is_valid(&told.json()), "{told:?}");
}

#[tokio::test]
async fn proof_of_the_widgets_own_code_and_of_the_guides_script_is_taken() {
    if !wanted() {
        return;
    }
    let database = Database::sqlite();
    let server = server(&database, Demand::Always, |_| ()).await;
    let mut client = Client::connect(server.address).await;
    for by in ["worker", "widget", "script"] {
        let challenge = challenge(&mut client, "/users/challenge").await.to_string();
        let proof = tokio::task::spawn_blocking(move || match by {
            "script" => script_of_the_guide(&challenge),
            _ => altcha(&challenge, by),
        })
        .await
        .expect("it solves");
        let reply = client.ask(&sign_up(&format!("{by}@example.com"), Some(&proof))).await;
        assert_eq!(reply.status, 201, "{by}: {proof} {reply:?}");
    }
}

#[test]
fn proof_settings_that_protect_nothing_are_refused_at_start() {
    let easier = ["--set", "proof.difficulty=1000", "--set", "proof.difficulty_under_load=10"];
    for (contract, settings, told) in [
        ("standard", ["--set", "proof.demand=sometimes"].as_slice(), "proof.demand"),
        ("standard", &easier, "proof.difficulty_under_load"),
        ("standard", &["--set", "proof.lifetime=1s"], "proof.lifetime"),
        ("express", &["--set", "proof.demand=always"], "no contract has a field for one"),
    ] {
        let refused = Vestibule::new(&["serve", "--contract", contract]).with(settings).run();
        assert!(refused.code == Some(2) && refused.err.contains(told), "{told}: {}", refused.err);
    }
}

/// `cargo test --release --test it -- --ignored --nocapture proof_costs`.
#[tokio::test]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "a measurement says what it found")]
async fn proof_costs() {
    let database = Database::sqlite();
    let contract =
        contract::load(include_str!("../../../contracts/standard.toml")).contract.expect("shipped");
    let app = app("standard", contract, database.open().await);
    let begun = std::time::Instant::now();
    let made: Vec<_> = (0..10_000).map(|_| app.proofs.challenge("/users", 0.0, &app.clock)).collect();
    let making = begun.elapsed() / 10_000;
    let sent = solved(&serde_json::to_value(&made[0]).expect("JSON"));
    let begun = std::time::Instant::now();
    for _ in 0..10_000 {
        app.proofs.check("/users", &sent, app.clock.now()).expect("it is right");
    }
    println!("a challenge {making:?}, a check {:?}", begun.elapsed() / 10_000);
}
