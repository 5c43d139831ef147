//! The integration tests, all in one binary: one link, one PostgreSQL.

mod architecture;
mod cli;
mod docs;
mod goldens;
mod harness;
mod limits;
mod metrics;
mod openapi;
mod overload;
mod reference;
mod stores;
