//! Any text as a contract file: it is a contract, or there is a complaint that can be shown.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use vestibule::contract::{load, render};

fuzz_target!(|text: &str| -> Corpus {
    let loaded = load(text);
    let shown = render("fuzz.toml", text, &loaded.complaints, false);
    assert!(loaded.contract.is_some() || !shown.is_empty(), "neither a contract nor a complaint");
    Corpus::Keep
});
