//! The integration tests, all in one binary: one link, one PostgreSQL.

mod goldens;
mod harness;
mod limits;
mod refusals;
