//! `vestibule pepper`: secrets that hashes need beside the password.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;
use zeroize::Zeroizing;

use super::store::with_store;
use super::{Caller, Failure, StoreArgs, table};
use crate::clock::Clock;
use crate::password::{KeyId, pepper};

/// Secrets beside the passwords, so that a stolen database alone verifies nothing
#[derive(Args, Debug)]
pub(super) struct PepperArgs {
    #[command(subcommand)]
    command: PepperCommand,
}

#[derive(Debug, Subcommand)]
enum PepperCommand {
    New(NewArgs),
    Usage(UsageArgs),
}

/// Print a line with a new secret for the file that passwords.pepper_file names
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  (umask 077; vestibule pepper new >> /etc/vestibule/pepper)
  vestibule pepper new spring

The last line of the file goes into new hashes, so adding one is how a pepper is replaced. Servers read the file when they
start. Older lines stay until `vestibule pepper usage` counts no account for them.")]
struct NewArgs {
    /// Its name, 1 to 8 letters, digits, `-`, `_` or `.`, which no other one ever had; made up unless given
    id: Option<String>,
}

/// Count the accounts whose password is hashed with each pepper; exit code 1 when one is missing from the file
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule pepper usage --config /etc/vestibule.toml
  vestibule pepper usage --json | jq 'select(.known | not)'

Reads every account. With --json each pepper is one line.")]
struct UsageArgs {
    /// One JSON object per line instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: PepperArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    match args.command {
        PepperCommand::New(args) => new(&args),
        PepperCommand::Usage(args) => usage(args, caller),
    }
}

fn new(args: &NewArgs) -> anyhow::Result<ExitCode> {
    let clock = Clock::system();
    // The year, for people, and what keeps two of a day apart: hashes say with which name they were made.
    let made_up = || {
        let [a, b, c] = clock.random();
        format!("{}{a:02x}{b:02x}{c:02x}", clock.now().strftime("%y"))
    };
    let id = args.id.clone().unwrap_or_else(made_up);
    let id = KeyId::parse(&id).ok_or_else(|| {
        Failure::refused(anyhow!("the id {id:?} is not 1 to 8 letters, digits, `-`, `_` or `.`"))
    })?;
    let secret = Zeroizing::new(clock.random());
    writeln!(std::io::stdout().lock(), "{}", *pepper::line(&id, &secret))?;
    Ok(ExitCode::SUCCESS)
}

fn usage(args: UsageArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let loaded = args.store.load(caller)?;
    let peppers =
        loaded.config.passwords.peppers().context("passwords.pepper_file").map_err(Failure::refused)?;
    let used = with_store(&loaded, async |store| store.key_ids().await.map_err(Failure::unavailable))?;

    let mut out = std::io::stdout().lock();
    let mut table = table(["PEPPER", "ACCOUNTS", "IN THE FILE"]);
    let mut all_known = true;
    for (key_id, accounts) in used {
        // What is no id of ours was imported, and cannot be verified either.
        let id = key_id.as_deref().map(|text| KeyId::of_phc(text).ok_or(text));
        let name =
            id.as_ref().map(|id| id.as_ref().map_or_else(|text| format!("{text:?}"), KeyId::to_string));
        let known = id.is_none_or(|id| id.is_ok_and(|id| peppers.has(&id)));
        all_known &= known;
        if args.json {
            writeln!(out, "{}", json!({ "pepper": name, "accounts": accounts, "known": known }))?;
        } else {
            let in_file = if name.is_none() {
                "-"
            } else if known {
                "yes"
            } else {
                "NO"
            };
            table.add_row([
                name.unwrap_or_else(|| "none".to_owned()),
                accounts.to_string(),
                in_file.to_owned(),
            ]);
        }
    }
    if !args.json {
        writeln!(out, "{}", table.trim_fmt())?;
    }
    Ok(if all_known { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
