//! One JSON automaton, used twice: at load over every path of a template (`prove`), at request time over the one
//! path that was taken, where it also watches the answer being written (`compact`).
//!
//! Strict RFC 8259 with a single tolerance: a comma before `]` or `}` is allowed, and dropped.

use super::grammar::{Fault, Grammar};

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

/// The state of the automaton: a position and the open brackets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Automaton {
    position: Position,
    open: Vec<u8>,
}

impl Grammar for Automaton {
    fn in_string(&self) -> bool {
        matches!(self.position, Position::Text { .. })
    }

    /// A number or word ends at a tag; anything half-written does not.
    fn boundary(&mut self) -> Result<(), Fault> {
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

    /// A whole value, or inside quotes escaped text.
    fn hole(&mut self) -> Result<(), Fault> {
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

    fn step(&mut self, byte: u8) -> Result<(), Fault> {
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

    /// The text must be one whole JSON value.
    fn finished(&mut self) -> Result<(), Fault> {
        if self.in_literal() {
            return Err("the text ends inside a string");
        }
        self.boundary()?;
        if self.position == Position::AfterValue && self.open.is_empty() {
            return Ok(());
        }
        Err("the JSON value is not complete at the end")
    }

    fn depth(&self) -> usize {
        self.open.len()
    }
}

impl Automaton {
    /// Before the first byte.
    pub(super) fn new() -> Self {
        Automaton { position: Position::Value, open: Vec::new() }
    }

    /// Whether the next byte belongs to a string that was begun.
    pub(super) fn in_literal(&self) -> bool {
        use Position::{Escape, Hex, Pair, Text};
        matches!(self.position, Text { .. } | Escape { .. } | Hex { .. } | Pair { .. })
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
