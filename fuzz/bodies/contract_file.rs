//! Any text as a contract file: it is a contract, or there is a complaint that can be shown.

use vestibule::contract::{load, render};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let loaded = load(text);
    let shown = render("fuzz.toml", text, &loaded.complaints, false);
    assert!(loaded.contract.is_some() || !shown.is_empty(), "neither a contract nor a complaint");
}
