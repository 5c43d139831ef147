//! How many of all places one network may hold: as many as a sixteenth of those that are still free.
//!
//! So the share shrinks as the house fills, and whoever wants to keep everybody else out needs many addresses: one can
//! take a seventeenth of all places, and fifty that take what they can leave one place in twenty (dynamic thresholds:
//! Choudhury and Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::network::Network;

/// The part of the free places that one network may hold.
const PART: usize = 16;

/// Who holds how many places.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares(Arc<Mutex<HashMap<Network, usize>>>);

/// One place in its network's share, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Shares,
    network: Network,
}

impl Shares {
    /// One more place for this address's site, when so many are still free; `None` when it holds enough of them.
    pub(super) fn take(&self, address: IpAddr, free: usize) -> Option<Share> {
        let network = Network::site(address);
        let mut held = self.held();
        let now = held.get(&network).copied().unwrap_or(0);
        if now >= (free / PART).max(1) {
            return None;
        }
        held.insert(network, now + 1);
        Some(Share { shares: self.clone(), network })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        match held.get_mut(&self.network) {
            Some(now) if *now > 1 => *now -= 1,
            _ => drop(held.remove(&self.network)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    /// Takes as many of `places` as there are for this address.
    fn greedy(shares: &Shares, taken: &mut Vec<Share>, address: impl Into<IpAddr>, places: usize) -> usize {
        let (address, before) = (address.into(), taken.len());
        while let Some(share) =
            places.checked_sub(taken.len() + 1).and_then(|free| shares.take(address, free))
        {
            taken.push(share);
        }
        taken.len() - before
    }

    #[test]
    fn however_many_take_what_they_can_the_next_one_finds_room() {
        let (shares, mut taken) = (Shares::default(), Vec::new());
        let first = greedy(&shares, &mut taken, [192, 0, 2, 1], 10_000);
        assert!((580..=590).contains(&first), "a seventeenth: {first}");
        for number in 0..50_u32 {
            let other = Ipv4Addr::from_bits(0x0a00_0000 + number);
            assert!(greedy(&shares, &mut taken, other, 10_000) > 20, "the {number}th");
        }
        assert_eq!(greedy(&shares, &mut taken, [192, 0, 2, 1], 10_000), 0);
        taken.clear();
        assert!(shares.held().is_empty(), "what nobody holds is not remembered");
    }

    #[test]
    fn the_networks_of_one_site_share() {
        let (shares, mut taken) = (Shares::default(), Vec::new());
        let address = |subnet: u128| Ipv6Addr::from_bits(0x2001_0db8_0001 << 80 | subnet << 64 | 1);
        let first = greedy(&shares, &mut taken, address(1), 1000);
        assert!((55..=60).contains(&first), "{first}");
        assert_eq!(greedy(&shares, &mut taken, address(2), 1000), 0);
    }

    #[test]
    fn the_smallest_house_lets_somebody_in() {
        let (shares, mut taken) = (Shares::default(), Vec::new());
        assert_eq!(greedy(&shares, &mut taken, [192, 0, 2, 1], 1), 1);
        assert_eq!(greedy(&shares, &mut taken, [192, 0, 2, 2], 2), 1);
    }
}
