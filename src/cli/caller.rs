//! Who called.

use std::ffi::OsString;
use std::io::IsTerminal;

/// What a run knows of its process; tests make their own.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The variables that configure Vestibule, values as they are.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether messages on standard error are coloured.
    pub colour: bool,
    /// Whether standard error is a terminal, which decides between human and JSON log lines.
    pub terminal: bool,
}

impl Caller {
    /// Looks at the real process. Colours as <https://no-color.org> asks.
    pub fn of_process() -> Caller {
        let ours = |(name, _): &(OsString, OsString)| name.as_encoded_bytes().starts_with(b"VESTIBULE_");
        let wanted =
            |name: &str, refusal: fn(&OsString) -> bool| !std::env::var_os(name).is_some_and(|v| refusal(&v));
        let terminal = std::io::stderr().is_terminal();
        Caller {
            environment: std::env::vars_os().filter(ours).collect(),
            colour: terminal
                && wanted("NO_COLOR", |value| !value.is_empty())
                && wanted("TERM", |value| value == "dumb"),
            terminal,
        }
    }
}
