//! What was written: files, and every column of every table.

use std::path::Path;

use tokio_postgres::NoTls;

use super::Written;
use super::search::hex;
use crate::harness::database::Database;

/// Every file of a folder.
pub(super) fn files(folder: &Path, out: &mut Written) {
    for file in std::fs::read_dir(folder).expect("a folder").flatten() {
        match file.path() {
            path if path.is_dir() => files(&path, out),
            path => out.push((path.display().to_string(), std::fs::read(&path).expect("a file"))),
        }
    }
}

/// Every column of every table as text.
pub(super) async fn everything_stored(database: &Database) -> String {
    match database {
        Database::Sqlite(folder) => {
            from_sqlite(&folder.path().join("vestibule.db")).expect("the file can be read")
        }
        Database::Postgres(database) => from_postgres(&database.url).await.expect("the server can be read"),
    }
}

fn from_sqlite(file: &Path) -> rusqlite::Result<String> {
    let file = rusqlite::Connection::open(file)?;
    let mut tables = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut out = String::new();
    for table in tables {
        let mut rows = file.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = rows.column_count();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                let value = row.get_ref(column)?;
                match value.as_bytes_or_null() {
                    Ok(Some(bytes)) => {
                        out.extend([String::from_utf8_lossy(bytes).as_ref(), "\n", &hex(bytes), "\n"])
                    }
                    _ => out.push_str(&format!("{value:?}\n")),
                }
            }
        }
    }
    Ok(out)
}

async fn from_postgres(url: &str) -> Result<String, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let tables = "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema NOT IN \
                  ('pg_catalog', 'information_schema')";
    let mut out = String::new();
    for table in client.query(tables, &[]).await? {
        let table: String = table.get(0);
        for row in client.query(&format!("SELECT t::text FROM {table} t"), &[]).await? {
            out.extend([row.get::<_, &str>(0), "\n"]);
        }
    }
    Ok(out)
}
