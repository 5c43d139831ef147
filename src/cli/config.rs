//! `vestibule config`: what is in effect, and the defaults.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Caller, ServerArgs};
use crate::config::{DEFAULT_FILE, KEYS, Loaded};

/// Show the configuration
#[derive(Args, Debug)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    Show(ShowArgs),
    /// Print the default configuration file, every key explained
    #[command(after_help = "Example:\n  vestibule config default > vestibule.toml")]
    Default,
}

/// Print the configuration in effect, secrets as ***
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule config show --origin
  vestibule config show --json --config /etc/vestibule.toml
  VESTIBULE_LISTEN=0.0.0.0:80 vestibule config show --origin

Without --json the output is a configuration file in itself, save for its secrets.")]
struct ShowArgs {
    /// Tell where each value came from
    #[arg(long)]
    origin: bool,
    /// As one JSON object: key to value, or with --origin to value and origin
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: ConfigArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let text = match args.command {
        ConfigCommand::Default => DEFAULT_FILE.to_owned(),
        ConfigCommand::Show(show) => {
            let loaded = show.server.load(caller)?;
            if show.json { as_json(&loaded, show.origin)? } else { as_toml(&loaded, show.origin) }
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// All keys in their order, then the named secrets; `None` is a key that is not set.
fn values(loaded: &Loaded) -> Vec<(String, Option<toml::Value>)> {
    let keys = KEYS.iter().map(|key| (key.name.to_owned(), key.show(&loaded.config)));
    let secrets = loaded
        .config
        .secrets
        .iter()
        .map(|(name, secret)| (format!("secrets.{name}"), Some(toml::Value::String(secret.to_string()))));
    keys.chain(secrets).collect()
}

fn as_toml(loaded: &Loaded, origin: bool) -> String {
    let line = |(name, value): (String, Option<toml::Value>)| match value {
        Some(value) => (format!("{name} = {value}"), loaded.origin(&name)),
        None => (format!("# {name} is not set"), None),
    };
    let lines: Vec<_> = values(loaded).into_iter().map(line).collect();
    // One long list of contracts must not push every origin off the screen.
    let width =
        lines.iter().map(|(text, _)| text.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    let mut text = String::new();
    for (line, from) in lines {
        match from.filter(|_| origin) {
            Some(from) => text.push_str(&format!("{line:width$}  # {}\n", from.to_string().escape_debug())),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

fn as_json(loaded: &Loaded, origin: bool) -> anyhow::Result<String> {
    let mut object = serde_json::Map::new();
    for (name, value) in values(loaded) {
        let value = serde_json::to_value(value)?;
        let from = loaded.origin(&name).map(ToString::to_string);
        object.insert(name, if origin { json!({ "value": value, "origin": from }) } else { value });
    }
    Ok(serde_json::to_string_pretty(&object)? + "\n")
}
