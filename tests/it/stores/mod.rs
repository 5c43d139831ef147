//! The store: what holds on both engines (`opening`, `races`, `records`), and what only one of them can get wrong.

/// Makes of each test one on a fresh SQLite file and one on a fresh PostgreSQL database.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let database = super::Database::sqlite();
                super::$test(&database).await;
                database.remove().await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let database = super::Database::postgres().await;
                super::$test(&database).await;
                database.remove().await;
            })*
        }
    };
}

mod accounts;
mod opening;
mod pgbouncer;
mod postgres;
mod races;
mod records;
mod sqlite;
