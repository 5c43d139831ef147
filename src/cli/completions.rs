//! `vestibule completions`: what a shell needs to complete the command line.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use clap_complete::{Shell, generate};

/// Print the completions of a shell
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule completions bash > /etc/bash_completion.d/vestibule
  vestibule completions zsh > \"${fpath[1]}/_vestibule\"
  vestibule completions fish > ~/.config/fish/completions/vestibule.fish")]
pub(super) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, command: &mut clap::Command) -> anyhow::Result<ExitCode> {
    // Into memory first: `generate` panics when its writer fails, and a pipe may be closed.
    let mut text = Vec::new();
    let program = command.get_name().to_owned();
    generate(args.shell, command, program, &mut text);
    io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}
