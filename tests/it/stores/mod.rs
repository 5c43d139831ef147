//! The store: what holds on both engines (`opening`, `races`, `records`), and what only one of them can get wrong.

pub(crate) mod accounts;
mod attempts;
mod limits;
mod opening;
mod pgbouncer;
mod postgres;
mod races;
mod records;
mod repetitions;
mod sqlite;
