//! The places in which connections are served, and whose they are.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::caller::Proxies;
use super::shares::{Share, Shares};

/// All places of a listener. Clones are the same places.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<All>);

#[derive(Debug)]
struct All {
    free: Arc<Semaphore>,
    shares: Shares,
    proxies: Proxies,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    share: Option<Share>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// So many free ones. `proxies` speak for others, and may have all of them.
    pub(super) fn new(number: usize, proxies: Proxies) -> Places {
        let free = Arc::new(Semaphore::new(number.min(Semaphore::MAX_PERMITS)));
        Places(Arc::new(All { free, shares: Shares::default(), proxies }))
    }

    /// A place for who connects from this address; `None` when all are taken, or too many by its network.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let permit = self.0.free.clone().try_acquire_owned().ok()?;
        let mut place = Place { places: self.clone(), share: None, _permit: permit };
        place.is_for(address).then_some(place)
    }
}

impl Place {
    /// Whether it may be a place of this client, and no longer of the proxy that took it: it is not when the client's
    /// network holds enough of them.
    pub(super) fn is_for(&mut self, address: IpAddr) -> bool {
        let Places(all) = &self.places;
        self.share = None;
        if address.is_loopback() || all.proxies.trust(address) {
            return true;
        }
        self.share = all.shares.take(address, all.free.available_permits());
        self.share.is_some()
    }
}
