//! Replaces addresses by numbered ones that are in the same declared networks and in no other.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

/// For what is in no declared network: addresses that documents and tests use, then any.
const ELSEWHERE: [&str; 4] = ["198.18.0.0/15", "0.0.0.0/0", "2001:db8::/32", "::/0"];

/// Addresses replaced so far, each always by the same one.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    networks: Vec<IpNet>,
    given: BTreeMap<IpAddr, IpAddr>,
    /// The next address to give of each network.
    next: BTreeMap<IpNet, u128>,
    /// Addresses for which no replacement was found.
    pub(super) kept: u64,
}

impl Addresses {
    /// A declared network.
    pub(super) fn declare(&mut self, network: IpNet) {
        let network = network.trunc();
        if !self.networks.contains(&network) {
            self.networks.push(network);
        }
    }

    pub(super) fn replace(&mut self, address: IpAddr) -> IpAddr {
        let canonical = address.to_canonical();
        let replacement = match self.given.get(&canonical) {
            Some(given) => *given,
            None => {
                let found = self.find(canonical);
                self.given.insert(canonical, found);
                found
            }
        };
        match (address, replacement) {
            // In the clothes in which it came.
            (IpAddr::V6(_), IpAddr::V4(v4)) => v4.to_ipv6_mapped().into(),
            _ => replacement,
        }
    }

    fn find(&mut self, address: IpAddr) -> IpAddr {
        if is_anybodys(address) {
            return address;
        }
        let around = self.networks.iter().filter(|network| network.contains(&address));
        let found = match around.copied().max_by_key(IpNet::prefix_len) {
            Some(network) if network.prefix_len() == network.max_prefix_len() => Some(address),
            Some(network) => self.within(network, address),
            None => ELSEWHERE
                .iter()
                .filter_map(|text| text.parse::<IpNet>().ok())
                .filter(|pool| pool.addr().is_ipv4() == address.is_ipv4())
                .find_map(|pool| self.within(pool, address)),
        };
        found.unwrap_or_else(|| {
            self.kept += 1;
            address
        })
    }

    /// The next address of a network that is in no declared one in which the original is not.
    fn within(&mut self, network: IpNet, original: IpAddr) -> Option<IpAddr> {
        let last = number(network.broadcast());
        // 10.0.0.0 would look like the network.
        let wide = network.prefix_len() + 8 <= network.max_prefix_len();
        let first = number(network.network()) + u128::from(wide);
        let mut candidate = self.next.get(&network).copied().unwrap_or(first);
        while candidate <= last {
            let address = address(candidate, original);
            let other = self
                .networks
                .iter()
                .filter(|other| other.contains(&address) && !other.contains(&original))
                .map(|other| number(other.broadcast()))
                .max();
            match other {
                Some(end) => candidate = end.checked_add(1)?,
                None if is_anybodys(address) => candidate = candidate.checked_add(1)?,
                None => {
                    self.next.insert(network, candidate.checked_add(1)?);
                    return Some(address);
                }
            }
        }
        None
    }
}

/// Stays what it is: it says nothing about anybody.
fn is_anybodys(address: IpAddr) -> bool {
    address.is_unspecified()
        || address == IpAddr::V4(Ipv4Addr::LOCALHOST)
        || address == IpAddr::V6(Ipv6Addr::LOCALHOST)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The address of this number, of the same family as another.
fn address(number: u128, like: IpAddr) -> IpAddr {
    match (like, u32::try_from(number)) {
        (IpAddr::V4(_), Ok(number)) => Ipv4Addr::from(number).into(),
        _ => Ipv6Addr::from(number).into(),
    }
}
