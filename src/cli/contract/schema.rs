//! `vestibule contract schema`: the JSON Schema of contract files.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use crate::contract;

/// Write the JSON Schema of contract files, for editors
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule contract schema > contract.schema.json

Editors with the Even Better TOML extension (taplo) then complete and check a contract file that begins with
  #:schema ./contract.schema.json")]
pub(super) struct SchemaArgs {}

pub(super) fn run(_: &SchemaArgs) -> anyhow::Result<ExitCode> {
    writeln!(std::io::stdout().lock(), "{:#}", contract::schema())?;
    Ok(ExitCode::SUCCESS)
}
