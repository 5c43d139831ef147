//! How a run ends: one message, one exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use super::caller::Caller;
use crate::config::Problems;
use crate::terminal::printable;

/// What an error means for the exit code. An error in whose chain there is none is internal (70, as `EX_SOFTWARE` in
/// BSD's `sysexits.h`); configuration problems are always a refusal.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line, the configuration or a contract is not acceptable: 2.
    #[error(transparent)]
    Refused(anyhow::Error),
    /// The same, told in full: excerpts and carets, one below the other. Nothing is put before or behind it: 2.
    #[error("{0}")]
    Report(String),
    /// The database, the port or a file is not available: 3.
    #[error(transparent)]
    Unavailable(anyhow::Error),
}

impl Failure {
    /// Marks an error as a refusal: `.map_err(Failure::refused)?`.
    pub fn refused(error: impl Into<anyhow::Error>) -> anyhow::Error {
        Failure::Refused(error.into()).into()
    }

    /// Marks an error as a missing resource: `.map_err(Failure::unavailable)?`.
    pub fn unavailable(error: impl Into<anyhow::Error>) -> anyhow::Error {
        Failure::Unavailable(error.into()).into()
    }
}

/// Prints an error with its causes to standard error and tells the exit code. A reader that closed the pipe
/// (`config show | head -1`) is no error.
pub fn report(error: &anyhow::Error, caller: &Caller) -> ExitCode {
    // Only an error that came from printing stands alone; those of stores and sockets have a story around them.
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    // Nobody is left to tell when standard error is closed, and `eprintln!` would panic.
    let _ = writeln!(io::stderr(), "{}", describe(error, caller.colour));
    ExitCode::from(exit_code(error))
}

/// Answers of clap: help and version go to standard output with 0, mistakes to standard error with 2.
pub(super) fn usage(answer: &clap::Error) -> ExitCode {
    let _ = answer.print();
    if answer.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

fn describe(error: &anyhow::Error, colour: bool) -> String {
    let (start, end) = if colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    let mut text = String::new();
    let mut last = String::new();
    for cause in error.chain() {
        if let Some(problems) = cause.downcast_ref::<Problems>() {
            return problems.render(colour);
        }
        if let Some(Failure::Report(text)) = cause.downcast_ref() {
            return text.clone();
        }
        // Many errors repeat the message of their source in their own.
        let message = cause.to_string();
        // A server may have said part of it.
        let message = message.lines().map(printable).collect::<Vec<_>>().join("\n");
        if last.ends_with(&message) {
            continue;
        }
        text.push_str(&match last.is_empty() {
            true => format!("{start}error{end}: {message}"),
            false => format!("\n  caused by: {message}"),
        });
        last = message;
    }
    text
}

fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        match cause.downcast_ref::<Failure>() {
            Some(Failure::Refused(_) | Failure::Report(_)) => return 2,
            Some(Failure::Unavailable(_)) => return 3,
            None if cause.is::<Problems>() => return 2,
            None => {}
        }
    }
    70
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn an_error_is_told_once_with_its_causes_and_its_code() {
        let cause = anyhow!("no such host").context("cannot connect");
        let error = Failure::unavailable(cause);
        assert_eq!(describe(&error, false), "error: cannot connect\n  caused by: no such host");
        assert_eq!(exit_code(&error), 3);
        let wrapped = Err::<(), _>(error).context("starting").unwrap_err();
        assert_eq!(exit_code(&wrapped), 3);
        assert_eq!(exit_code(&Failure::refused(anyhow!("x"))), 2);
        let report = anyhow::Error::from(Failure::Report("error: a\n --> b".to_owned()));
        assert_eq!((describe(&report, false).as_str(), exit_code(&report)), ("error: a\n --> b", 2));
        assert_eq!(exit_code(&anyhow!("x")), 70);
        let problems = Problems::from(Vec::new());
        assert_eq!(exit_code(&anyhow::Error::from(problems).context("x")), 2);
    }
}
