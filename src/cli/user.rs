//! `vestibule user`: look at the accounts.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Caller, StoreArgs};

/// Look at the accounts
#[derive(Args, Debug)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    List(ListArgs),
    Show(ShowArgs),
    Verify(VerifyArgs),
}

/// List accounts by id
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule user list --limit 20
  vestibule user list --after 20 --limit 20
  vestibule user list --json | jq -r .email

With --json each account is one line.")]
struct ListArgs {
    /// One JSON object per line instead of a table
    #[arg(long)]
    json: bool,
    /// Begin behind this id
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: i64,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    store: StoreArgs,
}

/// Show one account; exit code 1 when there is none
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule user show ada@example.org
  vestibule user show 7 --json")]
struct ShowArgs {
    /// The id, the public id, the e-mail address or the user name
    who: String,
    /// As a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Check a password, read from standard input or asked for: exit code 0 when it matches, 1 when not
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule user verify ada@example.org
  printf '%s' 'P@ssw0rd' | vestibule user verify ada@example.org

One trailing newline is not part of the password.")]
struct VerifyArgs {
    /// The id, the public id, the e-mail address or the user name
    who: String,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: UserArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let store = match args.command {
        UserCommand::List(list) => list.store,
        UserCommand::Show(show) => show.store,
        UserCommand::Verify(verify) => verify.store,
    };
    let _loaded = store.load(caller)?;
    anyhow::bail!("not linked yet")
}
