//! The limits, and what is said of a try that came too soon for one.

use std::time::Duration;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// One IPv4 address, or an IPv6 /64: what one subscriber has.
    Network,
    /// An IPv6 /48: what one site has (RFC 6177).
    Site,
    /// One e-mail address or user name, whoever sends it.
    Account,
    /// Everybody together.
    Total,
}

impl Limit {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Limit; 4] = [Limit::Network, Limit::Site, Limit::Total, Limit::Account];

    /// Its name in the configuration, in headers and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Network => "network",
            Limit::Site => "site",
            Limit::Account => "account",
            Limit::Total => "total",
        }
    }
}

/// A try that came too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many tries ({}), the next one in {retry_after:?}", .limit.name())]
pub struct Throttled {
    /// The limit that was reached.
    pub limit: Limit,
    /// How many tries it lets in at once.
    pub quota: u32,
    /// How long it takes until as many are let in again.
    pub window: Duration,
    /// When a try makes sense.
    pub retry_after: Duration,
}
