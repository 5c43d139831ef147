//! A real PostgreSQL server for the tests, and a fresh database on it for each.
//!
//! `scripts/test` starts the server and names it in VESTIBULE_TEST_POSTGRES. Without that (a plain `cargo test`) the
//! first test that needs a server starts one by the same script. That script's command waits for the end of its
//! standard input, which this process holds open and never reads again: however the process ends, the pipe closes
//! and the server goes with it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_postgres::NoTls;

const VARIABLE: &str = "VESTIBULE_TEST_POSTGRES";

struct Server {
    url: String,
    /// Held so that its standard input stays open.
    _guard: Option<Child>,
}

/// A superuser's URL of the server's maintenance database.
fn server() -> &'static str {
    static SERVER: OnceLock<Server> = OnceLock::new();
    &SERVER
        .get_or_init(|| match std::env::var(VARIABLE) {
            Ok(url) => Server { url, _guard: None },
            Err(_) => start(),
        })
        .url
}

fn start() -> Server {
    let mut guard = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/with-postgres"))
        .args(["sh", "-c", "echo \"$VESTIBULE_TEST_POSTGRES\"; cat >/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/with-postgres starts");
    let mut url = String::new();
    let output = guard.stdout.take().expect("standard output is piped");
    BufReader::new(output).read_line(&mut url).expect("scripts/with-postgres speaks");
    assert!(!url.trim().is_empty(), "scripts/with-postgres could not start a server; it said why above");
    Server { url: url.trim().to_owned(), _guard: Some(guard) }
}

/// A database of its own for one test.
pub(crate) struct Database {
    name: String,
    /// Its URL.
    pub(crate) url: String,
}

impl Database {
    pub(crate) async fn create() -> Database {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vestibule_test_{}_{number}", std::process::id());
        // Left over when an earlier process of the same id failed on a server that outlives its tests.
        execute(server(), &format!("DROP DATABASE IF EXISTS {name}")).await;
        execute(server(), &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        let (start, options) = server().split_once('?').unwrap_or((server(), ""));
        let (host, _) = start.rsplit_once('/').expect("the server's URL ends in a database");
        let mark = if options.is_empty() { "" } else { "?" };
        Database { url: format!("{host}/{name}{mark}{options}"), name }
    }

    /// One that is there.
    pub(crate) fn at(name: &str, url: String) -> Database {
        Database { name: name.to_owned(), url }
    }

    /// Drops it, whoever is connected; to drop it twice is no mistake.
    pub(crate) async fn drop(&self) {
        execute(server(), &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await;
    }
}

/// Runs statements on a connection of their own.
pub(crate) async fn execute(url: &str, sql: &str) {
    connect(url).await.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// Asks for one number on a connection of its own.
pub(crate) async fn number(url: &str, sql: &str) -> i64 {
    connect(url).await.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.expect("the test server is reachable");
    tokio::spawn(connection);
    client
}
