//! How often a network, an address and everybody together may try to sign up.
//!
//! A try is counted before anything is looked up or hashed, so the answer says nothing about whether an account exists.
//! Memory is bounded: the tables hold so many keys and no more, and whoever is new to a full one is refused.

mod bucket;
mod table;

use crate::config::{Rate, Rates};
use crate::network::Network;
use crate::user::Key;
use bucket::{Bucket, Micros};
use std::net::IpAddr;
use std::time::Duration;
use table::{Refused, Table};

/// What a client is told to wait when there is no room to remember it.
const FULL: Duration = Duration::from_secs(60);

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The limits and who has come how close to them. Each contract counts for itself.
#[derive(Debug)]
pub struct Throttle {
    counts: [Option<Count>; 4],
}

#[derive(Debug)]
struct Count {
    limit: Limit,
    rate: Rate,
    bucket: Bucket,
    table: Table,
}

impl Throttle {
    /// Empty tables for these rates.
    pub fn new(rates: &Rates) -> Throttle {
        let count = |limit| {
            let rate = match limit {
                Limit::Network => rates.network,
                Limit::Site => rates.site,
                Limit::Account => rates.account,
                Limit::Total => rates.total,
            };
            rate.map(|rate| Count { limit, rate, bucket: Bucket::new(rate), table: Table::new(rates.keys) })
        };
        Throttle { counts: Limit::ALL.map(count) }
    }

    /// No limits at all.
    pub fn none() -> Throttle {
        Throttle { counts: Limit::ALL.map(|_| None) }
    }

    /// A request for the contract of this name has come from this address. Who asks from this machine has no network: it
    /// is a proxy that nobody declared, and behind it is everybody.
    ///
    /// # Errors
    /// When it came too soon; it is not counted then.
    pub fn arrival(
        &self,
        contract: &str,
        address: Option<IpAddr>,
        uptime: Duration,
    ) -> Result<(), Throttled> {
        if let Some(address) = address.map(|address| address.to_canonical()).filter(|a| !a.is_loopback()) {
            self.count(Limit::Network, &(contract, Network::of(address)), uptime)?;
            if address.is_ipv6() {
                self.count(Limit::Site, &(contract, Network::site(address)), uptime)?;
            }
        }
        self.count(Limit::Total, &contract, uptime)
    }

    /// Somebody wants an account with these names. Values that are no name of somebody are not counted.
    ///
    /// # Errors
    /// When one of them was tried too often.
    pub fn names(&self, contract: &str, keys: &[Key], uptime: Duration) -> Result<(), Throttled> {
        let mut names = keys.iter().filter(|key| matches!(key.kind.as_str(), "email" | "username"));
        names.try_for_each(|key| self.count(Limit::Account, &(contract, &key.kind, &key.value), uptime))
    }

    /// How many keys are remembered.
    pub fn keys(&self) -> usize {
        self.counts.iter().flatten().map(|count| count.table.len()).sum()
    }

    fn count(&self, limit: Limit, key: &impl std::hash::Hash, uptime: Duration) -> Result<(), Throttled> {
        let Some(count) = self.counts.iter().flatten().find(|count| count.limit == limit) else {
            return Ok(());
        };
        count.table.take(key, &count.bucket, uptime.as_micros() as Micros).map_err(|refused| Throttled {
            limit,
            quota: count.rate.burst,
            window: Duration::from_micros(count.bucket.tolerance + count.bucket.interval),
            retry_after: match refused {
                Refused::Wait(wait) => Duration::from_micros(wait),
                Refused::Full => FULL,
            },
        })
    }
}
