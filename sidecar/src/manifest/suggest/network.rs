//! Where it connected and listened: addresses as they were seen, never a network around them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::RangeInclusive,
};

use super::{
    lines::{self, List},
    seen::{Endpoint, Evidence, Picked, Seen},
};

/// Ports that Linux gives out by itself, unless told otherwise (`net.ipv4.ip_local_port_range`).
pub(super) const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;
pub(super) const TCP: u8 = 6;
const UDP: u8 = 17;

/// The lists under `network`, and the endpoints that are not granted.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) connect: List,
    pub(super) listen: List,
    pub(super) left: BTreeSet<Endpoint>,
}

pub(super) fn network(seen: &Seen) -> Network {
    let mut found = Network::default();
    let own_port = !seen.picked.is_empty()
        || seen.endpoints.keys().any(|endpoint| endpoint.listen && endpoint.port == 0);
    let mut ports: BTreeMap<(bool, IpAddr, &str), BTreeMap<u16, &Evidence>> = BTreeMap::new();
    let mut moving: BTreeMap<(IpAddr, &str), &Evidence> = BTreeMap::new();
    for (endpoint, evidence) in &seen.endpoints {
        let Endpoint { listen, address, protocol, port } = *endpoint;
        if listen && port == 0 {
            continue;
        }
        let list = if listen { &mut found.listen } else { &mut found.connect };
        let key = if listen { "address" } else { "to" };
        let leave = |list: &mut List, port: &str, protocol: &str, why: &str| {
            let value = entry(key, address, port, protocol);
            list.leave(value, why, evidence);
        };
        let name = match protocol {
            TCP => "tcp",
            UDP => "udp",
            _ => {
                let why = format!("protocol {protocol}, which only `any` covers");
                leave(list, "any", "any", &why);
                found.left.insert(*endpoint);
                continue;
            }
        };
        if port == 0 {
            leave(list, "any", name, "port 0, which only `any` covers");
            found.left.insert(*endpoint);
            continue;
        }
        let ephemeral = EPHEMERAL.contains(&port);
        if !listen && own_port && ephemeral && address.is_loopback() {
            let known = moving.entry((address, name)).or_insert(evidence);
            *known = evidence.min(known);
        } else {
            ports.entry((listen, address, name)).or_default().insert(port, evidence);
        }
    }
    for ((listen, address, protocol), ports) in ports {
        let list = if listen { &mut found.listen } else { &mut found.connect };
        let key = if listen { "address" } else { "to" };
        for (first, last, evidence) in ranges(&ports) {
            let port = if first == last { first.to_string() } else { format!("{first}-{last}") };
            list.grant(entry(key, address, &port, protocol), lines::first(evidence));
        }
    }
    let usual = format!("{}-{}", EPHEMERAL.start(), EPHEMERAL.end());
    for ((address, protocol), evidence) in moving {
        let remark = "a port that the kernel picked: it bound port 0 itself";
        let remark = format!("{remark}; {}", lines::first(evidence));
        found.connect.grant(entry("to", address, &usual, protocol), remark);
    }
    for (Picked { address, usual: is_usual }, evidence) in &seen.picked {
        let port = if *is_usual { &usual } else { "any" };
        let remark = format!("a port that the kernel picked; {}", lines::first(evidence));
        found.listen.grant(entry("address", *address, port, "tcp"), remark);
    }
    found
}

/// An endpoint as an entry of its list.
pub(in super::super) fn entry(key: &str, address: IpAddr, port: &str, protocol: &str) -> String {
    let address = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"{address}\""),
    };
    let protocol = if protocol == "tcp" { "" } else { &format!(", protocol: {protocol}") };
    format!("{{ {key}: {address}, port: {port}{protocol} }}")
}

/// Ports without a gap between them are one range.
fn ranges<'a>(ports: &BTreeMap<u16, &'a Evidence>) -> Vec<(u16, u16, &'a Evidence)> {
    let mut ranges: Vec<(u16, u16, &Evidence)> = Vec::new();
    for (&port, &evidence) in ports {
        match ranges.last_mut() {
            Some((_, last, first)) if last.checked_add(1) == Some(port) => {
                *last = port;
                *first = evidence.min(first);
            }
            _ => ranges.push((port, port, evidence)),
        }
    }
    ranges
}
