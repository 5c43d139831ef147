//! The database's URL: `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
//!
//! | URL | means |
//! |---|---|
//! | `sqlite://vestibule.db` | a file, relative to the working directory; created when missing |
//! | `sqlite:///var/lib/vestibule.db` | the same, absolute; `%20` and the like are decoded |
//! | `sqlite://vestibule.db?mode=rw` | never created |
//! | `postgres://..`, `postgresql://..` | a server, with libpq's parameters as far as tokio-postgres knows them |
//!
//! `sslmode`: `disable` never encrypts. `require`, `verify-ca` and `verify-full` all encrypt and check certificate and
//! host name against the system's certificates (stricter than libpq, whose `require` checks nothing). Without it, that is
//! done as soon as one of the hosts is another machine, and plain text is sent when all are this very machine or Unix sockets.
//! `prefer` takes plain text from another machine, too, when that says that it knows no TLS: whoever stands between can say so.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use tokio_postgres::config::{Host, SslMode};

/// A parsed database URL. Its `Display` and `Debug` leave the password out.
#[derive(Clone)]
pub struct DatabaseUrl(pub(super) Target);

#[derive(Clone)]
pub(super) enum Target {
    Sqlite(SqliteFile),
    Postgres(Box<PostgresServer>),
}

#[derive(Clone)]
pub(super) struct SqliteFile {
    /// As written, so that messages repeat it.
    pub(super) path: PathBuf,
    pub(super) may_create: bool,
}

#[derive(Clone)]
pub(super) struct PostgresServer {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: bool,
}

/// Why a text is not a database URL.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// Neither of the two schemes.
    #[error("a database URL starts with sqlite:// or postgres://")]
    Scheme,
    /// `sqlite://` alone.
    #[error("the path is missing: write sqlite://vestibule.db or sqlite:///var/lib/vestibule.db")]
    NoPath,
    /// A database in memory would lose every account with the process.
    #[error("a database in memory would lose every account: name a file")]
    InMemory,
    /// The decoded path is not UTF-8.
    #[error("the path is not UTF-8 after decoding")]
    NotUtf8,
    /// SQLite URLs take one option.
    #[error("unknown option {0:?}: a sqlite:// URL takes mode=rw or mode=rwc")]
    SqliteOption(String),
    /// No host.
    #[error("the host is missing: write postgres://USER:PASSWORD@HOST/NAME")]
    NoHost,
    /// tokio-postgres does not understand it.
    #[error("not a PostgreSQL URL: {0}")]
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads a URL of one of the two forms.
    ///
    /// # Errors
    /// When the scheme is another one, the path or host is missing, or an option is unknown or has an unknown value.
    pub fn parse(text: &str) -> Result<DatabaseUrl, UrlError> {
        if let Some(rest) = text.strip_prefix("sqlite://") {
            return sqlite(rest).map(Target::Sqlite).map(DatabaseUrl);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres(text).map(Box::new).map(Target::Postgres).map(DatabaseUrl);
        }
        Err(UrlError::Scheme)
    }

    /// The file of an SQLite database, `None` for a server. What belongs beside the database is kept there.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.0 {
            Target::Sqlite(file) => Some(&file.path),
            Target::Postgres(_) => None,
        }
    }
}

fn sqlite(rest: &str) -> Result<SqliteFile, UrlError> {
    let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
    let path = percent_encoding::percent_decode_str(path).decode_utf8().map_err(|_| UrlError::NotUtf8)?;
    if path.is_empty() {
        return Err(UrlError::NoPath);
    }
    if path == ":memory:" {
        return Err(UrlError::InMemory);
    }
    let mut may_create = true;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option {
            "mode=rw" => may_create = false,
            "mode=rwc" => may_create = true,
            "mode=memory" => return Err(UrlError::InMemory),
            other => return Err(UrlError::SqliteOption(other.to_owned())),
        }
    }
    Ok(SqliteFile { path: PathBuf::from(path.into_owned()), may_create })
}

fn postgres(text: &str) -> Result<PostgresServer, UrlError> {
    let mut config: tokio_postgres::Config = verified_modes(text).parse().map_err(refused)?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(UrlError::NoHost);
    }
    let said =
        text.split_once('?').is_some_and(|(_, options)| options.split('&').any(|o| o == "sslmode=prefer"));
    let mode = match config.get_ssl_mode() {
        SslMode::Prefer if stays_here(&config) => SslMode::Disable,
        SslMode::Prefer if !said => SslMode::Require,
        mode => mode,
    };
    config.ssl_mode(mode);
    Ok(PostgresServer { config, tls: mode != SslMode::Disable })
}

/// Whether nothing that is sent leaves this machine. An address (`hostaddr`) takes the place of its host's.
fn stays_here(config: &tokio_postgres::Config) -> bool {
    config.get_hosts().iter().all(is_this_machine) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

/// tokio-postgres knows only `require`, and leaves to the TLS connector what is verified: ours verifies all.
fn verified_modes(text: &str) -> String {
    let Some((start, options)) = text.split_once('?') else { return text.to_owned() };
    let options: Vec<&str> = options
        .split('&')
        .map(|option| match option {
            "sslmode=verify-full" | "sslmode=verify-ca" => "sslmode=require",
            other => other,
        })
        .collect();
    format!("{start}?{}", options.join("&"))
}

/// tokio-postgres names the option or value that it does not know; it does not repeat the URL or its password.
fn refused(error: tokio_postgres::Error) -> UrlError {
    match std::error::Error::source(&error) {
        Some(source) => UrlError::Postgres(source.to_string()),
        None => UrlError::Postgres(error.to_string()),
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Sqlite(file) => write!(f, "sqlite://{}", file.path.display()),
            Target::Postgres(server) => write!(f, "postgres://{server}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl fmt::Display for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                Host::Unix(folder) => write!(f, "{comma}{}", folder.display())?,
            }
            let ports = self.config.get_ports();
            if let Some(port) = ports.get(at).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(text: &str) -> (String, bool) {
        match DatabaseUrl::parse(text).expect(text).0 {
            Target::Sqlite(file) => (file.path.display().to_string(), file.may_create),
            Target::Postgres(_) => panic!("{text} is a file"),
        }
    }

    fn mode(text: &str) -> SslMode {
        let Target::Postgres(server) = DatabaseUrl::parse(text).expect(text).0 else {
            panic!("{text} is a server")
        };
        assert_eq!(server.tls, server.config.get_ssl_mode() != SslMode::Disable, "{text}");
        server.config.get_ssl_mode()
    }

    #[test]
    fn sqlite_paths_are_relative_absolute_and_decoded() {
        assert_eq!(sqlite("sqlite://vestibule.db"), ("vestibule.db".into(), true));
        assert_eq!(sqlite("sqlite:///var/lib/v.db?mode=rw"), ("/var/lib/v.db".into(), false));
        assert_eq!(sqlite("sqlite://a%20b/%3F.db?mode=rwc"), ("a b/?.db".into(), true));
    }

    #[test]
    fn what_is_not_a_database_url_is_refused() {
        for text in [
            "",
            "vestibule.db",
            "mysql://x/y",
            "sqlite:v.db",
            "sqlite://",
            "sqlite://?mode=rw",
            "sqlite://:memory:",
            "sqlite://v.db?mode=ro",
            "sqlite://v.db?cache=shared",
            "sqlite://%ff",
            "postgres://",
            "postgres:///x",
            "postgres://h/x?colour=red",
            "postgres://h/x?sslmode=maybe",
        ] {
            assert!(DatabaseUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn plain_text_goes_to_another_machine_only_when_that_is_written_out() {
        for here in [
            "u@localhost/v",
            "u@127.0.0.1/v",
            "u@[::1]/v?sslmode=prefer",
            "u@%2Frun%2Fpostgresql/v",
            "u@localhost/v?hostaddr=127.0.0.1",
        ] {
            assert_eq!(mode(&format!("postgres://{here}")), SslMode::Disable, "{here}");
        }
        for elsewhere in [
            "u@db.example/v",
            "u@localhost,db.example/v",
            "u@10.0.0.5/v",
            "u@localhost/v?hostaddr=10.0.0.5",
            "u@/v?hostaddr=10.0.0.5",
            "u@db.example/v?hostaddr=127.0.0.1",
            "u@localhost/v?sslmode=require",
            "u@localhost/v?sslmode=verify-full&application_name=x",
        ] {
            assert_eq!(mode(&format!("postgres://{elsewhere}")), SslMode::Require, "{elsewhere}");
        }
        assert_eq!(mode("postgres://u@db.example/v?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://u@db.example/v?sslmode=prefer"), SslMode::Prefer);
    }

    #[test]
    fn the_password_is_never_shown() {
        let url =
            DatabaseUrl::parse("postgresql://u:s3cret@db.example:6432/v?sslmode=require").expect("a URL");
        assert_eq!(url.to_string(), "postgres://u@db.example:6432/v");
        assert!(!format!("{url:?}").contains("s3cret"));
    }
}
