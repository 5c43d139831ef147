//! Durations and sizes: whole numbers that carry their unit, so that nobody has to know whether `60` was seconds.

use std::fmt;
use std::time::Duration;

use super::setting::{Raw, Setting, ValueError};

/// Units of time in milliseconds, largest first.
const TIMES: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
/// Units of size in bytes, largest first: the binary units of IEC 80000-13, because `KB` means two things.
const SIZES: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A number of bytes, written like `64KiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u32);

impl Size {
    /// A size of so many bytes.
    pub const fn of(bytes: u32) -> Size {
        Size(bytes)
    }

    /// In bytes.
    pub const fn bytes(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&write(self.0.into(), SIZES))
    }
}

impl Setting for Size {
    fn read(raw: Raw<'_>) -> Result<Size, ValueError> {
        const EXPECTED: &str = "a size with its unit (B, KiB, MiB, GiB) like \"64KiB\"";
        let text = raw.text(EXPECTED)?;
        let bytes = read(text, SIZES).and_then(|bytes| u32::try_from(bytes).ok());
        bytes.map(Size).ok_or_else(|| ValueError::Not { expected: EXPECTED, found: text.to_owned() })
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.to_string()))
    }
}

impl Setting for Duration {
    fn read(raw: Raw<'_>) -> Result<Duration, ValueError> {
        const EXPECTED: &str = "a duration with its unit (ms, s, m, h) like \"2s\" or \"500ms\"";
        let text = raw.text(EXPECTED)?;
        let millis = read(text, TIMES);
        millis
            .map(Duration::from_millis)
            .ok_or_else(|| ValueError::Not { expected: EXPECTED, found: text.to_owned() })
    }

    fn show(&self) -> Option<toml::Value> {
        let millis = u64::try_from(self.as_millis()).ok()?;
        Some(toml::Value::String(if millis == 0 { "0s".to_owned() } else { write(millis, TIMES) }))
    }
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write {0}")]
pub struct NoQuantity(&'static str);

/// Reads a duration as the configuration writes it: "250ms", "1m30s".
///
/// # Errors
/// [`NoQuantity`].
pub fn parse_time(text: &str) -> Result<Duration, NoQuantity> {
    let time = read(text, TIMES).map(Duration::from_millis);
    time.ok_or(NoQuantity("a duration with its unit (ms, s, m, h) like \"250ms\""))
}

/// Reads a size as the configuration writes it, "512MiB", into bytes.
///
/// # Errors
/// [`NoQuantity`].
pub fn parse_size(text: &str) -> Result<u64, NoQuantity> {
    read(text, SIZES).ok_or(NoQuantity("a size with its unit (B, KiB, MiB, GiB) like \"512MiB\""))
}

/// Adds up `1m30s`: each unit at most once and in falling order, so that a typing mistake is not a sum.
fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0_u64;
    let mut allowed = units;
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (name, tail) = tail.split_at(letters);
        let at = allowed.iter().position(|(unit, _)| *unit == name)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(allowed[at].1)?)?;
        if tail.is_empty() {
            return Some(total);
        }
        allowed = &allowed[at + 1..];
        rest = tail;
    }
}

/// The shortest exact spelling with a single unit.
fn write(number: u64, units: &[(&str, u64)]) -> String {
    let exact = units.iter().find(|(_, scale)| number.is_multiple_of(*scale) && number >= *scale);
    match exact.or(units.last()) {
        Some((name, scale)) => format!("{}{name}", number / scale),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(value: &impl Setting) -> String {
        value.show().unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn reads_units_and_refuses_what_is_ambiguous() {
        let millis = |text| Duration::read(Raw::Text(text)).ok().map(|time| time.as_millis());
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis(" 2s "), Some(2000));
        assert_eq!(millis("1m30s"), Some(90_000));
        assert_eq!(millis("1h"), Some(3_600_000));
        for text in
            ["", "2", "s", "2 s", "1.5s", "-1s", "1s1s", "30s1m", "2sec", "2S", "99999999999999999999s", "١s"]
        {
            assert_eq!(millis(text), None, "{text:?}");
        }
        let bytes = |text| Size::read(Raw::Text(text)).ok().map(Size::bytes);
        assert_eq!(bytes("64KiB"), Some(65_536));
        assert_eq!(bytes("0B"), Some(0));
        for text in ["64", "64KB", "64kib", "64k", "4GiB", "1e3B"] {
            assert_eq!(bytes(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(millis in 0..=u64::MAX / 2, bytes: u32) {
            let time = Duration::from_millis(millis);
            prop_assert_eq!(Duration::read(Raw::Text(&shown(&time))).unwrap(), time);
            let size = Size::of(bytes);
            prop_assert_eq!(Size::read(Raw::Text(&shown(&size))).unwrap(), size);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*|[0-9]{0,30}[a-zA-Z]{0,4}") {
            let _ = Duration::read(Raw::Text(&text));
            let _ = Size::read(Raw::Text(&text));
        }
    }
}
