//! The integration tests, all in one binary: one link, one PostgreSQL.

#[macro_use]
mod harness;

mod architecture;
mod attack;
mod cli;
mod docs;
mod door;
mod faults;
mod gate;
mod goldens;
mod limits;
mod metrics;
mod openapi;
mod overload;
mod process;
mod prove;
mod reference;
mod refusals;
mod stores;
mod tools;
