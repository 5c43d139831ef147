//! Stored text on a terminal. Names are kept as they were written, and nobody's name commands the terminal of whoever looks
//! at it: control characters, line ends and marks that turn the direction of a line are shown and not obeyed.

use std::fmt::Write as _;

use serde_json::Value;

/// A text for people.
pub fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if is_order(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// A value as JSON, for programs: they read what was written. The writer escapes only what JSON must have escaped, which an
/// escape sequence that begins with U+009B, or a mark of direction, need not be.
pub fn json_line(value: &Value) -> String {
    escaped(&value.to_string())
}

/// The same over several lines.
pub fn json_lines(value: &Value) -> String {
    escaped(&format!("{value:#}"))
}

/// Outside of its texts JSON has none of these characters but line ends.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_order(c) && c != '\n' {
            // All of them have four digits.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a terminal may obey it.
pub fn is_order(c: char) -> bool {
    // The last three groups are the marks of UAX 9 and the ends of lines and paragraphs.
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn programs_read_what_was_written_and_terminals_obey_nothing(text: String, key in "\\PC{0,9}|[\\x00-\\u{a0}]{0,9}") {
            let value = serde_json::json!({ key: [&text] });
            for written in [json_line(&value), json_lines(&value)] {
                prop_assert_eq!(&serde_json::from_str::<Value>(&written).unwrap(), &value);
                prop_assert!(!written.chars().any(|c| is_order(c) && c != '\n'));
            }
            prop_assert!(!printable(&text).chars().any(is_order));
        }
    }

    #[test]
    fn orders_are_shown() {
        let text = "a\u{9b}2J\u{1b}\u{200f}\u{2028}\u{202e}\n";
        assert_eq!(printable(text), r"a\u{9b}2J\u{1b}\u{200f}\u{2028}\u{202e}\n");
        assert_eq!(json_line(&text.into()), r#""a\u009b2J\u001b\u200f\u2028\u202e\n""#);
    }
}
