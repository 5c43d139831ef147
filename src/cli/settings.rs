//! The flags that set configuration keys, shared by the sub-commands.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::caller::Caller;
use super::outcome::Failure;
use crate::config::{Config, Flag, Loaded, Problems, Sources};

/// `--config` and `--set`.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Configuration")]
pub struct FileArgs {
    /// Read this configuration file; no other one is looked for [env: VESTIBULE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set any key of the configuration, for example --set log.format=json; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

/// What commands that look into the database take.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Configuration")]
pub struct StoreArgs {
    /// Where accounts are kept: sqlite://PATH or postgres://USER@HOST/NAME [env: VESTIBULE_DATABASE]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// The file and the other keys.
    #[command(flatten)]
    pub file: FileArgs,
}

/// What the server takes, and `config show`, so that it can tell what a server would do.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Configuration")]
pub struct ServerArgs {
    /// Address and port to listen on; port 0 lets the system choose [env: VESTIBULE_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Serve GET /metrics, /healthz and /readyz on this address and port; off by default [env: VESTIBULE_ADMIN_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub admin_listen: Option<String>,
    /// Serve this contract: NAME_OR_FILE or NAME_OR_FILE@/prefix; repeatable, several also by comma. A single one is
    /// mounted at the root; without any, every shipped one under its own name [env: VESTIBULE_CONTRACTS]
    #[arg(long = "contract", value_name = "CONTRACT")]
    pub contracts: Vec<String>,
    /// The database, the file and the other keys.
    #[command(flatten)]
    pub store: StoreArgs,
}

impl FileArgs {
    /// Merges all layers with these flags on top.
    ///
    /// # Errors
    /// [`Problems`], or a variable that is no UTF-8.
    pub fn load(self, caller: &Caller) -> anyhow::Result<Loaded> {
        load(Vec::new(), self, caller)
    }
}

impl StoreArgs {
    /// Merges all layers with these flags on top.
    ///
    /// # Errors
    /// [`Problems`], or a variable that is no UTF-8.
    pub fn load(self, caller: &Caller) -> anyhow::Result<Loaded> {
        load(
            self.database.map(|url| flag("database", url, "--database")).into_iter().collect(),
            self.file,
            caller,
        )
    }
}

impl ServerArgs {
    /// Merges all layers with these flags on top.
    ///
    /// # Errors
    /// [`Problems`], or a variable that is no UTF-8.
    pub fn load(self, caller: &Caller) -> anyhow::Result<Loaded> {
        let (loaded, problems) = self.read(caller)?;
        if problems.is_empty() { Ok(loaded) } else { Err(problems.into()) }
    }

    /// The same for a caller who adds what else is wrong, see [`Config::read`].
    ///
    /// # Errors
    /// A variable that is no UTF-8.
    pub fn read(self, caller: &Caller) -> anyhow::Result<(Loaded, Problems)> {
        let listen = self.listen.map(|address| flag("listen", address, "--listen"));
        let database = self.store.database.map(|url| flag("database", url, "--database"));
        let contracts = self.contracts.into_iter().map(|contract| flag("contracts", contract, "--contract"));
        let admin = self.admin_listen.map(|address| flag("admin_listen", address, "--admin-listen"));
        let flags = listen.into_iter().chain(admin).chain(database).chain(contracts).collect();
        Ok(Config::read(&sources(flags, self.store.file, caller)?))
    }
}

fn load(flags: Vec<Flag>, file: FileArgs, caller: &Caller) -> anyhow::Result<Loaded> {
    Ok(Config::load(sources(flags, file, caller)?)?)
}

fn sources(mut flags: Vec<Flag>, file: FileArgs, caller: &Caller) -> anyhow::Result<Sources> {
    flags.extend(file.set.into_iter().map(|(key, value)| {
        let shown = format!("--set {key}");
        flag(&key, value, &shown)
    }));
    Ok(Sources { flags, environment: texts(caller)?, file: file.config })
}

fn flag(key: &str, value: String, flag: &str) -> Flag {
    Flag { key: key.to_owned(), value, flag: flag.to_owned() }
}

#[derive(Debug, thiserror::Error)]
#[error("write KEY=VALUE")]
struct NoAssignment;

fn assignment(text: &str) -> Result<(String, String), NoAssignment> {
    let (key, value) = text.split_once('=').ok_or(NoAssignment)?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// The variables of the caller as texts.
fn texts(caller: &Caller) -> anyhow::Result<Vec<(String, String)>> {
    let text = |name: &OsString, value: &OsString| {
        let name = name.to_string_lossy();
        let refused = || Failure::refused(anyhow::anyhow!("environment variable {name} is not valid UTF-8"));
        Ok((name.to_string(), value.to_str().ok_or_else(refused)?.to_owned()))
    };
    caller.environment.iter().map(|(name, value)| text(name, value)).collect()
}
