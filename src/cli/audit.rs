//! `vestibule audit`: who tried to sign up, and what came of it.

use std::io::Write;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::follow::{Rows, Shown};
use super::store::{database_url, with_store};
use super::{Caller, Failure, StoreArgs, table};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::{Loaded, parse_time};
use crate::network::Network;
use crate::start::known_secret;
use crate::store::{Attempt, Attempts, Claimed, NameDigest, Store};
use crate::terminal::{json_line, printable};
use crate::user::least_uuid_v7;

/// Show who tried to sign up, and what came of it
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule audit --since 1h
  vestibule audit --about ada@example.org
  vestibule audit --network 192.0.2.7 --outcome throttled --json
  vestibule audit --since 2026-11-20T00:00:00Z --limit 100000 --json | jq -r .outcome | sort | uniq -c
  vestibule audit --follow

Attempts are recorded by servers with audit.store = true. Each is one row: when, which contract, how it ended, from which
network, and the id of the account that was made. A flood of refusals, or of answers that were given again, is counted
together: such a row stands for several ATTEMPTS and has no request id. Addresses and user names are not recorded, only keyed hashes of them: --about makes the
hash of a name, for which it needs the server's token secret.")]
pub(super) struct AuditArgs {
    /// Begin at this time, or so long ago: 2026-11-20T09:00:00Z, 1h, 30m
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Only those that ended so: created, taken, invalid, throttled, ...
    #[arg(long)]
    outcome: Option<String>,
    /// Only those at this contract; \"-\" is where none answers
    #[arg(long)]
    contract: Option<String>,
    /// Only those from this address or network
    #[arg(long, value_parser = network)]
    network: Option<Network>,
    /// Only those about this e-mail address or user name
    #[arg(long, value_name = "ADDRESS_OR_NAME")]
    about: Option<String>,
    /// The newest so many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Go on with those that come, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// A time, or a while before now.
#[derive(Clone, Copy, Debug)]
enum Moment {
    At(Timestamp),
    Ago(Duration),
}

#[derive(Debug, thiserror::Error)]
#[error("write a time like 2026-11-20T09:00:00Z, or how long ago: 30m, 1h")]
struct NoMoment;

fn moment(text: &str) -> Result<Moment, NoMoment> {
    let ago = parse_time(text).map(Moment::Ago).ok();
    ago.or_else(|| text.parse().map(Moment::At).ok()).ok_or(NoMoment)
}

/// What a client's address counts as in the record.
fn network(text: &str) -> Result<Network, crate::network::NetworkError> {
    text.parse::<IpAddr>().map(Network::of).or_else(|_| text.parse())
}

pub(super) fn run(args: AuditArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let loaded = args.store.clone().load(caller)?;
    let wanted = wanted(&args, &loaded)?;
    with_store(&loaded, async |store| show(&args, &wanted, store).await)?;
    Ok(ExitCode::SUCCESS)
}

fn wanted(args: &AuditArgs, loaded: &Loaded) -> anyhow::Result<Attempts> {
    let since = args.since.map(|since| match since {
        Moment::At(at) => at,
        Moment::Ago(ago) => Clock::system().now().checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH),
    });
    Ok(Attempts {
        // One less, so that nothing of that very moment is left out.
        after: since
            .map(|at| Uuid::from_u128(least_uuid_v7(at).as_u128().saturating_sub(1)))
            .unwrap_or_default(),
        limit: args.limit,
        newest: true,
        outcome: args.outcome.clone(),
        contract: args.contract.clone(),
        network: args.network.map(|network| network.to_string()),
        about: args.about.as_deref().map(|name| about(name, loaded)).transpose()?,
    })
}

fn about(name: &str, loaded: &Loaded) -> anyhow::Result<Claimed> {
    let url = database_url(loaded)?;
    let secret = known_secret(&loaded.config, &url).map_err(Failure::unavailable)?;
    let secret = secret.ok_or_else(|| {
        Failure::refused(anyhow!("--about needs the server's token secret: set VESTIBULE_TOKEN_SECRET_FILE"))
    })?;
    let claimed = Audit::unstored(&secret).written(Some(name), Some(name));
    if claimed == Claimed::default() {
        return Err(Failure::refused(anyhow!("{name:?} is neither an e-mail address nor a user name")));
    }
    Ok(claimed)
}

async fn show(args: &AuditArgs, wanted: &Attempts, store: &Store) -> anyhow::Result<()> {
    let found = store.attempts(wanted).await.map_err(Failure::unavailable)?;
    if !args.json && !args.follow {
        return print(&found);
    }
    let (rows, mut shown) = (Record { store, wanted, json: args.json }, Shown::default());
    shown.show(&found, &rows)?;
    if args.follow { shown.follow(None, &rows).await } else { Ok(()) }
}

struct Record<'s> {
    store: &'s Store,
    wanted: &'s Attempts,
    json: bool,
}

impl Rows for Record<'_> {
    type Row = Attempt;

    /// What is counted together becomes a row after a minute; one that stayed alone keeps its older id.
    const OVERLAP: Duration = Duration::from_secs(90);

    async fn after(&self, id: Uuid, limit: u32) -> anyhow::Result<Vec<Attempt>> {
        let wanted =
            Attempts { after: id.max(self.wanted.after), limit, newest: false, ..self.wanted.clone() };
        self.store.attempts(&wanted).await.map_err(Failure::unavailable)
    }

    fn id(attempt: &Attempt) -> Uuid {
        attempt.id
    }

    fn line(&self, attempt: &Attempt) -> String {
        if self.json { json_line(&as_json(attempt)) } else { cells(attempt).join("  ") }
    }
}

fn print(attempts: &[Attempt]) -> anyhow::Result<()> {
    let mut table =
        table(["TIME", "CONTRACT", "OUTCOME", "STATUS", "NETWORK", "ATTEMPTS", "REQUEST", "ACCOUNT"]);
    attempts.iter().for_each(|attempt| {
        table.add_row(cells(attempt));
    });
    Ok(writeln!(std::io::stdout().lock(), "{}", table.trim_fmt())?)
}

fn cells(attempt: &Attempt) -> [String; 8] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        attempt.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        printable(&attempt.contract),
        printable(&attempt.outcome),
        or_none(attempt.status.map(|status| status.to_string())),
        printable(attempt.network.as_deref().unwrap_or("-")),
        attempt.attempts.to_string(),
        or_none(request(attempt).map(|id| id.to_string())),
        or_none(attempt.user.map(|id| id.to_string())),
    ]
}

/// The id of the one request that it stands for.
fn request(attempt: &Attempt) -> Option<Uuid> {
    (attempt.attempts == 1).then_some(attempt.id)
}

fn as_json(attempt: &Attempt) -> serde_json::Value {
    let hex = |digest: NameDigest| format!("{:032x}", u128::from_be_bytes(digest));
    json!({
        "id": attempt.id,
        "at": attempt.at,
        "request_id": request(attempt),
        "contract": attempt.contract,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "network": attempt.network,
        "user_id": attempt.user,
        "email_digest": attempt.claimed.email.map(hex),
        "username_digest": attempt.claimed.username.map(hex),
        "attempts": attempt.attempts,
    })
}
