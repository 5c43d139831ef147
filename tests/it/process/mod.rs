//! The built program from outside: its command line, its sockets, its files, its signals.

mod audit;
mod backups;
mod configuration;
mod events;
mod leaving;
mod logs;
mod peppers;
mod races;
mod repetition;
mod routes;
mod secrets;
mod sign_up;
mod stopping;
mod users;

use crate::harness::database::Database;
use crate::harness::process::{Ended, Vestibule};

/// Runs `vestibule user ...` on a database.
pub(crate) fn user(database: &Database, arguments: &[&str], input: &str) -> Ended {
    Vestibule::new(&[&["user"], arguments].concat()).on(database).input(input.as_bytes()).run()
}

/// Every account as `user list --json` shows it.
pub(crate) fn accounts(database: &Database) -> Vec<serde_json::Value> {
    let listed = user(database, &["list", "--json", "--limit", "100000"], "");
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    listed.out.lines().map(|line| serde_json::from_str(line).expect("one object per line")).collect()
}

/// Whether a password opens an account.
pub(crate) fn opens(database: &Database, who: &str, password: &str) -> bool {
    match user(database, &["verify", who], password) {
        Ended { code: Some(0), .. } => true,
        Ended { code: Some(1), .. } => false,
        Ended { code, err, .. } => panic!("{code:?}: {err}"),
    }
}

/// Users with everything that belongs to them, and nothing that belongs to nobody.
async fn assert_whole(database: &Database, users: i64) {
    for (what, sql) in [
        ("users", "SELECT count(*) FROM users"),
        ("events", "SELECT count(*) FROM events WHERE user_id IN (SELECT id FROM users)"),
        ("users with keys", "SELECT count(DISTINCT user_id) FROM user_keys"),
        ("hashes", "SELECT count(*) FROM users WHERE password LIKE '$argon2id$v=19$m=19456,t=2,p=1$%'"),
    ] {
        assert_eq!(database.number(sql).await, users, "{what}");
    }
}
