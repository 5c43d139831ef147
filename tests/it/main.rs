//! The integration tests, all in one binary: one link, one PostgreSQL.

mod harness;
mod stores;
