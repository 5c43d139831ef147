//! Rates: how often something may happen.

use std::fmt;
use std::time::Duration;

use super::setting::{Raw, Setting, ValueError};

const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
/// More than this is no limit, and its arithmetic would overflow.
const MOST: u32 = 1_000_000;

/// A bucket of `burst` tries that fills again by `count` in every `per`; written "120/h burst 30".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// 1 to a million.
    pub count: u32,
    /// A second, a minute, an hour or a day.
    pub per: Duration,
    /// How many may come at once, 1 to a million; as many as `count` unless it is said.
    pub burst: u32,
}

impl Rate {
    fn parse(text: &str) -> Option<Rate> {
        let (rate, burst) = match text.split_once(" burst ") {
            Some((rate, burst)) => (rate, Some(number(burst.trim())?)),
            None => (text, None),
        };
        let (count, unit) = rate.trim().split_once('/')?;
        let count = number(count)?;
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        Some(Rate { count, per: Duration::from_secs(*seconds), burst: burst.unwrap_or(count) })
    }
}

fn number(digits: &str) -> Option<u32> {
    let digits = digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits)?;
    digits.parse().ok().filter(|number| (1..=MOST).contains(number))
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit =
            UNITS.iter().find(|(_, seconds)| *seconds == self.per.as_secs()).map_or("s", |(name, _)| name);
        write!(f, "{}/{unit}", self.count)?;
        if self.burst == self.count { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

impl Setting for Option<Rate> {
    fn read(raw: Raw<'_>) -> Result<Option<Rate>, ValueError> {
        const EXPECTED: &str =
            "a rate like \"120/h\" or \"120/h burst 30\" (s, m, h, d; up to a million), or \"off\"";
        let text = raw.text(EXPECTED)?.trim();
        if text == "off" {
            return Ok(None);
        }
        let not = || ValueError::Not { expected: EXPECTED, found: text.to_owned() };
        Rate::parse(text).map(Some).ok_or_else(not)
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.map_or_else(|| "off".to_owned(), |rate| rate.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Option<Rate>> {
        Option::<Rate>::read(Raw::Text(text)).ok()
    }

    #[test]
    fn a_rate_reads_back_as_it_is_shown() {
        for text in ["120/h burst 30", "10/h", "1/s", "5/m burst 1", "1000000/d", "off"] {
            let rate = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(rate.show().unwrap().as_str(), Some(text));
        }
        assert_eq!(read("10/h").flatten().map(|rate| rate.burst), Some(10));
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in [
            "",
            "10",
            "/h",
            "10/",
            "10/w",
            "0/h",
            "10/h burst 0",
            "1000001/h",
            "-1/h",
            "+1/h",
            "10/h burst",
            "none",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
