//! `vestibule contract prove`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::Caller;

/// Prove that a contract answers like a running backend
#[derive(Args, Debug)]
pub(super) struct ProveArgs {}

pub(super) fn run(_args: &ProveArgs, _caller: &Caller) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not linked yet")
}
