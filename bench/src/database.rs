//! A database of its own for every server under test: an SQLite file in a temporary folder, or a PostgreSQL database on
//! the server that was named. Both are gone when it is dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use tokio_postgres::{Client, NoTls};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Where a server under test keeps its accounts.
pub struct Database {
    /// A folder for the server to run in.
    pub folder: PathBuf,
    pub postgres: Option<Postgres>,
}

/// A PostgreSQL database.
pub struct Postgres {
    /// The URL of a superuser's database on the same server.
    admin: String,
    name: String,
}

impl Database {
    pub fn sqlite() -> anyhow::Result<Database> {
        let folder = std::env::temp_dir().join(unique());
        std::fs::create_dir(&folder).context("a temporary folder")?;
        Ok(Database { folder, postgres: None })
    }

    /// A new database on the server of `admin`.
    pub async fn postgres(admin: &str) -> anyhow::Result<Database> {
        let mut database = Database::sqlite()?;
        let name = unique().replace('-', "_");
        connect(admin).await?.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        database.postgres = Some(Postgres { admin: admin.to_owned(), name });
        Ok(database)
    }

    /// One per store: SQLite, and PostgreSQL where its URL is given.
    pub async fn each(admin: Option<&str>) -> anyhow::Result<Vec<Database>> {
        let mut all = vec![Database::sqlite()?];
        if let Some(admin) = admin {
            all.push(Database::postgres(admin).await?);
        }
        Ok(all)
    }

    pub fn store(&self) -> &'static str {
        if self.postgres.is_some() { "postgresql" } else { "sqlite" }
    }

    pub fn url(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.url(),
            None => format!("sqlite://{}", self.file().display()),
        }
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.folder.join("bench.db")
    }

    /// How many rows a table has: what was really stored, whatever clients were told.
    pub async fn count(&self, table: &str) -> anyhow::Result<u64> {
        let sql = format!("SELECT count(*) FROM \"{table}\"");
        let count: i64 = match &self.postgres {
            Some(postgres) => connect(&postgres.url()).await?.query_one(&sql, &[]).await?.get(0),
            None => rusqlite::Connection::open(self.file())?.query_row(&sql, [], |row| row.get(0))?,
        };
        u64::try_from(count).context("a count")
    }

    /// Its size in bytes.
    pub async fn bytes(&self) -> anyhow::Result<u64> {
        let Some(postgres) = &self.postgres else { return Ok(size(&self.file())) };
        let client = connect(&postgres.url()).await?;
        let bytes: i64 = client.query_one("SELECT pg_database_size(current_database())", &[]).await?.get(0);
        u64::try_from(bytes).context("a size")
    }
}

impl Postgres {
    pub fn url(&self) -> String {
        let (server, _) = self.admin.rsplit_once('/').unwrap_or((&self.admin, ""));
        format!("{server}/{}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        let Some(Postgres { admin, name }) = self.postgres.take() else { return };
        let remove = async move {
            connect(&admin).await?.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
            anyhow::Ok(())
        };
        // A runtime cannot be waited for from within itself, so this one runs beside.
        let removal = std::thread::spawn(|| {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(remove)
        });
        if !matches!(removal.join(), Ok(Ok(()))) {
            eprintln!("a database of the bench could not be removed");
        }
    }
}

/// A connection of our own.
pub async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
    tokio::spawn(connection);
    Ok(client)
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |data| data.len())
}

fn unique() -> String {
    format!("vestibule-bench-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
