//! `vestibule user`: look at the accounts.

mod look_alikes;

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;
use zeroize::Zeroizing;

use super::store::with_store;
use super::{Caller, Failure, StoreArgs, table};
use crate::clock::Clock;
use crate::config::{self, Loaded};
use crate::password::{Pool, PoolSettings};
use crate::store::{Store, Who};
use crate::terminal::{json_line, json_lines, printable};
use crate::user::{Email, Key, Password, User, Username};
use crate::verify::{self, Verified};
use look_alikes::LookAlikesArgs;

/// Look at the accounts
#[derive(Args, Debug)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    List(ListArgs),
    Show(ShowArgs),
    Verify(VerifyArgs),
    LookAlikes(LookAlikesArgs),
}

/// List accounts by id
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule user list --limit 20
  vestibule user list --after 20 --limit 20
  vestibule user list --json | jq -r .email

With --json each account is one line.")]
struct ListArgs {
    /// One JSON object per line instead of a table
    #[arg(long)]
    json: bool,
    /// Begin behind this id
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: i64,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    store: StoreArgs,
}

/// Show one account; exit code 1 when there is none
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule user show ada@example.org
  vestibule user show 7 --json")]
struct ShowArgs {
    /// The id, the public id, the e-mail address or the user name
    who: String,
    /// As a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Check a password, read from standard input or asked for: exit code 0 when it matches, 1 when not
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule user verify ada@example.org
  printf '%s' 'P@ssw0rd' | vestibule user verify ada@example.org

One trailing newline is not part of the password. A hash that was made at less cost than new ones, or with an older pepper, is
replaced by a new one when the password matches.")]
struct VerifyArgs {
    /// The id, the public id, the e-mail address or the user name
    who: String,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: UserArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    match args.command {
        UserCommand::List(args) => list(&args, &args.store.clone().load(caller)?),
        UserCommand::Show(args) => show(&args, &args.store.clone().load(caller)?),
        UserCommand::Verify(args) => verify_password(&args, &args.store.clone().load(caller)?),
        UserCommand::LookAlikes(args) => look_alikes::run(args, caller),
    }
}

fn list(args: &ListArgs, loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let page = async |store: &Store| store.list(args.after, args.limit).await.map_err(Failure::unavailable);
    let users = with_store(loaded, page)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        for user in &users {
            writeln!(out, "{}", json_line(&as_json(user)))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = table(["ID", "E-MAIL", "USER NAME", "NAME", "STATUS", "REGISTERED"]);
    for user in &users {
        let text = |text: &Option<String>| printable(text.as_deref().unwrap_or("-"));
        table.add_row([
            user.id.to_string(),
            text(&user.email),
            text(&user.username),
            printable(&full_name(user)),
            user.status.clone(),
            user.created_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(ExitCode::SUCCESS)
}

fn full_name(user: &User) -> String {
    match user.name.as_str() {
        "" => format!("{} {}", user.first_name, user.last_name).trim().to_owned(),
        name => name.to_owned(),
    }
}

fn show(args: &ShowArgs, loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let found = with_store(loaded, async |store| find(store, &args.who).await)?;
    let Some(user) = found else { return nobody(&args.who) };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", json_lines(&as_json(&user)))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let serde_json::Value::Object(members) = as_json(&user) {
        for (name, value) in members {
            let text = value.as_str().map_or_else(|| json_line(&value), printable);
            writeln!(out, "{name:<12} {text}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn verify_password(args: &VerifyArgs, loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let verified = with_store(loaded, async |store| {
        let Some(user) = find(store, &args.who).await? else { return Ok(None) };
        let pool = pool(&loaded.config.passwords)?;
        let Some(password) = ask()? else { return Ok(Some(Verified::Wrong)) };
        let clock = Clock::system();
        let verified = verify::verify(&pool, store, &clock, user.id, password);
        verified.await.map(Some).context("verifying the password").map_err(Failure::unavailable)
    })?;
    let Some(verified) = verified else { return nobody(&args.who) };
    let (said, code) = match verified {
        Verified::Right { renewed: false } => ("the password matches", 0),
        Verified::Right { renewed: true } => ("the password matches; its hash was renewed", 0),
        Verified::Wrong => ("the password does not match", 1),
    };
    writeln!(std::io::stderr().lock(), "{said}")?;
    Ok(ExitCode::from(code))
}

/// One worker that hashes as the server does.
fn pool(passwords: &config::Passwords) -> anyhow::Result<Pool> {
    let settings = PoolSettings {
        engine: passwords.engine,
        params: passwords.params(),
        workers: 1,
        deadline: std::time::Duration::from_secs(60),
    };
    let peppers = passwords.peppers().context("passwords.pepper_file").map_err(Failure::refused)?;
    settings.params.check().context("passwords.memory_kib").map_err(Failure::refused)?;
    Pool::start_with(settings, peppers).map_err(Failure::unavailable)
}

/// The password: asked for on a terminal, otherwise everything on standard input but one trailing newline. `None` is
/// one that could not have been registered (empty, too long, no UTF-8) and therefore matches nobody's.
pub(super) fn ask() -> anyhow::Result<Option<Password>> {
    if std::io::stdin().is_terminal() {
        let text = Zeroizing::new(rpassword::prompt_password("Password: ").context("reading the password")?);
        return Ok(Password::parse(&text).ok());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin().read_to_end(&mut bytes).context("reading the password from standard input")?;
    let line = bytes.strip_suffix(b"\r\n").or(bytes.strip_suffix(b"\n")).unwrap_or(&bytes);
    Ok(std::str::from_utf8(line).ok().and_then(|text| Password::parse(text).ok()))
}

fn nobody(who: &str) -> anyhow::Result<ExitCode> {
    writeln!(std::io::stderr().lock(), "there is no account {who:?}")?;
    Ok(ExitCode::from(1))
}

/// Whoever is meant: an id, a public id, an address, a user name, or an id that a contract gave.
async fn find(store: &Store, who: &str) -> anyhow::Result<Option<User>> {
    let key = |kind: &str, value: &str| Who::Key(Key { kind: kind.to_owned(), value: value.to_owned() });
    let mut meant = Vec::new();
    meant.extend(who.parse().ok().map(Who::Id));
    meant.extend(uuid::Uuid::try_parse(who).ok().map(Who::PublicId));
    meant.extend(Email::parse(who).ok().map(|email| key("email", email.key())));
    meant.extend(Username::parse(who).ok().map(|name| key("username", name.key())));
    meant.push(key("id", who));
    for who in meant {
        if let Some(user) = store.find(&who).await.map_err(Failure::unavailable)? {
            return Ok(Some(user));
        }
    }
    if who.is_empty() {
        Err(Failure::refused(anyhow!("say whom: an id, an address or a user name")))
    } else {
        Ok(None)
    }
}

fn as_json(user: &User) -> serde_json::Value {
    let ids: Vec<&str> = user.keys.iter().filter(|k| k.kind == "id").map(|k| k.value.as_str()).collect();
    json!({
        "id": user.id,
        "public_id": user.public_id,
        "contract_id": ids.first(),
        "email": user.email,
        "username": user.username,
        "name": user.name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "extra": user.extra,
        "status": user.status,
        "version": user.version,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    })
}
