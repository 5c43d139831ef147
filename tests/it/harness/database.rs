//! A fresh database of either kind, so that one test runs on both.

use vestibule::store::{DatabaseUrl, Opening, Store};

use super::folder::Folder;
use super::postgres;

/// A database that no other test sees.
pub(crate) enum Database {
    Sqlite(Folder),
    Postgres(postgres::Database),
}

impl Database {
    pub(crate) fn sqlite() -> Database {
        Database::Sqlite(Folder::new())
    }

    pub(crate) async fn postgres() -> Database {
        Database::Postgres(postgres::Database::create().await)
    }

    /// A fresh one of the same kind.
    pub(crate) async fn another(&self) -> Database {
        match self {
            Database::Sqlite(_) => Database::sqlite(),
            Database::Postgres(_) => Database::postgres().await,
        }
    }

    /// The one of a server of the test's own, which goes with that.
    pub(crate) fn of_cluster(cluster: &super::cluster::Cluster) -> Database {
        Database::Postgres(postgres::Database::at("postgres", cluster.url("postgres")))
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Database::Sqlite(folder) => format!("sqlite://{}", folder.path().join("vestibule.db").display()),
            Database::Postgres(database) => database.url.clone(),
        }
    }

    /// Opens the database to serve. Each call is a new store, as of another process.
    pub(crate) async fn open(&self) -> Store {
        let url = DatabaseUrl::parse(&self.url()).expect("a database URL");
        Store::open(&url, Opening::Serve).await.expect("a fresh database opens")
    }

    /// Runs statements past the store.
    pub(crate) async fn execute(&self, sql: &str) {
        match self {
            Database::Sqlite(folder) => {
                let file =
                    rusqlite::Connection::open(folder.path().join("vestibule.db")).expect("the file opens");
                file.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            Database::Postgres(database) => postgres::execute(&database.url, sql).await,
        }
    }

    /// Asks for one number past the store.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        match self {
            Database::Sqlite(folder) => {
                let file =
                    rusqlite::Connection::open(folder.path().join("vestibule.db")).expect("the file opens");
                file.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
            }
            Database::Postgres(database) => postgres::number(&database.url, sql).await,
        }
    }

    /// Removes the database. A failed test leaves it for a look; its server goes with the test process.
    pub(crate) async fn remove(self) {
        if let Database::Postgres(database) = self {
            database.drop().await;
        }
    }
}
