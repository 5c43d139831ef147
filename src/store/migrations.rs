//! The embedded schema migrations, numbered alike for both engines, and refinery's runner for them.
//!
//! The files are called `0001_users.sql`; refinery wants `V1__users`, so the names are given here.
//!
//! Two instances that start together need no lock between them. Each runs the pending migrations and their rows in
//! the history in **one** transaction; the slower one finds the tables there, or the history's primary key taken, is
//! rolled back as a whole, looks again and finds nothing left to do ([`ATTEMPTS`]). A killed migration leaves nothing
//! for the same reason. This works on any SQL server, with or without advisory locks.

use refinery::{Migration, Runner};

/// The history's name: refinery's own default could belong to another program in the same database.
pub(super) const HISTORY: &str = "vestibule_migrations";

/// How often a failed migration is tried: each failure can mean that another instance was faster.
pub(super) const ATTEMPTS: usize = 5;

const SQLITE: &[(&str, &str)] = &[
    ("V1__users", include_str!("../../migrations/sqlite/0001_users.sql")),
    ("V2__idempotency", include_str!("../../migrations/sqlite/0002_idempotency.sql")),
    ("V3__audit_and_limits", include_str!("../../migrations/sqlite/0003_audit_and_limits.sql")),
    ("V4__proofs", include_str!("../../migrations/sqlite/0004_proofs.sql")),
];

const POSTGRES: &[(&str, &str)] = &[
    ("V1__users", include_str!("../../migrations/postgres/0001_users.sql")),
    ("V2__idempotency", include_str!("../../migrations/postgres/0002_idempotency.sql")),
    ("V3__audit_and_limits", include_str!("../../migrations/postgres/0003_audit_and_limits.sql")),
    ("V4__proofs", include_str!("../../migrations/postgres/0004_proofs.sql")),
];

/// The highest schema number that this program knows.
pub(super) const KNOWN: i32 = 4;

/// The migrations of SQLite.
pub(super) fn sqlite() -> Runner {
    runner(SQLITE)
}

/// The migrations of PostgreSQL.
pub(super) fn postgres() -> Runner {
    runner(POSTGRES)
}

fn runner(files: &[(&str, &str)]) -> Runner {
    let migrations: Vec<Migration> = files
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql).expect("the names above are in refinery's form"))
        .collect();
    // Ungrouped, refinery commits a migration and its history row apart on SQLite: a kill between the two would
    // leave a schema that the next start tries to make again.
    let mut runner = Runner::new(&migrations).set_grouped(true);
    runner.set_migration_table_name(HISTORY);
    runner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_have_the_same_numbers() {
        let numbers = |runner: Runner| -> Vec<(i32, String)> {
            runner.get_migrations().iter().map(|m| (m.version(), m.name().to_owned())).collect()
        };
        assert_eq!(numbers(sqlite()), numbers(postgres()));
        assert_eq!(sqlite().get_migrations().last().map(Migration::version), Some(KNOWN));
    }
}
