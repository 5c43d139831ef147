//! `vestibule contract try`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::Caller;

/// Try a request on a contract, step by step, without a database
#[derive(Args, Debug)]
pub(super) struct TryArgs {}

pub(super) fn run(_args: &TryArgs, _caller: &Caller) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not linked yet")
}
