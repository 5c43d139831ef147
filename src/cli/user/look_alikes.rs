//! `vestibule user look-alikes`: what `names.distinct` needs to know about users who were there before it.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use crate::cli::store::with_store;
use crate::cli::{Caller, Failure, StoreArgs};
use crate::names::claims;
use crate::store::Store;
use crate::terminal::printable;
use crate::user::{Key, User, Username};

/// Make `names.distinct` hold for users who registered before it; list those who look alike
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule user look-alikes

Gives each user name its looks, so that nobody can register one that looks like it. Of two that look alike already, the
older one keeps the look; both stay as they are and are listed, and the exit code is 1. Switch `names.distinct` on first,
on all servers. The servers may run meanwhile. Stopped half-way, it can be run again: what it has done is kept.")]
pub(super) struct LookAlikesArgs {
    /// Begin behind this id
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: i64,
    #[command(flatten)]
    store: StoreArgs,
}

/// How many users are looked at in one transaction.
const PAGE: u32 = 500;

pub(super) fn run(args: LookAlikesArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let loaded = args.store.load(caller)?;
    let alike = with_store(&loaded, async |store| all(store, args.after).await)?;
    Ok(if alike { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Whether any two look alike.
async fn all(store: &Store, mut after: i64) -> anyhow::Result<bool> {
    let (mut looked_at, mut alike) = (0_u64, 0_u64);
    loop {
        let users = store.list(after, PAGE).await.map_err(Failure::unavailable)?;
        let Some(last) = users.last() else { break };
        let claims: Vec<(i64, Key)> = users.iter().flat_map(claims_of).collect();
        let holders = store.claim(claims).await.map_err(Failure::unavailable)?;
        let mut out = std::io::stdout().lock();
        for user in &users {
            let others = claims_of(user).into_iter().filter_map(|(_, key)| holders.get(&key).copied());
            let Some(other) = others.into_iter().find(|holder| *holder != user.id) else { continue };
            let name = printable(user.username.as_deref().unwrap_or_default());
            writeln!(out, "user {} ({name}) looks like user {other}", user.id)?;
            alike += 1;
        }
        looked_at += users.iter().filter(|user| user.username.is_some()).count() as u64;
        after = last.id;
    }
    writeln!(std::io::stderr().lock(), "{looked_at} user names, of which {alike} look like an older one")?;
    Ok(alike > 0)
}

/// The claims of a user's looks. A name that another program has written and that is none has none.
fn claims_of(user: &User) -> Vec<(i64, Key)> {
    let name = user.username.as_deref().and_then(|name| Username::parse(name).ok());
    let keys = name.as_ref().map(claims).unwrap_or_default();
    keys.into_iter().filter(|key| key.value.len() <= Key::MAX_BYTES).map(|key| (user.id, key)).collect()
}
