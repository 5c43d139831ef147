//! The program: parse the arguments, run, print one error, exit.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use vestibule::cli::{self, Caller};

fn main() -> ExitCode {
    let caller = Caller::of_process();
    cli::run(std::env::args_os(), &caller).unwrap_or_else(|error| cli::report(&error, &caller))
}
