//! Any text as a user name: what is accepted has a key that is a fixed point (RFC 8265) and no `@`.

use vestibule::user::Username;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(name) = Username::parse(text) else { return };
    assert!(!name.key().contains('@') && !name.key().chars().any(char::is_control), "{:?}", name.key());
    let again = Username::parse(name.key()).expect("a key is a name");
    assert_eq!(again.key(), name.key());
}
