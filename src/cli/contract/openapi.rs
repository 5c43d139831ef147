//! `vestibule contract openapi`: contracts as an OpenAPI 3.1 document.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::read;
use crate::cli::Caller;
use crate::contract::{self, Contract, Endpoint, SHIPPED};

/// Write the OpenAPI 3.1 document of contracts
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule contract openapi express > openapi.json
  vestibule contract openapi ./ours.toml --base-url https://accounts.example.com

Several contracts are shown under their own names (/express/user/register), one at its own path. A running server
answers the same document at /openapi.json.")]
pub(super) struct OpenapiArgs {
    /// Shipped contracts by name, or files; without any, every shipped one
    #[arg(value_name = "NAME_OR_FILE")]
    names: Vec<String>,
    /// The address that clients know the server by
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    base_url: String,
}

pub(super) fn run(args: &OpenapiArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let every = || SHIPPED.iter().map(|s| s.name.to_owned()).collect();
    let names: Vec<String> = if args.names.is_empty() { every() } else { args.names.clone() };
    let contracts: Vec<(String, Contract)> =
        names.iter().map(|name| read(name, caller)).collect::<anyhow::Result<_>>()?;
    let path = |name: &str, contract: &Contract| match contracts.len() {
        1 => contract.register.path.clone(),
        _ => format!("/{name}{}", contract.register.path),
    };
    let paths: Vec<String> = contracts.iter().map(|(name, contract)| path(name, contract)).collect();
    let endpoints = contracts.iter().zip(&paths);
    let endpoints: Vec<Endpoint<'_>> =
        endpoints.map(|((name, contract), path)| Endpoint { name, path, contract }).collect();
    writeln!(std::io::stdout().lock(), "{:#}", contract::openapi(&endpoints, &args.base_url))?;
    Ok(ExitCode::SUCCESS)
}
