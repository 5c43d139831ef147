//! The settings whose values are words.

use super::setting::{Raw, Setting, ValueError, choose};
use crate::names::Restriction;
use crate::password::Engine;
use crate::proof::Demand;

/// Gives each value of a setting its word.
macro_rules! words {
    ($setting:ident { $($word:literal => $value:ident),+ }) => {
        impl Setting for $setting {
            fn read(raw: Raw<'_>) -> Result<$setting, ValueError> {
                choose(raw, &[$($word),+], &[$($setting::$value),+])
            }

            fn show(&self) -> Option<toml::Value> {
                let word = match self { $($setting::$value => $word),+ };
                Some(toml::Value::String(word.to_owned()))
            }
        }
    };
}
pub(super) use words;

words!(Engine { "fast" => Fast, "portable" => Portable });
words!(Demand { "never" => Never, "under-load" => UnderLoad, "always" => Always });
words!(Restriction { "none" => None, "moderate" => Moderate, "high" => High, "single" => Single });
words!(LogFormat { "auto" => Auto, "human" => Human, "json" => Json });
words!(ProxyHeader { "x-forwarded-for" => XForwardedFor, "forwarded" => Forwarded });

/// The one request header in which trusted proxies name their client; the other one is never read, because a proxy
/// that does not write it passes on whatever its client wrote there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: a custom of most proxies.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human when standard error is a terminal, JSON otherwise.
    Auto,
    /// Made for eyes.
    Human,
    /// One JSON object per line.
    Json,
}
