//! Any text as an address: what is accepted keeps its limits, and its key is a fixed point.

use vestibule::user::Email;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(email) = Email::parse(text) else { return };
    assert!(!email.key().chars().any(|c| c.is_control() || c.is_whitespace()), "{email:?}");
    assert!(email.key().len() <= 2048);
    let again = Email::parse(email.key()).expect("a key is an address");
    assert_eq!(again.key(), email.key());
    let shown = Email::parse(email.as_str()).expect("it was accepted once");
    assert_eq!(shown.key(), email.key());
}
