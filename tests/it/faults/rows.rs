//! What stands in a database, read past Vestibule.

use rusqlite::types::ValueRef;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// The rows of a query, every value as text.
pub(super) async fn rows(url: &str, sql: &str) -> Vec<Vec<String>> {
    match url.strip_prefix("sqlite://") {
        Some(path) => of_sqlite(path, sql),
        None => of_postgres(url, sql).await,
    }
}

/// Runs statements.
pub(super) async fn execute(url: &str, sql: &str) {
    match url.strip_prefix("sqlite://") {
        Some(path) => rusqlite::Connection::open(path)
            .and_then(|file| file.execute_batch(sql))
            .unwrap_or_else(|error| panic!("{sql}: {error}")),
        None => drop(of_postgres(url, sql).await),
    }
}

fn of_sqlite(path: &str, sql: &str) -> Vec<Vec<String>> {
    let file = rusqlite::Connection::open(path).expect("the file opens");
    file.busy_timeout(std::time::Duration::from_secs(20)).expect("patience");
    let mut statement = file.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = statement.column_count();
    let text = |value: ValueRef<'_>| match value {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => panic!("neither a number nor a text: {other:?}"),
    };
    let read = statement.query_map([], |row| {
        (0..columns).map(|column| row.get_ref(column).map(text)).collect::<Result<Vec<_>, _>>()
    });
    read.and_then(Iterator::collect).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn of_postgres(url: &str, sql: &str) -> Vec<Vec<String>> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server is reachable");
    let connection = tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    drop(client);
    // Its session is over when this returns.
    let _ = connection.await;
    let texts = |row: &tokio_postgres::SimpleQueryRow| {
        (0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect()
    };
    messages
        .iter()
        .filter_map(|m| if let SimpleQueryMessage::Row(row) = m { Some(texts(row)) } else { None })
        .collect()
}
