//! Any header value as an idempotency key: what is accepted is short, visible, and reads back from its quoted form.

use http::{HeaderMap, HeaderValue};
use vestibule::idempotency::IdempotencyKey;

pub(crate) fn run(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(IdempotencyKey::HEADER, value);
    let Ok(Some(key)) = IdempotencyKey::of(&headers) else { return };
    let text = key.as_str();
    assert!((1..=IdempotencyKey::MOST).contains(&text.len()));
    assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    assert_eq!(quoted.parse::<IdempotencyKey>().expect("its quoted form").as_str(), text);
}
