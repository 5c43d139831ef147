//! `vestibule contract openapi`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::Caller;

/// Write the OpenAPI 3.1 document of contracts
#[derive(Args, Debug)]
pub(super) struct OpenapiArgs {}

pub(super) fn run(_args: &OpenapiArgs, _caller: &Caller) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not linked yet")
}
