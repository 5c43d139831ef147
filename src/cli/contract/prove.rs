//! `vestibule contract prove`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Args;
use http::{HeaderName, HeaderValue};

use super::read;
use crate::app::Mounted;
use crate::cli::{Caller, Failure, FileArgs};
use crate::clock::Clock;
use crate::contract::{Contract, Secrets};
use crate::prove::{self, Case, Old, Proof, ProveError, Recording, Setup, Target};
use crate::terminal::json_lines;

/// Prove that a contract answers like a running backend: exit code 0 when it does, 1 when they differ
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule contract prove express --against http://localhost:3000
  vestibule contract prove ./ours.toml --against http://localhost:3000/api --html proof.html
  vestibule contract prove ./ours.toml --list
  vestibule contract prove ./ours.toml --against http://localhost:3000 --case missing-email --case duplicate
  vestibule contract prove ./ours.toml --har recorded.har

Requests go to that URL and nowhere else. Accounts that the old backend makes stay there; they are listed at the end.
Exit codes: 0 no differences, 1 differences, 2 refused, 3 the old backend is not there.")]
pub(super) struct ProveArgs {
    /// The name of a shipped contract, or a file
    name: String,
    /// Where the old backend runs: http://HOST:PORT, with the prefix of its API if it has one
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// Replay the recorded requests of a HAR file, and compare with the recorded answers unless --against is given
    #[arg(long, value_name = "FILE")]
    har: Option<PathBuf>,
    /// At most so many requests
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// At most so many requests a second
    #[arg(long, value_name = "N/s", default_value = "20/s", value_parser = rate)]
    rate: f64,
    /// What the throw-away addresses are made from; each seed serves once per old database [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Only this case; repeatable
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// Tell the cases and send nothing
    #[arg(long)]
    list: bool,
    /// Send this header with every request; repeatable
    #[arg(long = "header", value_name = "'K: V'", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Do not ask before the first request
    #[arg(long)]
    yes: bool,
    /// One JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Write a report that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    file: FileArgs,
}

pub(super) fn run(args: &ProveArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let (name, contract) = read(&args.name, caller)?;
    let target = args.against.as_deref().map(|url| Target::parse(url, &contract.register.path));
    let target = target.transpose().map_err(Failure::refused)?;
    let secrets = Arc::new(secrets(&contract, &args.file, caller)?);
    let seed = args.seed.unwrap_or_else(|| u64::from(u32::from_le_bytes(Clock::system().random())));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let prefix = target.as_ref().map_or("", Target::prefix);
        let Recording { cases, origin } = collect(args, &contract, prefix, secrets.clone(), seed).await?;
        let (cases, left_out) = chosen(cases, args)?;
        if args.list {
            return list(&cases, args.json);
        }
        let old = match &target {
            Some(target) => Old::Running(target.clone()),
            None => Old::Recorded(origin),
        };
        let mounted = Arc::new(Mounted { name, prefix: prefix.to_owned(), contract });
        let headers = args.headers.clone();
        let setup = Setup { mounted, old, headers, per_second: args.rate, secrets, seed };
        if !announced(args, &setup, &cases, left_out)? {
            return Ok(ExitCode::from(2));
        }
        let proof = proved(args, setup, cases, caller).await?;
        report(args, &proof, caller)
    })
}

/// The cases: recorded, or made from the contract.
async fn collect(
    args: &ProveArgs,
    contract: &Contract,
    prefix: &str,
    secrets: Arc<Secrets>,
    seed: u64,
) -> anyhow::Result<Recording> {
    let Some(file) = &args.har else {
        if args.against.is_none() && !args.list {
            return Err(Failure::refused(anyhow!(
                "say where the old backend runs (--against URL), or what was recorded of it (--har FILE)"
            )));
        }
        let cases = prove::cases(contract, secrets, seed).await.map_err(Failure::refused)?;
        return Ok(Recording { cases, origin: String::new() });
    };
    let told = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(told).map_err(Failure::unavailable)?;
    prove::replay(&text, contract, prefix, Clock::system().now())
        .await
        .with_context(told)
        .map_err(Failure::refused)
}

/// The cases that were asked for, as far as the bound on requests allows, and how many that leaves out.
fn chosen(mut cases: Vec<Case>, args: &ProveArgs) -> anyhow::Result<(Vec<Case>, usize)> {
    if let Some(unknown) = args.cases.iter().find(|name| cases.iter().all(|case| case.name != **name)) {
        let near = crate::spelling::nearest(unknown, cases.iter().map(|case| case.name.as_str()));
        let hint =
            near.map_or_else(|| "--list tells them".to_owned(), |near| format!("did you mean {near}?"));
        return Err(Failure::refused(anyhow!("there is no case {unknown}; {hint}")));
    }
    cases.retain(|case| args.cases.is_empty() || args.cases.contains(&case.name));
    let (all, most) = (cases.len(), args.count as usize);
    let mut requests = 0;
    cases.retain(|case| {
        requests += case.requests.len();
        requests <= most
    });
    let left_out = all - cases.len();
    Ok((cases, left_out))
}

fn list(cases: &[Case], json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if json {
        let rows = cases.iter().map(
            |case| serde_json::json!({ "name": case.name, "about": case.about, "requests": case.requests.len() }),
        );
        writeln!(out, "{}", serde_json::to_string_pretty(&rows.collect::<Vec<_>>())?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = crate::cli::table(["CASE", "WHAT IT SHOWS"]);
    for case in cases {
        table.add_row([case.name.as_str(), case.about.as_str()]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(ExitCode::SUCCESS)
}

/// Says what will happen, and asks for leave where somebody can give it.
fn announced(args: &ProveArgs, setup: &Setup, cases: &[Case], left_out: usize) -> anyhow::Result<bool> {
    let mut err = std::io::stderr().lock();
    let requests: usize = cases.iter().map(|case| case.requests.len()).sum();
    let path = setup.mounted.contract.register.path_and_query();
    if left_out > 0 {
        writeln!(err, "{left_out} cases are left out: --count allows {} requests", args.count)?;
    }
    let Old::Running(target) = &setup.old else {
        writeln!(
            err,
            "{requests} recorded requests are compared with the recorded answers; nothing is sent anywhere"
        )?;
        return Ok(true);
    };
    writeln!(
        err,
        "{requests} requests go to {target}{path}, at most {} a second, and nowhere else (seed {})",
        setup.per_second, setup.seed
    )?;
    writeln!(err, "Accounts that are made there stay there; they are listed at the end.")?;
    if args.har.is_some() {
        writeln!(
            err,
            "The recorded requests are sent as they are, recorded addresses and passwords included."
        )?;
    }
    if args.yes || !std::io::stdin().is_terminal() {
        return Ok(true);
    }
    write!(err, "Go on? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

async fn proved(args: &ProveArgs, setup: Setup, cases: Vec<Case>, caller: &Caller) -> anyhow::Result<Proof> {
    let colour = coloured(caller);
    let mut printed = Ok(());
    let proof = prove::prove(setup, cases, |result| {
        if !args.json && printed.is_ok() {
            printed = write!(std::io::stdout().lock(), "{}", prove::text(result, colour));
        }
    });
    let proof = proof.await.map_err(|error| match error {
        ProveError::Unreachable { .. } | ProveError::Inside(_) => Failure::unavailable(error),
    })?;
    printed?;
    Ok(proof)
}

fn report(args: &ProveArgs, proof: &Proof, caller: &Caller) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", json_lines(&prove::json(proof)))?,
        false => write!(out, "\n{}", prove::summary(proof, coloured(caller)))?,
    }
    if let Some(file) = &args.html {
        let page = prove::html(proof, Clock::system().now());
        std::fs::write(file, page)
            .with_context(|| file.display().to_string())
            .map_err(Failure::unavailable)?;
        writeln!(std::io::stderr(), "{} was written", file.display())?;
    }
    Ok(if proof.differing() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Standard output is looked at here, not standard error.
fn coloured(caller: &Caller) -> bool {
    caller.colour && std::io::stdout().is_terminal()
}

/// The deployment's secrets, with which the contract compares: from the configuration, as for the server.
fn secrets(contract: &Contract, file: &FileArgs, caller: &Caller) -> anyhow::Result<Secrets> {
    let config = file.clone().load(caller)?.config;
    if let Some(missing) = contract.secrets().into_iter().find(|name| !config.secrets.contains_key(*name)) {
        return Err(Failure::refused(anyhow!(
            "the contract needs the secret `{missing}`, as the old backend has it: set VESTIBULE_SECRETS_{}",
            missing.to_uppercase()
        )));
    }
    Ok(config.named_secrets())
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("write a number of requests a second, such as 20/s")]
    Rate,
    #[error("write 'Name: value'")]
    Header,
    #[error("`{0}` is for each request itself to say")]
    Own(HeaderName),
}

fn rate(text: &str) -> Result<f64, Refused> {
    let number: f64 = text.trim_end_matches("/s").parse().map_err(|_| Refused::Rate)?;
    if (0.01..=10_000.0).contains(&number) { Ok(number) } else { Err(Refused::Rate) }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), Refused> {
    let (name, value) = text.split_once(':').ok_or(Refused::Header)?;
    let name: HeaderName = name.trim().parse().map_err(|_| Refused::Header)?;
    let own = ["content-type", "content-length", "transfer-encoding", "connection", "expect", "upgrade"];
    if own.contains(&name.as_str()) {
        return Err(Refused::Own(name));
    }
    let mut value: HeaderValue = value.trim().parse().map_err(|_| Refused::Header)?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_headers() {
        assert!(rate("20/s").is_ok_and(|r| r == 20.0) && rate("0.5").is_ok());
        assert!(rate("0/s").is_err() && rate("fast").is_err() && rate("1e9").is_err());
        assert!(header("X-Key: a b").is_ok_and(|(name, value)| name == "x-key" && value == "a b"));
        for bad in ["X-Key", "X Key: a", "Content-Length: 1", "X-Key: a\r\nb"] {
            assert!(header(bad).is_err(), "{bad}");
        }
    }
}
