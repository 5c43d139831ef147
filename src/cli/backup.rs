//! `vestibule backup` and `vestibule restore`: a copy of the database, and back.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::store::{database_url, with_store};
use super::{Caller, Failure, StoreArgs};
use crate::store::{BackupError, Copied, Store};

/// Copy the SQLite database to a new file, while it is served
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule backup /backups/accounts-$(date +%F).db
  vestibule backup --database sqlite:///var/lib/vestibule.db /backups/accounts.db

The copy is of one moment, has been read whole, and is on the disk when the command ends with 0. The token secret is not
in it: keep a copy of that apart. PostgreSQL has its own means: docs/backup.md.")]
pub(super) struct BackupArgs {
    /// The file to make; it must not be there yet
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
}

/// Put a backup where the database is to be
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule restore /backups/accounts-2026-11-20.db
  vestibule restore --database sqlite:///var/lib/vestibule.db /backups/accounts.db

The server must be stopped. A database that is there is not replaced: move it away first, with the files beside it whose
names begin like its own.")]
pub(super) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn backup(args: BackupArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let loaded = args.store.load(caller)?;
    let copied = with_store(&loaded, async |store| store.backup(&args.file).await.map_err(failed))?;
    told(copied, &args.file)
}

pub(super) fn restore(args: RestoreArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let loaded = args.store.load(caller)?;
    let url = database_url(&loaded)?;
    let copied = Store::restore(&url, &args.file).map_err(failed)?;
    told(copied, url.sqlite_path().unwrap_or(&args.file))
}

fn failed(error: BackupError) -> anyhow::Error {
    match error {
        BackupError::NotAFile
        | BackupError::Exists(_)
        | BackupError::Remains(_)
        | BackupError::HasLog { .. } => Failure::refused(error),
        other => Failure::unavailable(other),
    }
}

fn told(copied: Copied, file: &std::path::Path) -> anyhow::Result<ExitCode> {
    let Copied { users, bytes } = copied;
    let accounts = if users == 1 { "account" } else { "accounts" };
    writeln!(
        std::io::stdout(),
        "{}: {users} {accounts}, {bytes} bytes, read whole and synced",
        file.display()
    )?;
    Ok(ExitCode::SUCCESS)
}
