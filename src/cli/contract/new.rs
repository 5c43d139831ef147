//! `vestibule contract new`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::Caller;

/// Start a contract from an example request and the answers to it
#[derive(Args, Debug)]
pub(super) struct NewArgs {}

pub(super) fn run(_args: &NewArgs, _caller: &Caller) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not linked yet")
}
