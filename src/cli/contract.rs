//! `vestibule contract`: what the contracts accept and answer.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Caller;

/// Look at the contracts
#[derive(Args, Debug)]
pub(super) struct ContractArgs {
    #[command(subcommand)]
    command: ContractCommand,
}

#[derive(Debug, Subcommand)]
enum ContractCommand {
    List(ListArgs),
    Show(ShowArgs),
}

/// List the shipped contracts
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  vestibule contract list")]
struct ListArgs {
    /// As a JSON array instead of a table
    #[arg(long)]
    json: bool,
}

/// Tell what a contract accepts and answers
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule contract show express
  vestibule contract show ./ours.toml")]
struct ShowArgs {
    /// The name of a shipped contract, or a file
    name: String,
}

pub(super) fn run(_args: ContractArgs, _caller: &Caller) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not linked yet")
}
