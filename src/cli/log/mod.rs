//! The log on standard error: lines for people on a terminal, JSON objects otherwise.
//!
//! What clients send reaches the log as field values. Neither format lets a value end its line, start a terminal
//! escape or pass for another field. Writing happens on a thread of its own, so that a reader who stalls costs log
//! lines (which are counted) and never a request.

mod human;
mod panics;
mod queue;

use std::io;

use jiff::Timestamp;
use tracing::Dispatch;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, fmt};

use super::{Caller, Failure};
use crate::config::{Log, LogFormat};
use human::stamp;
use queue::Queue;

/// The log at work. Hold it until the end of `main`'s work: dropping it waits a moment for the last lines.
#[must_use = "the last lines are lost when this is dropped early"]
pub struct Running(Queue);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Starts the log of this process, panics included. `now` stamps the lines.
///
/// # Errors
/// A filter that does not parse (the configuration has checked it), a thread that cannot start, a second call.
pub fn start(
    settings: &Log,
    caller: &Caller,
    now: impl Fn() -> Timestamp + Clone + Send + Sync + 'static,
) -> anyhow::Result<Running> {
    let look = Look::of(settings, caller);
    let queue = Queue::start(io::stderr(), look.notice(now.clone())).map_err(Failure::unavailable)?;
    tracing::dispatcher::set_global_default(look.subscriber(&settings.level, queue.clone(), now)?)?;
    panics::keep_quiet();
    Ok(Running(queue))
}

/// How lines look, once `auto` has been decided.
#[derive(Clone, Copy)]
enum Look {
    Human { colour: bool },
    Json,
}

impl Look {
    fn of(settings: &Log, caller: &Caller) -> Look {
        let human = match settings.format {
            LogFormat::Human => true,
            LogFormat::Json => false,
            LogFormat::Auto => caller.terminal,
        };
        if human { Look::Human { colour: caller.colour } } else { Look::Json }
    }

    fn subscriber<F>(self, level: &str, queue: Queue, now: F) -> anyhow::Result<Dispatch>
    where
        F: Fn() -> Timestamp + Send + Sync + 'static,
    {
        let filter = EnvFilter::builder().parse(level)?;
        let registry = tracing_subscriber::registry().with(filter);
        // The layer would complain about its own errors with `eprintln!`, which panics on a closed stream.
        Ok(match self {
            Look::Human { colour } => {
                let lines = fmt::layer().event_format(human::Lines(now)).fmt_fields(human::Fields);
                registry.with(lines.with_writer(queue).with_ansi(colour).log_internal_errors(false)).into()
            }
            Look::Json => {
                let lines =
                    fmt::layer().json().flatten_event(true).with_span_list(false).with_timer(Stamp(now));
                registry.with(lines.with_writer(queue).log_internal_errors(false)).into()
            }
        })
    }

    /// The line that stands for those that were lost.
    fn notice(self, now: impl Fn() -> Timestamp + Send + 'static) -> impl Fn(u64) -> String + Send + 'static {
        const TEXT: &str = "log lines were lost because standard error was not read fast enough";
        move |lost| match self {
            Look::Human { .. } => format!("{}  WARN {TEXT} lost={lost}\n", stamp(now())),
            Look::Json => {
                let line = serde_json::json!({
                    "timestamp": stamp(now()), "level": "WARN", "message": TEXT, "lost": lost,
                    "target": module_path!()
                });
                format!("{line}\n")
            }
        }
    }
}

struct Stamp<F>(F);

impl<F: Fn() -> Timestamp> FormatTime for Stamp<F> {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(&stamp(self.0()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What a client may send to forge a line, recolour a terminal or pass for another field.
    const HOSTILE: &str =
        "x\n2026 ERROR forged\r\u{1b}[31mred\u{7}\t\u{85}\u{9b}2J\u{2028}\u{202e} outcome=created \"q\"";

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(look: Look, level: &str, work: impl FnOnce()) -> String {
        let now = || "2026-11-20T19:26:01.5Z".parse().unwrap();
        let sink = Shared::default();
        let queue = Queue::start(sink.clone(), look.notice(now)).unwrap();
        let subscriber = look.subscriber(level, queue.clone(), now).unwrap();
        tracing::dispatcher::with_default(&subscriber, work);
        queue.flush();
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn hostile_events() {
        let span = tracing::info_span!("request", id = "r1", agent = %HOSTILE);
        let _inside = span.enter();
        tracing::info!(contract = "knex", ms = 12, a = %HOSTILE, b = ?HOSTILE, c = HOSTILE, "seen {HOSTILE}");
    }

    #[test]
    fn people_get_one_line_with_bare_simple_values() {
        let text = logged(Look::Human { colour: false }, "info", || {
            let _inside = tracing::info_span!("request", id = "r1").entered();
            tracing::info!(contract = "knex", ms = 12, path = %"/users", who = ?"a b", empty = "", "registered");
            tracing::debug!("not at this level");
        });
        let line = "2026-11-20T19:26:01.500Z  INFO cli::log::tests: registered contract=knex ms=12 path=/users \
                    who=\"a b\" empty=\"\" id=r1\n";
        assert_eq!(text, line);
    }

    #[test]
    fn a_hostile_value_stays_one_quoted_value_of_one_line() {
        for look in [Look::Human { colour: false }, Look::Human { colour: true }, Look::Json] {
            let text = logged(look, "info", hostile_events);
            let line = text.strip_suffix('\n').unwrap();
            let forbidden = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}');
            let line = if matches!(look, Look::Human { colour: true }) {
                ["\u{1b}[2m", "\u{1b}[32m", "\u{1b}[0m"]
                    .iter()
                    .fold(line.to_owned(), |line, own| line.replace(own, ""))
            } else {
                line.to_owned()
            };
            assert!(!line.contains(forbidden), "{line:?}");
            if let Look::Human { .. } = look {
                let rest = format!("{HOSTILE:?}");
                assert!(line.contains(&format!(" a={rest} b={rest} c={rest} id=r1 agent={rest}")), "{line}");
            } else {
                let object: serde_json::Value = serde_json::from_str(&line).unwrap();
                assert_eq!(object["a"], HOSTILE);
                assert_eq!(object["span"]["agent"], HOSTILE);
                assert_eq!(object["contract"], "knex");
                assert_eq!(object["timestamp"], "2026-11-20T19:26:01.500Z");
            }
        }
    }

    #[test]
    fn the_format_follows_the_terminal_unless_it_is_set() {
        let log = |format| Log { format, level: "info".to_owned() };
        let human = |format, terminal| {
            let caller = Caller { terminal, ..Caller::default() };
            matches!(Look::of(&log(format), &caller), Look::Human { .. })
        };
        assert!(human(LogFormat::Auto, true) && !human(LogFormat::Auto, false));
        assert!(human(LogFormat::Human, false) && !human(LogFormat::Json, true));
    }

    #[test]
    fn lost_lines_are_counted_in_a_line_of_the_same_format() {
        let notice = Look::Json.notice(|| Timestamp::UNIX_EPOCH);
        let object: serde_json::Value = serde_json::from_str(&notice(3)).unwrap();
        assert_eq!((&object["lost"], &object["level"]), (&3.into(), &"WARN".into()));
    }
}
