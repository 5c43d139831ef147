//! The places in which connections are served, and whose they are. On HTTP/2, each request beyond a connection's first takes one
//! more: it costs as much as a connection does.

use std::net::IpAddr;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::caller::Proxies;
use super::shares::{Share, Shares};

/// All places of a listener. Clones are the same places.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<All>);

#[derive(Debug)]
struct All {
    free: Arc<Semaphore>,
    refused: Counter,
    shares: Shares,
    proxies: Proxies,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    address: IpAddr,
    share: Option<Share>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// So many free ones. `proxies` speak for others, and may have all of them. Further requests for which there is none are
    /// counted in `refused`.
    pub(super) fn new(number: usize, proxies: Proxies, refused: Counter) -> Places {
        let free = Arc::new(Semaphore::new(number.min(Semaphore::MAX_PERMITS)));
        Places(Arc::new(All { free, refused, shares: Shares::default(), proxies }))
    }

    /// A place for who connects from this address; `None` when all are taken, or too many by its network.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let permit = self.0.free.clone().try_acquire_owned().ok()?;
        let mut place = Place { places: self.clone(), address, share: None, _permit: permit };
        place.is_for(address).then_some(place)
    }
}

impl Place {
    /// Whether it may be a place of this client, and no longer of the proxy that took it: it is not when the client's
    /// network holds enough of them.
    pub(super) fn is_for(&mut self, address: IpAddr) -> bool {
        let Places(all) = &self.places;
        self.address = address;
        self.share = None;
        if address.is_loopback() || all.proxies.trust(address) {
            return true;
        }
        self.share = all.shares.take(address, all.free.available_permits());
        self.share.is_some()
    }

    /// One more place for the same client; `None` when all are taken, or too many by its network.
    pub(super) fn another(&self) -> Option<Place> {
        let place = self.places.take(self.address);
        if place.is_none() {
            self.places.0.refused.inc();
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h1_further_places_count_in_the_share_of_whom_the_first_is_for() {
        let refused = Counter::default();
        let places = Places::new(64, Proxies::none(), refused.clone());
        let mut first = places.take([127, 0, 0, 1].into()).expect("a free place");
        assert!(first.another().is_some(), "this machine has no share");
        // A proxy has announced somebody: a sixteenth of those that are free then.
        assert!(first.is_for([192, 0, 2, 1].into()));
        let more: Vec<Place> = std::iter::from_fn(|| first.another()).collect();
        assert_eq!((more.len(), refused.get()), (2, 1));
        assert!(places.take([192, 0, 2, 1].into()).is_none() && places.take([192, 0, 2, 2].into()).is_some());
        drop(more);
        assert!(places.take([192, 0, 2, 1].into()).is_some());
    }
}
