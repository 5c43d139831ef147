//! `vestibule contract`: what the contracts accept and answer.

mod check;
mod new;
mod openapi;
mod prove;
mod read;
mod schema;
mod try_out;

use std::io::Write;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};

use crate::cli::{Caller, table};
use crate::contract::{self, Contract, SHIPPED};
use read::read;

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
    Check(check::CheckArgs),
    #[command(name = "try")]
    TryOut(try_out::TryArgs),
    New(new::NewArgs),
    Prove(prove::ProveArgs),
    Openapi(openapi::OpenapiArgs),
    Schema(schema::SchemaArgs),
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

pub(super) fn run(args: ContractArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    match args.command {
        ContractCommand::List(args) => list(&args),
        ContractCommand::Show(args) => show(&args, caller),
        ContractCommand::Check(args) => check::run(&args, caller),
        ContractCommand::TryOut(args) => try_out::run(&args, caller),
        ContractCommand::New(args) => new::run(&args, caller),
        ContractCommand::Prove(args) => prove::run(&args, caller),
        ContractCommand::Openapi(args) => openapi::run(&args, caller),
        ContractCommand::Schema(args) => schema::run(&args),
    }
}

fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut rows = Vec::new();
    for shipped in SHIPPED {
        let contract =
            contract::shipped(shipped.name).ok_or_else(|| anyhow!("{} is broken", shipped.name))?;
        rows.push((shipped.name, contract));
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let rows: Vec<_> = rows.iter().map(|(name, c)| row(name, c)).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = table(["NAME", "PATH", "TITLE"]);
    for (name, contract) in &rows {
        table.add_row([*name, &contract.register.path_and_query(), &contract.title]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(ExitCode::SUCCESS)
}

fn row(name: &str, contract: &Contract) -> serde_json::Value {
    serde_json::json!({ "name": name, "method": "POST", "path": contract.register.path_and_query(), "title": contract.title })
}

fn show(args: &ShowArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let (name, contract) = read(&args.name, caller)?;
    let text = contract::describe(&contract, &name, &contract.register.path);
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}
