//! `vestibule contract new`.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::cli::runtime::runtime;
use crate::cli::{Caller, Failure};
use crate::contract::draft::{self, Draft, Examples, Exchange, PasteError, Tried};
use crate::contract::render;

/// Start a contract file from an example request and the replies to it
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule contract new                                       asks for the examples, on a terminal
  vestibule contract new --path /users --request request.json --created created.json -o ours.toml
  curl -i https://old.example/users -d @request.json -H 'Content-Type: application/json' > created.http
  vestibule contract new --path /users --request request.json --created created.http --invalid invalid.http
  vestibule contract new --request request.json --created created.json --status created=200 --status taken=422
  cat exchange.http | vestibule contract new -o ours.toml      request and replies, between lines of ---

An example is JSON, or a whole HTTP message with its first line and headers, as `curl -i` prints it; a request may also
be a form. Any of them may be left out. Fields are proposed from the request, names for the values in the replies by
what they are called and what they look like; remarks in the file say why. Passwords and tokens are never written into
it. The file is loaded before it is written, so it is valid at once; where a guess does not hold, the reply stays as it
was pasted.

Exit codes:
  0   a file was proposed
  2   an example cannot be read, or the file exists")]
pub(super) struct NewArgs {
    /// A request that the old backend accepts; - is standard input
    #[arg(long, value_name = "FILE")]
    request: Option<String>,
    /// The reply to it
    #[arg(long, value_name = "FILE")]
    created: Option<String>,
    /// The reply to a request that breaks as many rules as it can
    #[arg(long, value_name = "FILE")]
    invalid: Option<String>,
    /// The reply to the first request, sent again
    #[arg(long, value_name = "FILE")]
    taken: Option<String>,
    /// Where it listens; needed when no example has a request line
    #[arg(long, value_parser = path)]
    path: Option<String>,
    /// The contract's name in lists
    #[arg(long)]
    title: Option<String>,
    /// A status that no example tells: created=201, invalid=422, taken=409; repeatable
    #[arg(long, value_name = "OUTCOME=STATUS", value_parser = status)]
    status: Vec<(String, u16)>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long, requires = "output")]
    force: bool,
}

pub(super) fn run(args: &NewArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    if let Some(file) = args.output.as_ref().filter(|file| file.exists() && !args.force) {
        let error = anyhow!("{} exists; --force overwrites it", file.display());
        return Err(Failure::refused(error));
    }
    let draft = runtime()?.block_on(async {
        let examples = examples(args).await.map_err(Failure::refused)?;
        draft::draft(&examples).await.map_err(|error| {
            let shown = render("proposal", &error.text, &error.complaints, caller.colour);
            anyhow!(error).context(shown)
        })
    })?;
    match &args.output {
        Some(file) => std::fs::write(file, &draft.text)
            .with_context(|| format!("cannot write {}", file.display()))
            .map_err(Failure::unavailable)?,
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(draft.text.as_bytes())?;
            out.flush()?;
        }
    }
    tell(args, &draft)?;
    Ok(ExitCode::SUCCESS)
}

/// What to know about the file, on standard error.
fn tell(args: &NewArgs, draft: &Draft) -> std::io::Result<()> {
    let mut err = std::io::stderr().lock();
    if let Some(file) = &args.output {
        writeln!(err, "written to {}", file.display())?;
    }
    match &draft.tried {
        Tried::Not => {}
        Tried::Created(differences) if differences.is_empty() => {
            writeln!(err, "the example request is answered with `created`, in the shape of the example")?;
        }
        Tried::Created(differences) => {
            writeln!(err, "the example request is answered with `created`, but:")?;
            differences.iter().try_for_each(|difference| writeln!(err, "  {difference}"))?;
        }
        Tried::Refused(outcome, messages) => {
            writeln!(err, "the example request is answered with `{outcome}`: {}", messages.join("; "))?;
        }
    }
    Ok(())
}

async fn examples(args: &NewArgs) -> anyhow::Result<Examples> {
    let named = [&args.request, &args.created, &args.invalid, &args.taken];
    if named.iter().filter(|file| file.as_deref() == Some("-")).count() > 1 {
        return Err(anyhow!("only one example can be standard input"));
    }
    let mut examples = if named.iter().any(|file| file.is_some()) {
        named_files(args).await?
    } else if std::io::stdin().is_terminal() {
        ask().await?
    } else {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("cannot read standard input")?;
        draft::everything(&text).await.context("standard input")?
    };
    examples.title = args.title.clone();
    examples.path = args.path.clone();
    examples.statuses = args.status.clone();
    Ok(examples)
}

async fn named_files(args: &NewArgs) -> anyhow::Result<Examples> {
    let request = match &args.request {
        Some(file) => Some(draft::request(&read(file)?).await.with_context(|| file.clone())?),
        None => None,
    };
    Ok(Examples {
        request,
        created: reply(&args.created).await?,
        invalid: reply(&args.invalid).await?,
        taken: reply(&args.taken).await?,
        ..Examples::default()
    })
}

async fn reply(file: &Option<String>) -> anyhow::Result<Option<Exchange>> {
    let Some(file) = file else { return Ok(None) };
    let exchange = draft::exchange(&read(file)?).await.with_context(|| file.clone())?;
    Ok(Some(exchange))
}

fn read(file: &str) -> anyhow::Result<String> {
    if file != "-" {
        return std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"));
    }
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}

/// Asks for the examples one by one.
async fn ask() -> anyhow::Result<Examples> {
    let mut out = Examples::default();
    let request = pasted("a request that the old backend accepts")?;
    out.request = match request.as_str() {
        "" => None,
        text => Some(draft::request(text).await?),
    };
    let replies = [
        ("the reply to it", &mut out.created),
        ("the reply to a request that breaks as many rules as it can", &mut out.invalid),
        ("the reply to the first request, sent again", &mut out.taken),
    ];
    for (what, slot) in replies {
        let text = pasted(what)?;
        *slot = if text.is_empty() { None } else { Some(draft::exchange(&text).await?) };
    }
    match out.request.is_none() && out.created.is_none() {
        true => Err(PasteError::Nothing.into()),
        false => Ok(out),
    }
}

fn pasted(what: &str) -> anyhow::Result<String> {
    let mut err = std::io::stderr().lock();
    writeln!(err, "Paste {what}: JSON, or the whole HTTP message.")?;
    writeln!(err, "End with a line that holds only a dot; a dot alone leaves it out.")?;
    let mut text = String::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.context("cannot read standard input")?;
        if line == "." {
            break;
        }
        text.push_str(&line);
        text.push('\n');
    }
    Ok(if text.trim().is_empty() { String::new() } else { text })
}

#[derive(Debug, thiserror::Error)]
enum BadFlag {
    #[error("write OUTCOME=STATUS, such as taken=422; the outcomes are created, invalid and taken")]
    Status,
    #[error("a path begins with / and holds no spaces")]
    Path,
}

fn status(text: &str) -> Result<(String, u16), BadFlag> {
    let (outcome, status) = text.split_once('=').ok_or(BadFlag::Status)?;
    let status = status.parse().ok().filter(|s| (200..=599).contains(s)).ok_or(BadFlag::Status)?;
    let known = ["created", "invalid", "taken"].contains(&outcome);
    if known { Ok((outcome.to_owned(), status)) } else { Err(BadFlag::Status) }
}

fn path(text: &str) -> Result<String, BadFlag> {
    let plain = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic());
    if plain { Ok(text.to_owned()) } else { Err(BadFlag::Path) }
}
