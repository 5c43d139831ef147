//! `vestibule serve`: the server.

use std::process::ExitCode;

use clap::Args;

use super::{Caller, ServerArgs};

/// Run the server
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule serve
  vestibule serve --contract express --database postgres://vestibule@db/accounts
  vestibule serve --contract knex@/v1 --contract ./ours.toml@/v2
  vestibule serve --set passwords.workers=2 --set log.format=json

SIGTERM and SIGINT finish what was accepted, and exit with 0.")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: ServeArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let _loaded = args.server.load(caller)?;
    anyhow::bail!("not linked yet")
}
