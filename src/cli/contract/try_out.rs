//! `vestibule contract try`.

mod play;
mod request;
mod show;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;

use crate::cli::runtime::runtime;
use crate::cli::{Caller, Failure};
use crate::contract::{Contract, Outcome};
use play::{Played, Setting, Stage};
use request::RequestArgs;
use show::Try;

/// Send a request to a contract without a server or a database, and see every step
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule contract try express
  vestibule contract try express -d '{\"firstname\":\"Ann\",\"email\":\"ann@example.com\",\"password\":\"secret-7\"}'
  vestibule contract try ./ours.toml -d @request.json --taken email
  vestibule contract try ./ours.toml --data-urlencode email=ann@example.com --data-urlencode password=secret-7
  vestibule contract try ./ours.toml -d '{}' -H 'X-Api-Key: k' --secret api_key=k --query lang=en
  vestibule contract try express --outcome busy
  vestibule contract try express -d @request.json --silent | tail -1 | jq

It shows what was decoded, before and after `clean`; which rules ran and which was broken; what the values mean; the
outcome; and the reply, exactly as the server would send it (but for the `date` header). Secrets are shown as ***.
Nothing is stored. A try repeats itself: it is always 2024-06-10T12:34:56.789Z, ids and tokens follow from --seed, and
tokens are signed with a key that guards nothing.

Without a body (-d '' is an empty one) the contract's own example is sent, with <NAME> for a secret that is not given.
Without a Content-Type header the body is what the contract reads: JSON if it begins with {, else a form.
--outcome plays a reply that does not depend on the request: busy, throttled, closed, failed, malformed, too_large,
unsupported_media_type, method_not_allowed; and taken, with every unique value of the request in use.

Exit codes:
  0   the outcome is `created`
  1   it is another one
  2   the contract or the command line was refused")]
pub(super) struct TryArgs {
    /// The name of a shipped contract, or a file
    #[arg(value_name = "NAME_OR_FILE")]
    contract: String,
    #[command(flatten)]
    request: RequestArgs,
    /// This kind of value is in use: email, username, id, or extra.NAME of a unique field; repeatable
    #[arg(long, value_name = "KIND", help_heading = "Circumstances")]
    taken: Vec<String>,
    /// A secret of the deployment, with which the contract compares; repeatable
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Circumstances")]
    secret: Vec<String>,
    /// Play this outcome
    #[arg(long, value_name = "NAME", conflicts_with = "taken", help_heading = "Circumstances")]
    outcome: Option<String>,
    /// What links begin with
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://accounts.example.com",
        help_heading = "Circumstances"
    )]
    base_url: String,
    /// Makes the random values: the same seed, the same values
    #[arg(long, value_name = "N", default_value_t = 7, help_heading = "Circumstances")]
    seed: u64,
    /// Everything as one JSON object
    #[arg(long, conflicts_with_all = ["silent", "pretty"])]
    json: bool,
    /// Only the reply, as curl -i shows it
    #[arg(short, long)]
    silent: bool,
    /// Indent a JSON body, on a terminal only
    #[arg(long)]
    pretty: bool,
}

pub(super) fn run(args: &TryArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let (name, contract) = super::read(&args.contract, caller)?;
    let setting = setting(args, &contract).map_err(Failure::refused)?;
    let stage = Stage::new(&contract, &setting);
    let pretend = setting.outcome.as_ref().filter(|outcome| **outcome != Outcome::Taken);
    let (request, played, reply) = match pretend {
        Some(outcome) => (None, Played::default(), stage.pretend(outcome)?),
        None => {
            let request = args.request.request(&contract).map_err(Failure::refused)?;
            let (played, reply) = runtime()?.block_on(stage.play(&request)).map_err(Failure::refused)?;
            (Some(request), played, reply)
        }
    };
    let answer = crate::http::whole(reply.clone(), &stage.circumstances.request_id).map(drop);
    let shown = Try {
        name: &name,
        contract: &contract,
        request: request.as_ref(),
        played: &played,
        reply: &reply,
        answer,
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&show::as_json(&shown))?)?;
    } else {
        let terminal = out.is_terminal();
        if !args.silent {
            write!(out, "{}", show::steps(&shown))?;
        }
        write!(out, "{}", show::reply(&shown, args.pretty && terminal))?;
        if terminal {
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(if reply.outcome == Outcome::Created { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn setting(args: &TryArgs, contract: &Contract) -> anyhow::Result<Setting> {
    let mut secrets = Vec::new();
    for text in &args.secret {
        let (name, value) = text.split_once('=').ok_or_else(|| anyhow!("--secret: write NAME=VALUE"))?;
        secrets.push((name.to_owned(), value.to_owned()));
    }
    for name in contract.secrets() {
        if !secrets.iter().any(|(known, _)| known == name) {
            // As the contract's own example writes it.
            secrets.push((name.to_owned(), format!("<{name}>")));
        }
    }
    Ok(Setting {
        seed: args.seed,
        base_url: args.base_url.clone(),
        secrets,
        taken: args.taken.clone(),
        outcome: args.outcome.as_deref().map(|name| play::outcome(name, contract)).transpose()?,
    })
}
