//! Databases as earlier versions left them, and what those versions ask of a database.

use refinery::{Migration, Runner};
use tokio_postgres::NoTls;

use super::rows::{execute, rows};
use crate::harness::database::Database;

/// Whose numbers have three digits.
pub(super) const PEOPLE: std::ops::Range<usize> = 100..140;

/// Everybody's password.
pub(super) const PASSWORD: &str = "an older password";

/// It as a program of that time stored it.
const STORED: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$b2xkZXIgc2FsdCBvZiAxNg$0fjigbuyFK2niefLLRZq5YMm3g+ETseNYxHyHaHMiCg";

pub(super) fn email(person: usize) -> String {
    format!("older{person}@example.com")
}

fn engine(database: &Database) -> &'static str {
    match database {
        Database::Sqlite(_) => "sqlite",
        Database::Postgres(_) => "postgres",
    }
}

/// The migrations in order: `V1__users`, and its text.
fn migrations(engine: &str) -> Vec<(String, String)> {
    let folder = format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the migrations").flatten().map(|file| file.path()).collect();
    files.sort();
    let named = |(position, path): (usize, &std::path::PathBuf)| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let (_, name) = stem.split_once('_').expect("a number and a name");
        (format!("V{}__{name}", position + 1), std::fs::read_to_string(path).expect("a migration"))
    };
    files.iter().enumerate().map(named).collect()
}

/// The numbers of all schemas but the newest.
pub(super) fn numbers() -> std::ops::Range<usize> {
    1..migrations("sqlite").len()
}

/// Makes of a fresh database one of an earlier schema, in which some have signed up.
pub(super) async fn make(database: &Database, number: usize) {
    let read = migrations(engine(database));
    let some: Vec<Migration> = read[..number]
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql).expect("a migration"))
        .collect();
    let mut runner = Runner::new(&some).set_grouped(true);
    runner.set_migration_table_name("vestibule_migrations");
    match database.url().strip_prefix("sqlite://") {
        Some(path) => {
            let mut file = rusqlite::Connection::open(path).expect("a new file");
            file.pragma_update(None, "journal_mode", "WAL").expect("write-ahead logging");
            runner.run(&mut file).expect("an older schema");
        }
        None => {
            let (mut client, connection) =
                tokio_postgres::connect(&database.url(), NoTls).await.expect("the server is reachable");
            tokio::spawn(connection);
            runner.run_async(&mut client).await.expect("an older schema");
        }
    }
    for person in PEOPLE {
        sign_up(database, number, person).await;
    }
}

/// Does for a person what the program did when this number was the newest.
pub(super) async fn sign_up(database: &Database, number: usize, person: usize) {
    for number in 1..=number {
        let name = format!("{number:04}_{}.sql", engine(database));
        let path = format!("{}/tests/it/faults/older/{name}", env!("CARGO_MANIFEST_DIR"));
        // A later schema may have changed nothing of what the program asks.
        let Ok(sql) = std::fs::read_to_string(path) else { continue };
        let sql = sql.replace("{n}", &person.to_string()).replace("{phc}", STORED);
        execute(&database.url(), &sql).await;
    }
}

/// Every value of every table, with the names of both, as they are now.
pub(super) struct Contents {
    columns: Vec<Vec<String>>,
    values: Vec<Vec<String>>,
}

impl Contents {
    pub(super) async fn of(database: &Database) -> Contents {
        let sql = match database {
            Database::Sqlite(_) => {
                "SELECT m.name, p.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS p
                 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'vestibule_migrations'
                 ORDER BY 1, p.cid"
            }
            Database::Postgres(_) => {
                "SELECT table_name, column_name FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name <> 'vestibule_migrations'
                 ORDER BY 1, ordinal_position"
            }
        };
        let columns = rows(&database.url(), sql).await;
        assert!(columns.len() > 20, "{columns:?}");
        Contents { values: values(database, &columns).await, columns }
    }

    /// Holds what was there against what is there now.
    pub(super) async fn assert_whole(&self, database: &Database) {
        let now = values(database, &self.columns).await;
        for ((column, was), is) in self.columns.iter().zip(&self.values).zip(&now) {
            assert_eq!(was, is, "{column:?}");
        }
    }
}

async fn values(database: &Database, columns: &[Vec<String>]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for column in columns {
        let [table, column] = &column[..] else { panic!("a table and a column: {column:?}") };
        let text = match database {
            Database::Sqlite(_) => format!("quote({column})"),
            Database::Postgres(_) => format!("{column}::text"),
        };
        all.push(rows(&database.url(), &format!("SELECT {text} FROM {table} ORDER BY 1")).await.concat());
    }
    all
}
