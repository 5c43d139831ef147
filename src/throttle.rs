//! How often a network, an address and everybody together may try to sign up.
//!
//! A try is counted before anything is looked up or hashed, so the answer says nothing about whether an account exists.
//! Memory is bounded: the tables hold so many keys and no more, and whoever is new to a full one is refused. Processes may
//! count together, through the store.

mod bucket;
mod counted;
mod limit;
mod shared;
mod table;

pub use bucket::{Bucket, Micros};
pub use limit::{Limit, Throttled};
pub use shared::Tries;

use crate::clock::Clock;
use crate::config::{Rate, Rates};
use crate::network::Network;
use crate::store::{Store, StoreError, Taken};
use crate::user::Key;
use counted::{Counted, Subject};
use shared::{Shared, Try};
use std::net::IpAddr;
use std::time::Duration;
use table::{Asked, Refused, Table};

/// What a client is told to wait when there is no room to remember it.
const FULL: Duration = Duration::from_secs(60);

/// Why a try is not let in where the processes count together.
#[derive(Debug, thiserror::Error)]
pub enum Unsettled {
    /// It came too soon.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Nobody knows; so it is not let in.
    #[error("the shared limits cannot be asked: {0}")]
    Store(#[from] StoreError),
}

/// The limits and who has come how close to them. Each contract counts for itself.
#[derive(Debug)]
pub struct Throttle {
    counts: [Option<Count>; 4],
    /// `None` when this process counts for itself.
    shared: Option<Shared>,
}

#[derive(Debug)]
struct Count {
    limit: Limit,
    rate: Rate,
    bucket: Bucket,
    table: Table,
}

impl Throttle {
    /// Empty tables for these rates; this process counts for itself.
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
        Throttle { counts: Limit::ALL.map(count), shared: None }
    }

    /// No limits at all.
    pub fn none() -> Throttle {
        Throttle { counts: Limit::ALL.map(|_| None), shared: None }
    }

    /// The same limits, counted together with all other processes that were given this database and this `secret`, for
    /// at most `most` networks, sites and names in all.
    pub fn shared_by(self, store: Store, secret: &[u8], most: usize) -> Throttle {
        Throttle { shared: Some(Shared::new(store, secret, most)), ..self }
    }

    /// A request for the contract of this name has come from this address. Who asks from this machine has no network: it
    /// is a proxy that nobody declared, and behind it is everybody.
    ///
    /// # Errors
    /// When it came too soon for one of the limits; it is counted by none then, and leaves no trace in their tables.
    pub fn arrival(
        &self,
        contract: &str,
        address: Option<IpAddr>,
        uptime: Duration,
    ) -> Result<Tries, Throttled> {
        let mut subjects = Vec::with_capacity(3);
        if let Some(address) = address.map(|address| address.to_canonical()).filter(|a| !a.is_loopback()) {
            subjects.push((Limit::Network, Subject::Network(Network::of(address))));
            if address.is_ipv6() {
                subjects.push((Limit::Site, Subject::Network(Network::site(address))));
            }
        }
        subjects.push((Limit::Total, Subject::Everybody));
        self.count(contract, subjects, uptime)
    }

    /// Somebody wants an account with these names. Values that are no name of somebody are not counted.
    ///
    /// # Errors
    /// When one of them was tried too often; none is counted then.
    pub fn names(&self, contract: &str, keys: &[Key], uptime: Duration) -> Result<Tries, Throttled> {
        let names = keys.iter().filter(|key| matches!(key.kind.as_str(), "email" | "username"));
        self.count(contract, names.map(|key| (Limit::Account, Subject::Name(key))), uptime)
    }

    /// Counts tries for all processes, where they count together; in one go, and up to the first that comes too soon.
    ///
    /// # Errors
    /// When one came too soon, or when the database does not say.
    pub async fn settle(&self, tries: Tries, clock: &Clock) -> Result<(), Unsettled> {
        let Some(shared) = self.shared.as_ref().filter(|_| !tries.0.is_empty()) else { return Ok(()) };
        let (number, refused) = match shared.settle(&tries).await? {
            Taken::All => return Ok(()),
            Taken::TooSoon(number, wait) => (number, Refused::Wait(wait.unsigned_abs())),
            Taken::NoRoom(number) => (number, Refused::Full),
        };
        let Some((refused_try, count)) =
            tries.0.get(number).and_then(|one| Some((one, self.count_of(one.limit)?)))
        else {
            return Ok(());
        };
        if let Refused::Wait(wait) = refused {
            let now = clock.uptime().as_micros() as Micros;
            count.table.learn(refused_try.own, now + wait + count.bucket.tolerance);
        }
        Err(count.throttled(refused).into())
    }

    /// Whether processes count together, and [`Throttle::tidy`] has something to do.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Removes what has expired of what the processes share, and looks whether there is room for more. Somebody has to
    /// call it every few seconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        match &self.shared {
            Some(shared) => shared.tidy().await,
            None => Ok(()),
        }
    }

    /// How many keys this process remembers.
    pub fn keys(&self) -> usize {
        self.counts.iter().flatten().map(|count| count.table.len()).sum()
    }

    fn count_of(&self, limit: Limit) -> Option<&Count> {
        self.counts.iter().flatten().find(|count| count.limit == limit)
    }

    /// Counts one try for each of these, or for none of them.
    fn count<'a>(
        &self,
        contract: &'a str,
        subjects: impl IntoIterator<Item = (Limit, Subject<'a>)>,
        uptime: Duration,
    ) -> Result<Tries, Throttled> {
        let limited = |(limit, subject)| Some((self.count_of(limit)?, Counted { limit, contract, subject }));
        let counted: Vec<(&Count, Counted<'_>)> = subjects.into_iter().filter_map(limited).collect();
        let asked: Vec<Asked<'_>> = counted.iter().map(|(count, counted)| count.asked(counted)).collect();
        let taken = table::take(&asked, uptime.as_micros() as Micros);
        taken.map_err(|(number, refused)| counted[number].0.throttled(refused))?;
        let Some(shared) = &self.shared else { return Ok(Tries::default()) };
        let tries = counted.iter().zip(&asked).map(|((count, counted), asked)| Try {
            limit: counted.limit,
            own: asked.hash,
            take: shared.take(counted, &count.bucket),
        });
        Ok(Tries(tries.collect()))
    }
}

impl Count {
    fn asked(&self, counted: &Counted<'_>) -> Asked<'_> {
        Asked { table: &self.table, bucket: &self.bucket, hash: self.table.hash(counted) }
    }

    fn throttled(&self, refused: Refused) -> Throttled {
        Throttled {
            limit: self.limit,
            quota: self.rate.burst,
            window: Duration::from_micros(self.bucket.tolerance + self.bucket.interval),
            retry_after: match refused {
                Refused::Wait(wait) => Duration::from_micros(wait),
                Refused::Full => FULL,
            },
        }
    }
}
