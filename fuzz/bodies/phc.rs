//! Any text as a stored hash: it is one, and writes itself as it was read, or it is refused.

use vestibule::password::Phc;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(phc) = Phc::parse(text) else { return };
    let written = phc.to_string();
    assert_eq!(Phc::parse(&written).expect("what it writes").to_string(), written);
    assert!(phc.salt().len() >= 8 && phc.tag_len() >= 4);
}
