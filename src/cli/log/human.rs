//! Log lines for people.
//!
//! The formatter that comes with `tracing-subscriber` 0.3.23 escapes terminal sequences but lets a newline in a
//! `%value` through, which forges a line, and does not quote, which forges a field. This one does both.

use std::fmt;

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// RFC 3339 with milliseconds, always the same width.
pub(super) fn stamp(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// `TIME LEVEL TARGET: MESSAGE FIELD=VALUE ...`, the fields of the surrounding spans last.
pub(super) struct Lines<F>(pub(super) F);

/// How the fields of a span are kept until a line needs them.
pub(super) struct Fields;

const DIM: &str = "\x1b[2m";
const END: &str = "\x1b[0m";

impl<S, N, F> FormatEvent<S, N> for Lines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: Fn() -> Timestamp,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut written = Written::default();
        event.record(&mut written);
        let ansi = writer.has_ansi_escapes();
        let (dim, end) = if ansi { (DIM, END) } else { ("", "") };
        let colour = if ansi { colour(*event.metadata().level()) } else { "" };
        let level = event.metadata().level().as_str();
        let target = event.metadata().target();
        let target = target.strip_prefix("vestibule::").unwrap_or(target);
        write!(writer, "{dim}{}{end} {colour}{level:>5}{end} {dim}{target}:{end}", stamp((self.0)()))?;
        write!(writer, "{}{}", written.message, written.fields)?;
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>() {
                writer.write_str(&fields.fields)?;
            }
        }
        writer.write_char('\n')
    }
}

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut written = Written::default();
        fields.record(&mut written);
        write!(writer, "{}{}", written.message, written.fields)
    }

    fn add_fields(
        &self,
        current: &'w mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        // Every field brings its own space, so nothing goes between.
        self.format_fields(current.as_writer(), fields)
    }
}

/// Message and fields, each with a space before it.
#[derive(Default)]
struct Written {
    message: String,
    fields: String,
}

impl Written {
    fn add(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push(' ');
            value.chars().for_each(|c| push_visible(&mut self.message, c));
        } else {
            self.fields.push_str(&format!(" {}=", field.name()));
            push_value(&mut self.fields, value);
        }
    }
}

impl Visit for Written {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

/// Bare when it cannot be mistaken for anything else, else as a quoted Rust string.
fn push_value(line: &mut String, value: &str) {
    let bare = |c: char| !c.is_whitespace() && !matches!(c, '"' | '=') && c.escape_debug().len() == 1;
    if !value.is_empty() && value.chars().all(bare) || is_quoted(value) {
        line.push_str(value);
    } else {
        line.push_str(&format!("{value:?}"));
    }
}

/// Whether this is already one quoted string, as `?text` arrives; a `%value` that only begins and ends with a quote
/// is not.
fn is_quoted(value: &str) -> bool {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return false,
            _ => {}
        }
        // The backslash that starts an escape stands for itself here; all else must already be visible.
        if c != '\\' && c != '"' && c != '\'' && c.escape_debug().len() != 1 {
            return false;
        }
    }
    !escaped
}

/// Quotes and backslashes of a message stay as they are; what cannot be seen is spelled out.
fn push_visible(line: &mut String, c: char) {
    if matches!(c, '"' | '\'' | '\\') {
        line.push(c);
    } else {
        line.extend(c.escape_debug());
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(value: &str) -> String {
        let mut line = String::new();
        push_value(&mut line, value);
        line
    }

    #[test]
    fn quotes_only_what_needs_it() {
        for (value, shown) in [
            ("knex", "knex"),
            ("ünï", "ünï"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a=b", "\"a=b\""),
            ("\"a b\"", "\"a b\""),
            ("\"a\" b=\"c\"", "\"\\\"a\\\" b=\\\"c\\\"\""),
            ("\"a\nb\"", "\"\\\"a\\nb\\\"\""),
            ("\"a\\\"", "\"\\\"a\\\\\\\"\""),
        ] {
            assert_eq!(pushed(value), shown);
        }
    }

    proptest! {
        #[test]
        fn a_value_is_always_one_visible_word(value in "\\PC*|[\\x00-\\xff\"\\\\= ]{0,12}|\"[a\"\\\\ ]{0,6}\"") {
            let shown = pushed(&value);
            prop_assert!(!shown.chars().any(char::is_control));
            let bare = !shown.is_empty() && !shown.contains(['"', '=']) && !shown.contains(char::is_whitespace);
            prop_assert!(bare || is_quoted(&shown), "{shown}");
        }
    }
}
