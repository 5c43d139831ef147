//! The integration tests, all in one binary: one link, one PostgreSQL.

mod architecture;
mod cli;
mod goldens;
mod harness;
mod limits;
mod stores;
mod tools;
