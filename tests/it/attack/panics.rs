//! A panic in a sign-up: an answer in the contract's shape, a server that goes on, and nothing told.
//!
//! The process is this test binary with the program's own log, in which one step of the first sign-up panics with words
//! that quote a password, as the standard library's do.

use std::io::BufRead as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vestibule::cli::{Caller, log};
use vestibule::clock::Clock;
use vestibule::config::{Log, LogFormat};
use vestibule::contract::shipped;
use vestibule::http::{Ending, router, serve_counted};
use vestibule::steps::{Step, Steps};
use vestibule::store::{DatabaseUrl, Opening, Store};

use crate::harness::client::{Client, Reply, post};
use crate::harness::database::Database;
use crate::harness::process::{GUARD, Lines};
use crate::harness::server::{app, limits};

on_both! {
    a_panic_is_answered_and_tells_nothing
    control_a_panic_that_is_not_kept_quiet_is_found
}

const ORDERS: &str = "VESTIBULE_TEST_PANICKING_SERVER";
const SECRET: &str = "Kanarie-in-a-panic";
/// What the log says instead of the panic's own words.
const TOLD: &str = "the program panicked";

#[derive(Serialize, Deserialize)]
struct Orders {
    database: String,
    /// The place in [`Step::ALL`].
    step: usize,
    human: bool,
    /// Whether panics print what they say: the control.
    loud: bool,
}

/// The process. Killed when dropped.
struct Panicking {
    child: Child,
    err: Lines,
    address: SocketAddr,
}

impl Panicking {
    fn start(orders: &Orders) -> Panicking {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["--exact", "attack::panics::process", "--ignored", "--nocapture"]);
        command.env(ORDERS, serde_json::to_string(orders).expect("orders are JSON"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("this program starts once more");
        let out = Lines::of(child.stdout.take().expect("standard output is piped"));
        let err = Lines::of(child.stderr.take().expect("standard error is piped"));
        const LINE: &str = "panicking server on ";
        let line = out.wait_for(LINE).unwrap_or_else(|| panic!("no address; it said:\n{}", err.so_far()));
        let address = line[LINE.len()..].parse().expect("an address");
        Panicking { child, err, address }
    }
}

impl Drop for Panicking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process. Run with the other tests it does nothing: it has no orders.
#[test]
#[ignore = "the other tests start it, in a process of its own"]
fn process() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).expect("orders");
    let format = if orders.human { LogFormat::Human } else { LogFormat::Json };
    let clock = Clock::system();
    let settings = Log { format, level: "trace".to_owned() };
    let running = log::start(&settings, &Caller::default(), move || clock.now()).expect("the log starts");
    if orders.loud {
        drop(std::panic::take_hook());
    }
    // When the test ends, however it ends, the pipe closes, and this process goes with it.
    std::thread::spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).for_each(drop);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(serve(orders));
    drop(running);
}

async fn serve(orders: Orders) {
    let (where_to, begun) = (Step::ALL[orders.step], AtomicBool::new(false));
    let steps = Steps::watched_by(move |step| {
        if step == where_to && !begun.swap(true, Ordering::SeqCst) {
            let text = format!("ü{SECRET}");
            // Inside of a letter: this panics, and quotes the text.
            std::hint::black_box(&text[1..]);
        }
    });
    let url = DatabaseUrl::parse(&orders.database).expect("a database URL");
    let store = Store::open_watched(&url, Opening::Serve, steps.clone()).await;
    let store = store.unwrap_or_else(|error| panic!("{error}"));
    let mut app = app("envelope", shipped("envelope").expect("a shipped contract"), store);
    (app.clock, app.steps) = (Clock::system(), steps);
    let router = router(Arc::new(app)).expect("one contract collides with nothing");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    #[expect(clippy::print_stdout, reason = "the test listens")]
    {
        println!("\npanicking server on {}", listener.local_addr().expect("an address"));
    }
    let ending = Ending { shutdown: CancellationToken::new(), grace: GUARD, lent: false };
    serve_counted(listener, router, limits(), ending, &Default::default()).await;
}

fn sign_up(number: usize) -> Vec<u8> {
    let body = format!(r#"{{"name":"Jane","email":"jane{number}@example.com","password":"A-1 {SECRET}"}}"#);
    post("/users", &body)
}

/// The log up to the request with this reply.
fn log_until(server: &Panicking, reply: &Reply) -> String {
    let id = reply.header("x-request-id");
    assert!(!id.is_empty(), "{reply:?}");
    server.err.wait_for(id).expect("a line in the log");
    server.err.so_far()
}

async fn a_panic_is_answered_and_tells_nothing(database: &Database) {
    for (number, step) in Step::ALL.into_iter().enumerate() {
        if step == Step::Inserted && matches!(database, Database::Postgres(_)) {
            continue;
        }
        let orders = Orders { database: database.url(), step: number, human: number % 2 == 0, loud: false };
        let server = Panicking::start(&orders);
        let mut client = Client::connect(server.address).await;
        let first = client.ask(&sign_up(number)).await;
        // A group of SQLite that panics around its commit is one of which nobody knows.
        let (status, phrase) = match step {
            Step::Inserted => (503, "Service Unavailable"),
            _ => (500, "Internal Server Error"),
        };
        assert_eq!((first.status, first.json()["status"].as_str()), (status, Some(phrase)), "{first:?}");
        // The same connection, the same worker, the same writer.
        let again = client.ask(&sign_up(number)).await;
        assert_eq!(again.status, if step == Step::Committed { 422 } else { 201 }, "{step:?}: {again:?}");
        assert_eq!(client.ask(&sign_up(100 + number)).await.status, 201, "{step:?}");
        let last = client.ask(&sign_up(number)).await;
        assert_eq!(last.status, 422, "{last:?}");
        let log = log_until(&server, &last);
        assert!(log.contains(TOLD), "{step:?}:\n{log}");
        for telling in [SECRET, "Kanarie", "jane0@"] {
            assert!(!log.contains(telling) && !format!("{first:?}").contains(telling), "{step:?}:\n{log}");
        }
        let line = log.lines().find(|line| line.contains(TOLD)).expect("it was found above");
        assert!(line.contains("core/src/str/mod.rs") || line.contains("attack/panics.rs"), "{line}");
    }
}

async fn control_a_panic_that_is_not_kept_quiet_is_found(database: &Database) {
    let server = Panicking::start(&Orders { database: database.url(), step: 1, human: false, loud: true });
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.ask(&sign_up(1)).await.status, 500);
    let last = client.ask(&sign_up(1)).await;
    assert!(log_until(&server, &last).contains(SECRET), "{}", server.err.so_far());
}
