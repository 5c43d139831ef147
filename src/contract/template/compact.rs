//! JSON as it is answered: compact, whatever white space the template was pasted with.

use super::grammar::{Fault, Grammar};
use super::json::Automaton;

/// Writes JSON compactly while the automaton watches: white space between tokens and a comma before a closing
/// bracket disappear, everything else stays as it was pasted.
pub(super) struct Writer {
    automaton: Automaton,
    comma: bool,
    out: String,
}

impl Writer {
    pub(super) fn new() -> Self {
        Writer { automaton: Automaton::new(), comma: false, out: String::with_capacity(512) }
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn in_string(&self) -> bool {
        self.automaton.in_string()
    }

    /// Literal text of the template.
    pub(super) fn literal(&mut self, text: &str) -> Result<(), Fault> {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            if self.automaton.in_string() {
                let plain = bytes[i..].iter().take_while(|b| !matches!(b, b'"' | b'\\' | 0..=31)).count();
                // The run ends at an ASCII byte or at the end of the text, so the slice is cut between characters.
                self.out.push_str(&text[i..i + plain]);
                i += plain;
                if i == bytes.len() {
                    break;
                }
            }
            self.byte(bytes[i])?;
            i += 1;
        }
        self.automaton.boundary()
    }

    /// The place of a value: the caller writes exactly one JSON value, or escaped text when inside quotes.
    pub(super) fn hole(&mut self) -> Result<&mut String, Fault> {
        self.automaton.hole()?;
        self.pending_comma();
        Ok(&mut self.out)
    }

    pub(super) fn finish(mut self) -> Result<String, Fault> {
        self.automaton.finished()?;
        Ok(self.out)
    }

    fn byte(&mut self, byte: u8) -> Result<(), Fault> {
        let inside = self.automaton.in_literal();
        self.automaton.step(byte)?;
        match byte {
            _ if inside => {}
            b' ' | b'\t' | b'\n' | b'\r' => return Ok(()),
            b',' => {
                self.comma = true;
                return Ok(());
            }
            b']' | b'}' => self.comma = false,
            _ => self.pending_comma(),
        }
        self.out.push(char::from(byte));
        Ok(())
    }

    fn pending_comma(&mut self) {
        if std::mem::take(&mut self.comma) {
            self.out.push(',');
        }
    }
}

/// Appends `text` as it must stand inside a JSON string literal (RFC 8259 section 7).
pub(super) fn escape_into(out: &mut String, text: &str) {
    let mut from = 0;
    for (i, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            8 => "\\b",
            12 => "\\f",
            0..=31 => "",
            _ => continue,
        };
        out.push_str(&text[from..i]);
        out.push_str(escaped);
        if escaped.is_empty() {
            out.push_str("\\u00");
            out.push(char::from(b'0' + (byte >> 4)));
            out.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        from = i + 1;
    }
    out.push_str(&text[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compact(text: &str) -> Result<String, Fault> {
        let mut writer = Writer::new();
        writer.literal(text)?;
        writer.finish()
    }

    #[test]
    fn trailing_commas_and_white_space_disappear() {
        assert_eq!(compact("{ \"a\" : [ 1 , 2 , ] , }").unwrap(), r#"{"a":[1,2]}"#);
        assert_eq!(compact(r#"  "a , b" "#).unwrap(), r#""a , b""#);
        assert_eq!(compact(r#""\ud83d\uDE00""#).unwrap(), r#""\ud83d\uDE00""#);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "{",
            "{\"a\"}",
            "[1 2]",
            "tru",
            "01",
            "1.",
            "\"a",
            "[,]",
            "[1,,2]",
            "{} x",
            "\"\\x\"",
            "-",
            "nope",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83d\\n\"",
            "\"\\ud83d\\u0041\"",
        ] {
            assert!(compact(text).is_err(), "{text}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn accepts_what_serde_json_writes_and_writes_it_compactly(value in json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty).unwrap(), serde_json::to_string(&value).unwrap());
        }

        #[test]
        fn whatever_is_accepted_is_json(text in r#"[\[\]{},:"0-9.eE+\-a-z\\ ]{0,16}"#) {
            if let Ok(out) = compact(&text) {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&out).is_ok(), "{text} -> {out}");
            }
        }

        #[test]
        fn escaping_reads_back(text in any::<String>()) {
            let mut out = String::from("\"");
            escape_into(&mut out, &text);
            out.push('"');
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
