//! Whose request it is.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

use super::forwarded;
use crate::config::ProxyHeader;
use crate::network::Network;

/// A request extension: who asks, as far as can be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The client's address; `None` when nobody put it there, as in a router that is mounted elsewhere.
    pub address: Option<IpAddr>,
}

impl Caller {
    pub(super) fn at(address: IpAddr) -> Caller {
        Caller { address: Some(address.to_canonical()) }
    }

    /// Whom the address stands for; see [`Network::of`].
    pub fn network(&self) -> Option<Network> {
        self.address.map(Network::of)
    }
}

/// The proxies that are believed, and where they say whose request they pass on.
#[derive(Clone, Debug)]
pub struct Proxies {
    trusted: Arc<[Network]>,
    header: ProxyHeader,
}

impl Proxies {
    /// These, who write this header.
    pub fn new(trusted: &[Network], header: ProxyHeader) -> Proxies {
        Proxies { trusted: trusted.into(), header }
    }

    /// Nobody.
    pub fn none() -> Proxies {
        Proxies::new(&[], ProxyHeader::XForwardedFor)
    }

    /// Whether somebody at this address is believed.
    pub(super) fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Who asks, when `peer` has sent these headers: from one proxy to the next the way back, up to the first address
    /// that is not a proxy's. Where the trace breaks off it is the last address that somebody believed has vouched for.
    pub fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> Caller {
        let mut address = peer;
        let mut hops = forwarded::hops(headers, self.header);
        while self.trust(address) {
            let Some(Some(hop)) = hops.next() else { break };
            address = hop;
        }
        Caller::at(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(peer: &str, header: ProxyHeader, lines: &[(&'static str, &'static str)]) -> String {
        let trusted: Vec<Network> =
            ["10.0.0.0/8", "2001:db8::/32"].iter().map(|text| text.parse().expect("a network")).collect();
        let headers = lines
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        let mut map = HeaderMap::new();
        headers.for_each(|(name, value): (http::HeaderName, http::HeaderValue)| {
            map.append(name, value);
        });
        let caller = Proxies::new(&trusted, header).caller(peer.parse().expect("an address"), &map);
        caller.address.expect("it is known").to_string()
    }

    #[test]
    fn only_what_trusted_proxies_vouch_for_counts() {
        let told = |peer, value| caller(peer, ProxyHeader::XForwardedFor, &[("x-forwarded-for", value)]);
        assert_eq!(told("192.0.2.9", "198.51.100.1"), "192.0.2.9", "a stranger is not believed");
        assert_eq!(told("10.0.0.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(told("10.0.0.1", "1.1.1.1, 198.51.100.1"), "198.51.100.1", "the left is an invention");
        assert_eq!(told("10.0.0.1", "1.1.1.1, 198.51.100.1, 2001:db8::7, 10.2.2.2"), "198.51.100.1");
        assert_eq!(told("::ffff:10.0.0.1", "::ffff:198.51.100.1"), "198.51.100.1");
        assert_eq!(told("10.0.0.1", "10.0.0.2, 10.0.0.3"), "10.0.0.2", "an inner client");
        assert_eq!(told("10.0.0.1", "198.51.100.1, garbage, 10.0.0.3"), "10.0.0.3");
        assert_eq!(told("10.0.0.1", ""), "10.0.0.1");
    }

    #[test]
    fn the_header_that_the_proxies_do_not_write_is_not_read() {
        let both = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.2")];
        assert_eq!(caller("10.0.0.1", ProxyHeader::XForwardedFor, &both), "198.51.100.1");
        assert_eq!(caller("10.0.0.1", ProxyHeader::Forwarded, &both), "198.51.100.2");
        assert_eq!(caller("10.0.0.1", ProxyHeader::Forwarded, &both[..1]), "10.0.0.1");
        assert_eq!(caller("10.0.0.1", ProxyHeader::XForwardedFor, &[]), "10.0.0.1");
    }
}
