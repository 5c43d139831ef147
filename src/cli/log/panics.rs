//! A panic in the log: where it happened, never what it said.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic;

/// From now on a panic is a line of the log. Its words are left out: those of the standard library quote the text that
/// was being cut, which may be a password. With RUST_BACKTRACE=1 the line has a backtrace, which holds no values.
pub(super) fn keep_quiet() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let thread = std::thread::current();
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(
            place,
            thread = thread.name(),
            backtrace,
            "the program panicked: this is a mistake in it"
        );
    }));
}
