//! Any text as a stored hash: it is one, and writes itself as it was read, or it is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::password::Phc;

fuzz_target!(|text: &str| {
    let Ok(phc) = Phc::parse(text) else { return };
    let written = phc.to_string();
    assert_eq!(Phc::parse(&written).expect("what it writes").to_string(), written);
    assert!(phc.salt().len() >= 8 && phc.tag_len() >= 4);
});
