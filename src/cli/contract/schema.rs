//! `vestibule contract schema`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::Caller;

/// Write the JSON Schema of contract files, for editors
#[derive(Args, Debug)]
pub(super) struct SchemaArgs {}

pub(super) fn run(_args: &SchemaArgs, _caller: &Caller) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not linked yet")
}
