//! `vestibule contract check`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::Caller;

/// Check contract files: every mistake at once
#[derive(Args, Debug)]
pub(super) struct CheckArgs {}

pub(super) fn run(_args: &CheckArgs, _caller: &Caller) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not linked yet")
}
