//! `vestibule events`: what happened, as mails and webhooks will read it.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::follow::{Rows, Shown};
use super::store::with_store;
use super::{Caller, Failure, StoreArgs};
use crate::store::{Event, Events, Store};
use crate::terminal::{json_line, printable};

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

pub(super) fn run(args: EventsArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let EventsCommand::Tail(args) = args.command;
    let loaded = args.store.clone().load(caller)?;
    with_store(&loaded, async |store| tail(&args, store).await)?;
    Ok(ExitCode::SUCCESS)
}

async fn tail(args: &TailArgs, store: &Store) -> anyhow::Result<()> {
    let (rows, mut shown) = (Outbox { store, json: args.json }, Shown::default());
    match args.after {
        Some(id) => shown.all_after(id, &rows).await?,
        None => {
            let events = store.events(Events::Last(args.lines)).await.map_err(Failure::unavailable)?;
            shown.show(&events, &rows)?;
        }
    }
    if args.follow { shown.follow(args.after, &rows).await } else { Ok(()) }
}

struct Outbox<'s> {
    store: &'s Store,
    json: bool,
}

impl Rows for Outbox<'_> {
    type Row = Event;

    /// How long after its id was made an event may appear. On PostgreSQL its transaction may wait for a connection, be tried on
    /// three, and take up to the deadline on each.
    const OVERLAP: Duration = Duration::from_secs(120);

    async fn after(&self, id: Uuid, limit: u32) -> anyhow::Result<Vec<Event>> {
        self.store.events(Events::After(id, limit)).await.map_err(Failure::unavailable)
    }

    fn id(event: &Event) -> Uuid {
        event.id
    }

    fn line(&self, event: &Event) -> String {
        if self.json { json_line(&as_json(event)) } else { as_line(event) }
    }
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
