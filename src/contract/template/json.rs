//! One JSON automaton, used twice: at load over every path of a template (`prove`), at request time over the one
//! path that was taken, where it also writes the answer compactly.
//!
//! Strict RFC 8259 with a single tolerance: a comma before `]` or `}` is allowed, and dropped.

/// Where in a JSON text the automaton stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Position {
    /// A value must come.
    Value,
    /// After `[`, or after a comma in an array.
    ValueOrEnd,
    /// After `{`, or after a comma in an object.
    KeyOrEnd,
    Colon,
    /// A comma, or the end of the container or text.
    AfterValue,
    Text {
        key: bool,
    },
    Escape {
        key: bool,
    },
    /// In the four digits of `\u`; `low`: they are the second half of a pair.
    Hex {
        key: bool,
        left: u8,
        code: u16,
        low: bool,
    },
    /// Between the halves of a surrogate pair: a backslash must come, then a `u`.
    Pair {
        key: bool,
        slash: bool,
    },
    Word {
        word: u8,
        at: u8,
    },
    Number(Number),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Number {
    Minus,
    Zero,
    Integer,
    Dot,
    Fraction,
    E,
    ESign,
    Exponent,
}

const WORDS: [&[u8]; 3] = [b"true", b"false", b"null"];
const HALF: &str = "half of a surrogate pair is no character";
const ONLY_VALUES: &str =
    "only true, false, null, numbers, strings, [ and { may stand here; text needs quotes";

/// What is wrong with the text at this point, in the words of the person who writes the template.
pub(crate) type Fault = &'static str;

/// The state of the automaton: a position and the open brackets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Automaton {
    position: Position,
    open: Vec<u8>,
}

impl Automaton {
    pub(crate) fn new() -> Self {
        Automaton { position: Position::Value, open: Vec::new() }
    }

    /// Whether a tag here stands inside quotes.
    pub(crate) fn in_string(&self) -> bool {
        matches!(self.position, Position::Text { .. })
    }

    fn in_literal(&self) -> bool {
        use Position::{Escape, Hex, Pair, Text};
        matches!(self.position, Text { .. } | Escape { .. } | Hex { .. } | Pair { .. })
    }

    /// A tag begins or ends here. A number or word ends at a tag; anything half-written does not.
    pub(crate) fn boundary(&mut self) -> Result<(), Fault> {
        match self.position {
            Position::Number(Number::Zero | Number::Integer | Number::Fraction | Number::Exponent) => {
                self.position = Position::AfterValue;
                Ok(())
            }
            Position::Number(_) => Err("a number is cut in two here"),
            Position::Word { .. } => Err(ONLY_VALUES),
            Position::Escape { .. } | Position::Hex { .. } | Position::Pair { .. } => {
                Err("an escape sequence is cut in two here")
            }
            _ => Ok(()),
        }
    }

    /// A whole value (or, inside quotes, escaped text) is inserted here.
    pub(crate) fn hole(&mut self) -> Result<(), Fault> {
        match self.position {
            Position::Value | Position::ValueOrEnd => {
                self.position = Position::AfterValue;
                Ok(())
            }
            Position::Text { .. } => Ok(()),
            Position::KeyOrEnd => Err("a key is text: put quotes around it, \"{{ ... }}\": ..."),
            Position::Colon => Err("a ':' must come before this value"),
            Position::AfterValue if self.open.is_empty() => Err("a value after the end of the JSON value"),
            Position::AfterValue => Err("a ',' must come before this value"),
            _ => Err("a value cannot stand here"),
        }
    }

    /// One byte of literal text.
    pub(crate) fn step(&mut self, byte: u8) -> Result<(), Fault> {
        match self.position {
            Position::Text { key } => self.text(key, byte),
            Position::Escape { key } => self.escape(key, byte),
            Position::Hex { key, left, code, low } => self.hex(key, left, (code, low), byte),
            Position::Pair { key, slash: false } if byte == b'\\' => {
                self.go(Position::Pair { key, slash: true })
            }
            Position::Pair { key, slash: true } if byte == b'u' => {
                self.go(Position::Hex { key, left: 4, code: 0, low: true })
            }
            Position::Pair { .. } => Err(HALF),
            Position::Word { word, at } => self.word(word, at, byte),
            Position::Number(number) => self.number(number, byte),
            _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => Ok(()),
            Position::Colon if byte == b':' => self.go(Position::Value),
            Position::Colon => Err("expected ':'"),
            Position::KeyOrEnd => match byte {
                b'"' => self.go(Position::Text { key: true }),
                b'}' => self.close(byte),
                b',' => Err("two commas in a row"),
                _ => Err("expected a quoted key or '}'"),
            },
            Position::AfterValue => match byte {
                b',' => self.comma(),
                b'}' | b']' => self.close(byte),
                _ if self.open.is_empty() => Err("text after the end of the JSON value"),
                _ => Err("a ',' is missing before this"),
            },
            Position::Value | Position::ValueOrEnd => self.value(byte),
        }
    }

    /// The text ends here: it must be one whole JSON value.
    pub(crate) fn finished(&mut self) -> Result<(), Fault> {
        if self.in_literal() {
            return Err("the text ends inside a string");
        }
        self.boundary()?;
        if self.position == Position::AfterValue && self.open.is_empty() {
            return Ok(());
        }
        Err("the JSON value is not complete at the end")
    }

    /// How deep the brackets stand.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    fn go(&mut self, to: Position) -> Result<(), Fault> {
        self.position = to;
        Ok(())
    }

    fn close(&mut self, byte: u8) -> Result<(), Fault> {
        match (self.open.pop(), byte) {
            (Some(b'{'), b'}') | (Some(b'['), b']') => self.go(Position::AfterValue),
            _ => Err("this bracket closes nothing that is open"),
        }
    }

    fn comma(&mut self) -> Result<(), Fault> {
        match self.open.last() {
            Some(b'{') => self.go(Position::KeyOrEnd),
            Some(_) => self.go(Position::ValueOrEnd),
            None => Err("text after the end of the JSON value"),
        }
    }

    fn text(&mut self, key: bool, byte: u8) -> Result<(), Fault> {
        match byte {
            b'"' => self.go(if key { Position::Colon } else { Position::AfterValue }),
            b'\\' => self.go(Position::Escape { key }),
            0..=31 => Err("a line break or control character inside a string; is the closing quote missing?"),
            _ => Ok(()),
        }
    }

    fn escape(&mut self, key: bool, byte: u8) -> Result<(), Fault> {
        match byte {
            b'u' => self.go(Position::Hex { key, left: 4, code: 0, low: false }),
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.go(Position::Text { key }),
            _ => Err("unknown escape; JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u0000"),
        }
    }

    fn hex(&mut self, key: bool, left: u8, (code, low): (u16, bool), byte: u8) -> Result<(), Fault> {
        let Some(digit) = char::from(byte).to_digit(16) else { return Err("\\u needs four hex digits") };
        let code = code << 4 | digit as u16;
        if left > 1 {
            return self.go(Position::Hex { key, left: left - 1, code, low });
        }
        match (low, code) {
            (false, 0xd800..=0xdbff) => self.go(Position::Pair { key, slash: false }),
            (false, 0xdc00..=0xdfff) => Err(HALF),
            (true, 0xdc00..=0xdfff) | (false, _) => self.go(Position::Text { key }),
            (true, _) => Err(HALF),
        }
    }

    fn word(&mut self, word: u8, at: u8, byte: u8) -> Result<(), Fault> {
        let letters = WORDS[usize::from(word)];
        if letters[usize::from(at)] != byte {
            return Err(ONLY_VALUES);
        }
        let done = usize::from(at) + 1 == letters.len();
        self.go(if done { Position::AfterValue } else { Position::Word { word, at: at + 1 } })
    }

    fn number(&mut self, number: Number, byte: u8) -> Result<(), Fault> {
        use Number::{Dot, E, ESign, Exponent, Fraction, Integer, Minus, Zero};
        let next = match (number, byte) {
            (Minus, b'0') => Zero,
            (Minus, b'1'..=b'9') | (Integer, b'0'..=b'9') => Integer,
            (Zero | Integer, b'.') => Dot,
            (Dot | Fraction, b'0'..=b'9') => Fraction,
            (Zero | Integer | Fraction, b'e' | b'E') => E,
            (E, b'+' | b'-') => ESign,
            (E | ESign | Exponent, b'0'..=b'9') => Exponent,
            (Zero, b'0'..=b'9') => return Err("a number has no zeros before it"),
            (Zero | Integer | Fraction | Exponent, _) => {
                self.position = Position::AfterValue;
                return self.step(byte);
            }
            _ => return Err("not a number"),
        };
        self.go(Position::Number(next))
    }

    fn value(&mut self, byte: u8) -> Result<(), Fault> {
        let next = match byte {
            b'"' => Position::Text { key: false },
            b'{' | b'[' => {
                self.open.push(byte);
                if byte == b'{' { Position::KeyOrEnd } else { Position::ValueOrEnd }
            }
            b't' => Position::Word { word: 0, at: 1 },
            b'f' => Position::Word { word: 1, at: 1 },
            b'n' => Position::Word { word: 2, at: 1 },
            b'-' => Position::Number(Number::Minus),
            b'0' => Position::Number(Number::Zero),
            b'1'..=b'9' => Position::Number(Number::Integer),
            b']' if self.position == Position::ValueOrEnd => return self.close(byte),
            b',' => return Err("two commas in a row"),
            _ => return Err(ONLY_VALUES),
        };
        self.go(next)
    }
}

/// Writes JSON compactly while the automaton watches: white space between tokens and a comma before a closing
/// bracket disappear, everything else stays as it was pasted.
pub(crate) struct Writer {
    automaton: Automaton,
    comma: bool,
    out: String,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Writer { automaton: Automaton::new(), comma: false, out: String::with_capacity(512) }
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn in_string(&self) -> bool {
        self.automaton.in_string()
    }

    /// Literal text of the template.
    pub(crate) fn literal(&mut self, text: &str) -> Result<(), Fault> {
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
    pub(crate) fn hole(&mut self) -> Result<&mut String, Fault> {
        self.automaton.hole()?;
        self.pending_comma();
        Ok(&mut self.out)
    }

    pub(crate) fn finish(mut self) -> Result<String, Fault> {
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
pub(crate) fn escape_into(out: &mut String, text: &str) {
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
