//! What the tests stand on: fresh databases of both kinds, folders that go away, old backends, servers inside the test
//! process and in processes of their own.

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

pub(crate) mod ari;
pub(crate) mod backend;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod folder;
pub(crate) mod log;
pub(crate) mod pebble;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proof;
pub(crate) mod server;
pub(crate) mod small_disk;
pub(crate) mod strace;
pub(crate) mod tls;
