//! The command line: one file per sub-command. Only here and in `main` is anything printed or the process looked at.

mod audit;
mod backup;
mod breach;
mod calibrate;
mod caller;
mod completions;
mod config;
mod contract;
mod events;
mod follow;
pub mod log;
mod man;
mod outcome;
mod pepper;
mod runtime;
mod serve;
mod settings;
mod store;
mod table;
mod user;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use caller::Caller;
pub use outcome::{Failure, report};
pub use settings::{FileArgs, ServerArgs, StoreArgs};
use table::table;

/// The name people type.
const PROGRAM: &str = "vestibule";

const AFTER_HELP: &str = "\
Examples:
  vestibule serve                                    every shipped contract, embedded SQLite
  vestibule serve --contract express                 one contract at its own path, a drop-in
  vestibule serve --config /etc/vestibule.toml --listen 0.0.0.0:8080
  vestibule config show --origin                     what is in effect, and why
  echo 'P@ssw0rd' | vestibule user verify ada@example.org

Exit codes:
  0   done
  1   the answer is no (a password does not match, a user is not there)
  2   the command line, the configuration or a contract was refused
  3   the database or another resource is not available
  70  an error inside of Vestibule

Every key of the configuration is also an environment variable: VESTIBULE_LISTEN, VESTIBULE_PASSWORDS_WORKERS, ...
`vestibule config default` explains them all.";

/// A self-hosted sign-up server: POST /users in whatever dialect your clients already speak.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, version, after_help = AFTER_HELP, max_term_width = 110)]
#[command(arg_required_else_help = true, subcommand_required = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Config(config::ConfigArgs),
    User(user::UserArgs),
    Events(events::EventsArgs),
    Audit(audit::AuditArgs),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    Contract(contract::ContractArgs),
    Breach(breach::BreachArgs),
    Pepper(pepper::PepperArgs),
    Calibrate(calibrate::CalibrateArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Parses the arguments (the program's name first) and runs what they ask for. What people asked to see goes to
/// standard output; the caller passes the error, if any, to [`report`].
///
/// # Errors
/// Whatever the sub-command met; [`Failure`] in the chain says what it means for the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>, caller: &Caller) -> anyhow::Result<ExitCode> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(answer) => return Ok(outcome::usage(&answer)),
    };
    match cli.command {
        Command::Serve(args) => serve::run(args, caller),
        Command::Config(args) => config::run(args, caller),
        Command::User(args) => user::run(args, caller),
        Command::Events(args) => events::run(args, caller),
        Command::Audit(args) => audit::run(args, caller),
        Command::Backup(args) => backup::backup(args, caller),
        Command::Restore(args) => backup::restore(args, caller),
        Command::Contract(args) => contract::run(args, caller),
        Command::Breach(args) => breach::run(&args),
        Command::Pepper(args) => pepper::run(args, caller),
        Command::Calibrate(args) => calibrate::run(&args, caller),
        Command::Completions(args) => completions::run(&args, &mut command()),
        Command::Man(args) => man::run(&args, command()),
    }
}

/// The whole tree of commands, as completions and man pages need it.
fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }
}
