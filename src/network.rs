//! Networks: what a neighbour of the internet is told apart by. Pure.
//!
//! Whoever has one IPv6 address has 2^64 of them (RFC 6177 hands out a /64 at the least), so for IPv6 a single address
//! says nothing about who somebody is; its /64 does, and its /48 says which site.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses, written as CIDR (RFC 4632): `10.0.0.0/8`, `2001:db8::/32`, or a single address.
///
/// An IPv4 address that is written as an IPv6 one (`::ffff:192.0.2.1`) is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// With all bits behind the prefix zero.
    address: IpAddr,
    /// How many bits count.
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The part before the slash.
    #[error("is not an IP address, or one with a prefix like \"10.0.0.0/8\"")]
    Address,
    /// The part behind the slash.
    #[error("has a prefix that is not a number from 0 to {most}")]
    Prefix {
        /// As many bits as the address has.
        most: u8,
    },
    /// The address is one inside of the network, so either it or the prefix is a mistake.
    #[error("has bits behind its prefix; the network is {0}")]
    HostBits(Network),
}

impl Network {
    /// Whom an address stands for: an IPv4 address for itself, an IPv6 address for its /64.
    pub fn of(address: IpAddr) -> Network {
        Network::cut(address, if address.to_canonical().is_ipv4() { 32 } else { 64 })
    }

    /// The site of an address: an IPv4 address for itself, an IPv6 address for its /48 (RFC 6177).
    pub fn site(address: IpAddr) -> Network {
        Network::cut(address, if address.to_canonical().is_ipv4() { 32 } else { 48 })
    }

    /// Whether every address of its family lies in it.
    pub fn is_everybody(&self) -> bool {
        self.prefix == 0
    }

    /// Whether an address lies in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && Network::cut(address, self.prefix) == *self
    }

    /// The network of so many bits around an address; `prefix` is at most the address's length.
    fn cut(address: IpAddr, prefix: u8) -> Network {
        let address = match address.to_canonical() {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Network { address, prefix }
    }

    fn bits(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let Some(prefix) = prefix else {
            let address = address.to_canonical();
            return Ok(Network { address, prefix: Network::bits(address) });
        };
        // A prefix counts the bits of the address as it is written, so a mapped address has none.
        let most = Network::bits(address);
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<u8> = prefix.parse().ok().filter(|number| digits && *number <= most);
        let number = number.ok_or(NetworkError::Prefix { most })?;
        if address.to_canonical() != address {
            return Err(NetworkError::Address);
        }
        let network = Network::cut(address, number);
        if network.address == address { Ok(network) } else { Err(NetworkError::HostBits(network)) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix == Network::bits(self.address) {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_stands_for_itself_or_for_its_64() {
        let of = |text| Network::of(address(text)).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(Network::site(address("2001:db8:1:2::9")).to_string(), "2001:db8:1::/48");
        assert_eq!(Network::site(address("192.0.2.7")).to_string(), "192.0.2.7");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for (text, error) in [
            ("", NetworkError::Address),
            ("example.com", NetworkError::Address),
            ("10.0.0", NetworkError::Address),
            ("010.0.0.1", NetworkError::Address),
            ("[::1]", NetworkError::Address),
            ("::ffff:10.0.0.0/104", NetworkError::Address),
            ("10.0.0.0/33", NetworkError::Prefix { most: 32 }),
            ("10.0.0.0/", NetworkError::Prefix { most: 32 }),
            ("10.0.0.0/+8", NetworkError::Prefix { most: 32 }),
            ("::/129", NetworkError::Prefix { most: 128 }),
            ("10.0.0.1/8", NetworkError::HostBits(network("10.0.0.0/8"))),
        ] {
            assert_eq!(text.parse::<Network>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn the_ends_of_a_network_are_in_it_and_their_neighbours_are_not() {
        let inside = |text: &str, of: &str| network(of).contains(address(text));
        assert!(inside("10.0.0.0", "10.0.0.0/8") && inside("10.255.255.255", "10.0.0.0/8"));
        assert!(!inside("9.255.255.255", "10.0.0.0/8") && !inside("11.0.0.0", "10.0.0.0/8"));
        assert!(inside("::ffff:10.1.2.3", "10.0.0.0/8") && !inside("::10.1.2.3", "10.0.0.0/8"));
        assert!(inside("255.255.255.255", "0.0.0.0/0") && !inside("::1", "0.0.0.0/0"));
        assert!(inside("2001:db8::1", "2001:db8::/32") && !inside("2001:db9::1", "2001:db8::/32"));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(v4: u32, v6: u128, short in 0..=32_u8, long in 0..=128_u8) {
            for (address, prefix) in [
                (IpAddr::V4(Ipv4Addr::from_bits(v4)), short),
                (IpAddr::V6(Ipv6Addr::from_bits(v6)).to_canonical(), long),
            ] {
                let prefix = prefix.min(Network::bits(address));
                let cut = Network::cut(address, prefix);
                prop_assert!(cut.contains(address));
                prop_assert_eq!(cut.to_string().parse::<Network>(), Ok(cut));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*|[0-9a-f:./]{0,24}") {
            let _ = text.parse::<Network>();
        }
    }
}
