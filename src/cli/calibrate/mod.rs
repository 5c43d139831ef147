//! `vestibule calibrate`: what a hash costs here, and what to configure.

mod print;
mod study;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use super::{Caller, Failure};
use crate::config;
use crate::password::{measure, workers};
use crate::start::memory;
use study::{Point, Wish};

/// Measure this machine and propose what a password hash should cost
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  vestibule calibrate
  vestibule calibrate --latency 100ms --memory 256MiB
  vestibule calibrate --seconds 30 --json > calibration.json

Run it on the machine that will serve, while nothing else runs there. A hash costs an attacker what it costs you, so the
dearest one that your users do not notice is the best. The proposal is never below the default, 19 MiB and 2 passes.")]
pub(super) struct CalibrateArgs {
    /// The longest that a hash may take while all workers are busy
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = config::parse_time)]
    latency: Duration,
    /// The memory for all workers together
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = config::parse_size)]
    memory: u64,
    /// How long measuring may take, about
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// What an attacker is assumed to pay for an hour of one core, in any currency
    #[arg(long, value_name = "PRICE", default_value_t = 0.02, value_parser = price)]
    core_hour: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CalibrateArgs, caller: &Caller) -> anyhow::Result<ExitCode> {
    let cores = workers(0);
    let mut wish =
        Wish { latency: args.latency, memory: args.memory, cores, time: Duration::from_secs(args.seconds) };
    let half = memory::Ceiling::of_process().map_or(u64::MAX, |ceiling| ceiling.bytes / 2);
    let reduced = half < wish.memory;
    wish.memory = wish.memory.min(half);

    warn_of_company(cores)?;
    let mut progress = Progress { shown: caller.terminal, begun: Instant::now(), time: wish.time };
    let study = wish.study(&mut |point, time| {
        progress.show(&point);
        measure(point.engine, point.params, point.workers, time)
    });
    progress.clear();
    let study = study.map_err(Failure::unavailable)?;

    let report = print::Report { wish, reduced, core_hour: args.core_hour, study: &study };
    let mut out = io::stdout().lock();
    match args.json {
        true => writeln!(out, "{:#}", report.json())?,
        false => write!(out, "{}", report.text(io::stdout().is_terminal()))?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Figures that were measured beside other programs are too low; nobody should build on them unknowingly.
fn warn_of_company(cores: usize) -> io::Result<()> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Option<f64> = load.split(' ').next().and_then(|load| load.parse().ok());
    match load.filter(|load| *load > cores as f64 / 4.0) {
        Some(load) => writeln!(
            io::stderr(),
            "warning: other programs run here (load {load} on {cores} cores); the figures will be too low"
        ),
        None => Ok(()),
    }
}

/// One line on standard error that is overwritten, when a person watches.
struct Progress {
    shown: bool,
    begun: Instant,
    time: Duration,
}

impl Progress {
    fn show(&mut self, point: &Point) {
        if !self.shown {
            return;
        }
        let (passed, of) = (self.begun.elapsed().as_secs(), self.time.as_secs());
        let Point { engine, params, workers } = point;
        let (memory, passes) = (params.memory_kib / 1024, params.iterations);
        self.write(&format!(
            "{passed:>3} of about {of} s: {engine}, {memory} MiB x {passes}, {workers} at a time"
        ));
    }

    fn clear(&mut self) {
        if self.shown {
            self.write("");
        }
    }

    /// Nobody needs it, so nobody fails for it.
    fn write(&self, line: &str) {
        let mut err = io::stderr().lock();
        let _ = write!(err, "\r\x1b[K{line}").and_then(|()| err.flush());
    }
}

#[derive(Debug, thiserror::Error)]
#[error("write a positive number")]
struct NoPrice;

fn price(text: &str) -> Result<f64, NoPrice> {
    text.parse().ok().filter(|price: &f64| price.is_finite() && *price > 0.0).ok_or(NoPrice)
}
