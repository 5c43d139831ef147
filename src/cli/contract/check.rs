//! `vestibule contract check`.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::Caller;
use crate::contract::{self, Complaint, Level};

/// Check contract files: every mistake of every file at once
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule contract check ours.toml
  vestibule contract check contracts/*.toml
  vestibule contract check --json - < ours.toml | jq -r '.[] | \"\\(.line): \\(.title)\"'

Each file is read, proved and rehearsed as at the start of the server. Complaints go to standard output, the
summary to standard error. With --json they are one array of objects with file, level, title, label, help, line,
column, end_line, end_column (from 1, in characters) and span (bytes).

Contract files are TOML 1.1, in which an inline table may span lines; some editors still know only 1.0 and
underline that. This command has the last word.

Exit codes:
  0   no errors; there may be warnings
  1   errors
  2   a file cannot be read, or the command line was refused")]
pub(super) struct CheckArgs {
    /// Contract files; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// One JSON array instead of excerpts
    #[arg(long)]
    json: bool,
}

/// A file that could be read, and what is to be said about it.
struct Checked {
    file: String,
    text: String,
    complaints: Vec<Complaint>,
}

pub(super) fn run(args: &CheckArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let mut checked = Vec::new();
    let mut unreadable = 0;
    for file in &args.files {
        match read(file) {
            Ok(text) => {
                let complaints = contract::load(&text).complaints;
                checked.push(Checked { file: file.clone(), text, complaints });
            }
            Err(error) => {
                unreadable += 1;
                writeln!(std::io::stderr().lock(), "error: cannot read {file}: {error}")?;
            }
        }
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let all: Vec<Json> = checked.iter().flat_map(as_json).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
    } else {
        let colour = caller.colour && out.is_terminal();
        for one in &checked {
            write!(out, "{}", contract::render(&one.file, &one.text, &one.complaints, colour))?;
        }
    }
    out.flush()?;
    let count = |level| checked.iter().flat_map(|c| &c.complaints).filter(|c| c.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let files = counted(checked.len(), "file");
    let summary = format!("{files}, {}, {}", counted(errors, "error"), counted(warnings, "warning"));
    writeln!(std::io::stderr().lock(), "{summary}")?;
    Ok(match (unreadable, errors) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(2),
    })
}

fn read(file: &str) -> std::io::Result<String> {
    if file != "-" {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn as_json(checked: &Checked) -> impl Iterator<Item = Json> {
    checked.complaints.iter().map(|complaint| {
        let (line, column) = complaint.position(&checked.text);
        let (end_line, end_column) = complaint.end_position(&checked.text);
        json!({
            "file": checked.file,
            "level": match complaint.level { Level::Error => "error", Level::Warning => "warning" },
            "title": complaint.title,
            "label": complaint.label,
            "help": complaint.help,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
            "span": [complaint.span.start, complaint.span.end],
        })
    })
}
