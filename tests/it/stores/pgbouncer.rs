//! Behind PgBouncer in transaction mode: consecutive statements of one connection reach different sessions of the
//! server, so nothing may be left in a session that a later statement needs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use vestibule::store::{Attempt, Attempts, DatabaseUrl, Opening, RegisterError, Store, Who};

use super::accounts::{account, all_at_once, key};
use super::attempts::attempt;
use super::limits::{hourly, let_in_at_once};
use crate::harness::folder::Folder;
use crate::harness::postgres::{Database, number};
use crate::harness::process::GUARD;

/// Where the test may do without it: `VESTIBULE_TEST_WITHOUT_PGBOUNCER=1 scripts/test`.
const WITHOUT: &str = "VESTIBULE_TEST_WITHOUT_PGBOUNCER";

/// Fewer sessions than the store has connections, so that these share them.
const SESSIONS: usize = 3;

struct Bouncer {
    process: Child,
    folder: Folder,
}

impl Bouncer {
    /// Starts one before the server of `database`.
    fn before(database: &Database) -> Bouncer {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
        let Some(program) = program.into_iter().find(|path| Path::new(path).exists()) else {
            panic!(
                "PgBouncer is missing: install Debian's package `pgbouncer`, or set {WITHOUT}=1 to do without"
            );
        };
        let folder = Folder::new();
        let path = folder.path();
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(path, open).expect("our own folder");
        let settings = path.join("pgbouncer.ini");
        std::fs::write(&settings, configuration(&server(database), path)).expect("our own folder");
        let mut command = Command::new(program);
        // It refuses to run as root; `-u` has no effect for others but must name them.
        if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            command.args(["-u", "postgres"]);
        }
        let process = command.arg(settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Bouncer { process: process.expect("pgbouncer starts"), folder }
    }

    /// The database as seen through it.
    fn url(&self, database: &Database) -> String {
        let name = database.url.rsplit('/').next().expect("a name").split('?').next().expect("a name");
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}:6432/{name}")
    }

    async fn open(&self, database: &Database) -> Store {
        let url = DatabaseUrl::parse(&self.url(database)).expect("a database URL");
        let socket: PathBuf = self.folder.path().join(".s.PGSQL.6432");
        let listening = async {
            while tokio::net::UnixStream::connect(&socket).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(GUARD, listening).await.expect("pgbouncer listens");
        Store::open(&url, Opening::Serve).await.expect("the database opens through pgbouncer")
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What stands in a connection string for the server.
fn server(database: &Database) -> String {
    let config: tokio_postgres::Config = database.url.parse().expect("the test server's URL");
    let host = match config.get_hosts().first() {
        Some(tokio_postgres::config::Host::Unix(folder)) => folder.display().to_string(),
        Some(tokio_postgres::config::Host::Tcp(name)) => name.clone(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("host={host} port={port} user={}", config.get_user().unwrap_or("postgres"))
}

fn configuration(server: &str, folder: &Path) -> String {
    format!(
        "[databases]\n* = {server}\n[pgbouncer]\npool_mode = transaction\nauth_type = any\nlisten_addr =\n\
         listen_port = 6432\nunix_socket_dir = {folder}\nlogfile = {folder}/log\ndefault_pool_size = {SESSIONS}\n\
         max_client_conn = 200\nignore_startup_parameters = options\n",
        folder = folder.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_behind_a_pooler_in_transaction_mode() {
    if std::env::var_os(WITHOUT).is_some() {
        return;
    }
    let database = Database::create().await;
    let bouncer = Bouncer::before(&database);
    // It migrates through the pooler, and two more instances start at once on what is there.
    let store = bouncer.open(&database).await;
    let (second, third) = tokio::join!(bouncer.open(&database), bouncer.open(&database));

    let every_other_twice = (0..300).map(|number| account(&format!("u{}@example.com", number * 2 / 3)));
    let outcomes = all_at_once(&store, every_other_twice).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let taken =
        outcomes.iter().filter(|o| matches!(o, Err(RegisterError::Taken(keys)) if keys.len() == 1)).count();
    assert_eq!((won, taken), (200, 100), "{outcomes:?}");
    assert_eq!(number(&database.url, "SELECT count(*) FROM users").await, 200);

    for store in [&store, &second, &third] {
        store.ping().await.expect("it answers");
        assert_eq!(store.list(0, 500).await.expect("a page").len(), 200);
        assert!(store.find(&Who::Key(key("email", "u7@example.com"))).await.expect("an answer").is_some());
        let (there, free) = (key("email", "u8@example.com"), key("email", "free@example.com"));
        assert_eq!(store.collisions(&[free, there.clone()]).await.expect("an answer"), [there]);
    }
    let ten = hourly(1, 10);
    assert_eq!(let_in_at_once(&[store.clone(), second.clone(), third.clone()], 90, ten).await, 10);
    assert_eq!(store.purge_limits().await.expect("purged"), (1, 0));
    let attempts: Vec<Attempt> = (0..300).map(attempt).collect();
    store.record(attempts.clone()).await.expect("recorded");
    let wanted = Attempts { limit: 1000, ..Attempts::default() };
    assert_eq!(third.attempts(&wanted).await.expect("an answer"), attempts);
    assert_eq!(second.purge_attempts(attempts[299].id).await.expect("purged"), 299);
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    assert!(number(&database.url, sessions).await <= SESSIONS as i64, "three stores shared them");
    for store in [store, second, third] {
        store.close().await;
    }
    drop(bouncer);
    database.drop().await;
}
