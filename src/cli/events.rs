//! `vestibule events`: what happened, as mails and webhooks will read it.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::user::{open, printable};
use super::{Caller, Failure, StoreArgs};
use crate::clock::Clock;
use crate::store::{Event, Events, Store};

/// Look at what happened
#[derive(Args, Debug)]
pub(super) struct EventsArgs {
    #[command(subcommand)]
    command: EventsCommand,
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    Tail(TailArgs),
}

/// Show the newest events, and with --follow those that come
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule events tail
  vestibule events tail --lines 100 --json | jq -r .payload.email
  vestibule events tail --follow
  vestibule events tail --after 01932f0e-5c1a-7c3e-9b1c-2f6d8f0a4b11 --json

Events are written in the transaction of the account that they tell about: there is one for every account that was
registered, and none for any other. Their ids never change; whoever acts on them can tell a repetition by them.")]
struct TailArgs {
    /// Begin with the newest so many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    lines: u32,
    /// Begin behind this event instead
    #[arg(long, value_name = "ID", conflicts_with = "lines")]
    after: Option<Uuid>,
    /// Go on with those that come, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// How many are asked for at a time.
const PAGE: u32 = 1000;
/// How often it is looked for new ones.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a transaction may take at most: so far back events can still appear behind newer ones.
const OVERLAP: Duration = Duration::from_secs(30);

pub(super) fn run(args: EventsArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let EventsCommand::Tail(args) = args.command;
    let loaded = args.store.clone().load(caller)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let store = open(&loaded).await?;
        tail(&args, &store).await?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

async fn tail(args: &TailArgs, store: &Store) -> anyhow::Result<()> {
    let mut shown = Shown::default();
    match args.after {
        Some(id) => shown.all_after(id, args, store).await?,
        None => {
            let events = store.events(Events::Last(args.lines)).await.map_err(Failure::unavailable)?;
            shown.show(events, args.json)?;
        }
    }
    let (clock, start) = (Clock::system(), args.after.unwrap_or(shown.newest));
    if !args.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(PAUSE).await;
        let back = least_id(clock.now().checked_sub(OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH));
        shown.forget_before(back);
        shown.all_after(start.max(back), args, store).await?;
    }
}

/// What has been shown and could be met again.
#[derive(Default)]
struct Shown {
    recent: BTreeMap<Uuid, ()>,
    newest: Uuid,
}

impl Shown {
    async fn all_after(&mut self, mut after: Uuid, args: &TailArgs, store: &Store) -> anyhow::Result<()> {
        loop {
            let events = store.events(Events::After(after, PAGE)).await.map_err(Failure::unavailable)?;
            let Some(last) = events.last().map(|event| event.id) else { return Ok(()) };
            self.show(events, args.json)?;
            after = last;
        }
    }

    fn show(&mut self, events: Vec<Event>, json: bool) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        for event in events {
            if self.recent.insert(event.id, ()).is_none() {
                writeln!(out, "{}", if json { as_json(&event).to_string() } else { as_line(&event) })?;
            }
            self.newest = self.newest.max(event.id);
        }
        Ok(out.flush()?)
    }

    fn forget_before(&mut self, id: Uuid) {
        self.recent = self.recent.split_off(&id);
    }
}

/// The least version 7 UUID of a moment (RFC 9562, section 5.7).
fn least_id(at: Timestamp) -> Uuid {
    let milliseconds = u128::try_from(at.as_millisecond()).unwrap_or_default();
    Uuid::from_u128(milliseconds << 80)
}

fn as_json(event: &Event) -> serde_json::Value {
    json!({
        "id": event.id,
        "kind": event.kind,
        "user_id": event.user_id,
        "at": event.at,
        "payload": event.payload,
    })
}

fn as_line(event: &Event) -> String {
    let at = event.at.strftime("%Y-%m-%d %H:%M:%SZ");
    let text = |name: &str| event.payload.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    let who = [text("email"), text("username")].into_iter().find(|who| !who.is_empty()).unwrap_or("-");
    format!("{at}  {}  {}  {}  {}", event.id, printable(&event.kind), event.user_id, printable(who))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::uuid_v7;

    #[test]
    fn the_least_id_of_a_moment_is_not_behind_any_id_of_it() {
        let at: Timestamp = "2026-11-21T10:00:00.123Z".parse().expect("a time");
        let clock = Clock::system();
        let before = at - Duration::from_millis(1);
        for _ in 0..100 {
            assert!(least_id(at) <= uuid_v7(at, clock.random()));
            assert!(least_id(at) > uuid_v7(before, clock.random()));
        }
    }
}
