//! Connecting to a server: the pool and its limits, TLS, and whether the database is ours.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::error::{OpenError, StoreError};
use super::super::lookups::Lookups;
use super::super::migrations;
use super::super::url::PostgresServer;
use super::super::{Opening, Sql};
use super::connections::{Postgres, discard};
use super::{fault, read};
use crate::user::Key;

/// A registration holds a connection for two round trips, so a few serve thousands a second; a server is best off
/// with two to four active connections per core.
const CONNECTIONS: usize = 16;

/// How long to wait for a free connection, for a new one, and for the check of a used one.
const POOL_DEADLINE: Duration = Duration::from_secs(5);

/// How long to wait for one of several hosts before the next one is tried.
const HOST_DEADLINE: Duration = Duration::from_secs(2);

/// After this time without an acknowledgement from the server's host the connection is given up.
const SILENCE: Duration = Duration::from_secs(15);

/// The server ends what hangs, so that no lock outlives its reason. In milliseconds; the URL's own `options` follow
/// and win.
const SESSION: &str =
    "-c statement_timeout=10000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=10000";

/// In this order: whoever sees another instance's tables has then also the chance to see its history, which is older.
const STATE: Sql = "
    SELECT to_regclass('users') IS NOT NULL OR to_regclass('user_keys') IS NOT NULL
           OR to_regclass('events') IS NOT NULL OR to_regclass('tokens') IS NOT NULL,
           to_regclass('vestibule_migrations') IS NOT NULL";

const SCHEMA_NUMBER: Sql = "SELECT coalesce(max(version), 0) FROM vestibule_migrations";

const HISTORY: Sql = "SELECT version, checksum FROM vestibule_migrations ORDER BY version";

const DURABILITY: Sql = "
    SELECT current_setting('fsync'), current_setting('synchronous_commit'),
        CASE WHEN current_setting('statement_timeout') = '0' OR current_setting('lock_timeout') = '0' THEN 'off' ELSE 'on' END";

pub(super) const STATEMENTS: &[Sql] = &[STATE, SCHEMA_NUMBER, HISTORY, DURABILITY];

/// A migration may take its time.
const PATIENCE: &str = "SET statement_timeout = 0";

pub(super) async fn open(server: &PostgresServer, opening: Opening) -> Result<Postgres, OpenError> {
    let database = format!("postgres://{server}");
    let pool = pool(server).map_err(|reason| OpenError::Connect { database: database.clone(), reason })?;
    let mut store = Postgres { pool, lookups: None, created: false };
    let client = store.client().await.map_err(|error| unconnected(&database, &error))?;
    store.created = check_schema(client, &database, opening).await?;
    let asked = store.clone();
    store.lookups = Some(Lookups::start(move |keys: Vec<Key>| {
        let store = asked.clone();
        async move { store.collisions(&keys).await }
    }));
    Ok(store)
}

fn pool(server: &PostgresServer) -> Result<Pool, String> {
    let settings = settings(&server.config);
    let hosts = u32::try_from(settings.get_hosts().len().max(1)).unwrap_or(1);
    let each = server.config.get_connect_timeout().copied().unwrap_or(HOST_DEADLINE);
    // A broken connection is noticed by the statement that meets it, which is tried again where that is safe; a
    // test query before every use would cost each registration a round trip.
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match server.tls {
        false => Manager::from_config(settings, NoTls, recycling),
        true => Manager::from_config(settings, verified()?, recycling),
    };
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .wait_timeout(Some(POOL_DEADLINE))
        .create_timeout(Some(each.saturating_mul(hosts - 1).saturating_add(each.max(POOL_DEADLINE))))
        .recycle_timeout(Some(POOL_DEADLINE))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| error.to_string())
}

/// The URL's settings with limits where it says nothing.
fn settings(given: &Config) -> Config {
    let mut config = given.clone();
    config.options(format!("{SESSION} {}", given.get_options().unwrap_or_default()).trim_end());
    if given.get_application_name().is_none() {
        config.application_name("vestibule");
    }
    let several = given.get_hosts().len() > 1;
    if given.get_connect_timeout().is_none() {
        config.connect_timeout(if several { HOST_DEADLINE } else { POOL_DEADLINE });
    }
    // Of a server and its standbys only one can be written to.
    if several && given.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if given.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE);
    }
    config
}

/// TLS that checks the server's certificate and name against the system's certificates. The crypto provider is
/// given, not the process's default: a library installs none.
fn verified() -> Result<MakeRustlsConnect, String> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why: String = found.errors.iter().map(|error| format!(" ({error})")).collect();
        return Err(format!(
            "there are no certificates to check the server's against{why}; set SSL_CERT_FILE"
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Refuses a foreign or newer database; migrates to serve. Tells whether there was no schema before.
async fn check_schema(mut client: Client, database: &str, opening: Opening) -> Result<bool, OpenError> {
    let refused = |error| OpenError::Store { database: database.to_owned(), source: fault::told(&error) };
    let state = client.query_typed_one(STATE, &[]).await.map_err(refused)?;
    let (has_tables, has_history): (bool, bool) = (state.get(0), state.get(1));
    if has_tables && !has_history {
        let sign = "it has a table users, user_keys, events or tokens and no vestibule_migrations";
        return Err(OpenError::Foreign { database: database.to_owned(), sign });
    }
    let found = match has_history {
        true => client.query_typed_one(SCHEMA_NUMBER, &[]).await.map_err(refused)?.get(0),
        false => 0,
    };
    let known = migrations::KNOWN;
    if found > known {
        return Err(OpenError::Newer { database: database.to_owned(), found, known });
    }
    if found == known && is_complete(&client).await.map_err(refused)? {
        return Ok(false);
    }
    match opening {
        Opening::Inspect if found == known => Ok(false),
        Opening::Inspect => Err(OpenError::Older { database: database.to_owned(), found, known }),
        Opening::Serve => {
            client.batch_execute(PATIENCE).await.map_err(refused)?;
            let migrated = migrate(&mut client).await;
            // Behind a pooler the session may be somebody else's next. Who does not get it back has not lost it.
            let _ = client.batch_execute("RESET statement_timeout").await;
            // Its session may have lost the time limit, so it does not go back to the pool.
            discard(client);
            migrated.map_err(|error| unmigrated(database, &error))?;
            Ok(found == 0)
        }
    }
}

/// Whether all migrations were applied, and as they are here. Then nothing more is asked of the database, and a role can serve that
/// may not change tables.
async fn is_complete(client: &Client) -> Result<bool, tokio_postgres::Error> {
    let rows = client.query_typed(HISTORY, &[]).await?;
    let applied = rows.iter().map(|row| (row.get::<_, i32>(0), row.get::<_, String>(1)));
    let runner = migrations::postgres();
    let known = runner.get_migrations().iter();
    let mut known: Vec<(i32, String)> = known.map(|m| (m.version(), m.checksum().to_string())).collect();
    known.sort_unstable();
    Ok(applied.eq(known))
}

/// Applies the pending migrations; a failure can mean that another instance was faster, hence the repetitions.
async fn migrate(client: &mut Client) -> Result<(), refinery::Error> {
    let runner = migrations::postgres();
    let connection: &mut tokio_postgres::Client = client;
    let mut result = runner.run_async(connection).await;
    for _ in 1..migrations::ATTEMPTS {
        if result.is_ok() {
            break;
        }
        result = runner.run_async(connection).await;
    }
    result.map(|_| ())
}

/// What about the server's settings lets a sign-up be lost that was answered, or wait without end, and what to do: a sentence for
/// each.
pub(super) async fn durability(store: &Postgres) -> Result<Vec<String>, StoreError> {
    let Some(row) = store.ask_one(DURABILITY, &[]).await? else { return Ok(Vec::new()) };
    let settings: [(&str, &str); 3] = [
        (row.try_get(0).map_err(read::unreadable)?, FSYNC),
        (row.try_get(1).map_err(read::unreadable)?, SYNCHRONOUS_COMMIT),
        (row.try_get(2).map_err(read::unreadable)?, TIME_LIMITS),
    ];
    Ok(settings.into_iter().filter(|(value, _)| *value == "off").map(|(_, told)| told.to_owned()).collect())
}

const FSYNC: &str = "PostgreSQL runs with fsync = off: when its machine goes down, accounts and the whole database can be lost; \
                     set fsync = on in postgresql.conf and restart it";
const SYNCHRONOUS_COMMIT: &str = "PostgreSQL commits with synchronous_commit = off: when it goes down, accounts of the last \
                                  moments are lost although their sign-up was answered; set it to on for this database or role";

const TIME_LIMITS: &str = "PostgreSQL has no time limit for statements or for locks (a pooler throws away what Vestibule asks for): give \
                           statement_timeout and lock_timeout to the role, as docs/operations.md says";

fn unmigrated(database: &str, error: &refinery::Error) -> OpenError {
    let cause =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<tokio_postgres::Error>());
    let reason = cause.map_or_else(|| error.to_string(), |cause| fault::told(cause).to_string());
    OpenError::Migrate { database: database.to_owned(), reason }
}

fn unconnected(database: &str, error: &StoreError) -> OpenError {
    let mut reason = match error {
        StoreError::Unreachable(fault) | StoreError::Refused(fault) => fault.to_string(),
        other => other.to_string(),
    };
    if reason.contains("TLS handshake") {
        reason += "; if your own authority signed its certificate, name that in SSL_CERT_FILE, \
                   and only on a network you trust say sslmode=disable";
    }
    OpenError::Connect { database: database.to_owned(), reason }
}
