//! The program: parse the arguments, run, print one error, exit.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use vestibule::cli::{self, Caller};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let caller = Caller::of_process();
    cli::run(std::env::args_os(), &caller).unwrap_or_else(|error| cli::report(&error, &caller))
}
