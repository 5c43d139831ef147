//! `vestibule breach`: passwords that were in breaches, without asking anybody on the network.

mod bar;

use std::fs::{self, File};
use std::io::{self, BufReader, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::Failure;
use super::user::ask;
use crate::breach::{BuildError, Filter, SHARDS, build_to};
use bar::Bar;

/// Refuse passwords that were in breaches
#[derive(Args, Debug)]
pub(super) struct BreachArgs {
    #[command(subcommand)]
    command: BreachCommand,
}

#[derive(Debug, Subcommand)]
enum BreachCommand {
    Build(BuildArgs),
    Check(CheckArgs),
}

/// Make a filter of the public lists of Pwned Passwords
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule breach build pwnedpasswords.txt --to breached.filter
  vestibule breach build ranges/ --least 10 --to breached.filter

The lists are those with SHA-1, ordered by hash: one large file of HASH:COUNT, or a folder of range files, each named after
the five digits with which its hashes begin. Ten million passwords take 24.4 MB on disk and in the server's memory.
A build that was stopped goes on when the same command is given again.")]
struct BuildArgs {
    /// A list, or a folder of range files
    #[arg(required = true, value_name = "LIST")]
    lists: Vec<PathBuf>,
    /// Where the filter goes; an older one is replaced when the new one is whole
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Leave out passwords that were seen less often
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    least: u64,
}

/// Ask a filter about a password, which is read from standard input
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  echo 'P@ssw0rd' | vestibule breach check breached.filter

Exits with 1 when the password was seen. One in 65,536 that were not is told as seen.")]
struct CheckArgs {
    /// What `breach build` made
    filter: PathBuf,
}

pub(super) fn run(args: &BreachArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        BreachCommand::Build(args) => make(args),
        BreachCommand::Check(args) => check(args),
    }
}

fn make(args: &BuildArgs) -> anyhow::Result<ExitCode> {
    let lists = lists(&args.lists).map_err(Failure::unavailable)?;
    let opened = lists.into_iter().map(|(prefix, path)| match File::open(&path) {
        Ok(list) => Ok((prefix, BufReader::with_capacity(1 << 20, list))),
        Err(error) => Err(io::Error::new(error.kind(), format!("opening {}: {error}", path.display()))),
    });
    let begun = Instant::now();
    let mut bar = Bar::of(SHARDS, io::stderr().is_terminal().then(io::stderr));
    bar.show(0, Duration::ZERO);
    let built = build_to(opened, &args.to, args.least, |done| bar.show(done, begun.elapsed()));
    bar.end();
    let built = built.map_err(|error| match error {
        BuildError::Io(_) | BuildError::UnderWay { .. } => Failure::unavailable(error),
        error => Failure::refused(error),
    })?;
    if built.resumed > 0 {
        let percent = built.resumed * 100 / SHARDS;
        writeln!(io::stderr().lock(), "continued an earlier build, of which {percent} % was done")?;
    }
    writeln!(
        io::stdout().lock(),
        "{}: {} passwords, {} bytes",
        args.to.display(),
        built.passwords,
        built.bytes
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The files in the order of their hashes, each with what its hashes begin with.
fn lists(given: &[PathBuf]) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut out = Vec::new();
    for path in given {
        if !path.is_dir() {
            out.push((range(path).unwrap_or_default(), path.clone()));
            continue;
        }
        let entries = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        let before = out.len();
        out.extend(paths.into_iter().filter_map(|path| Some((range(&path)?, path))));
        let ranges = out.len() - before;
        if ranges < RANGES {
            let folder = path.display();
            writeln!(
                io::stderr().lock(),
                "warning: {folder} holds {ranges} of {RANGES} range files; no password of the others will be known"
            )?;
        }
    }
    out.sort();
    Ok(out)
}

/// As many range files make the whole list: one for each of what five hexadecimal digits can be.
const RANGES: usize = 16_usize.pow(5);

/// The five digits after which a range file is named.
fn range(path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_str()?.to_ascii_uppercase();
    (name.len() == 5 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(name)
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let filter = Filter::open(&args.filter)
        .map_err(|error| Failure::unavailable(anyhow::anyhow!("{} {error}", args.filter.display())))?;
    let seen = ask()?.is_some_and(|password| filter.contains(password.as_bytes()));
    let told = if seen { "the password was seen in a breach" } else { "the password was not seen" };
    writeln!(io::stderr().lock(), "{told}; the filter knows {}", filter.passwords())?;
    Ok(if seen { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
