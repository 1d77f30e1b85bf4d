//! Destinations and listening addresses.

use std::{
    net::{IpAddr, Ipv6Addr},
    ops::RangeInclusive,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use picket_engine::{ArgPattern, Protocol, SocketClass};

use super::super::{
    declared::{Endpoint, Host},
    schema,
};
use crate::document::{At, Faults, Fix, Once, Text, values};

const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

pub(super) fn connect(written: &[At<schema::Connect>], faults: &mut Faults) -> Vec<Endpoint> {
    let mut once = Once::new();
    let mut endpoints = Vec::new();
    for At { value: entry, position } in written {
        let host = faults.take(entry.to.position, host(&entry.to.value));
        let ports = faults.take(entry.port.position, values::ports(&entry.port.value));
        let protocol = protocol(entry.protocol.as_ref(), faults);
        let until = faults.until(entry.expires.as_ref());
        let (Some(host), Some(ports)) = (host, ports) else {
            continue;
        };
        once.declare(key(&host, &ports, protocol), "this destination", *position, faults);
        endpoints.push(Endpoint { host: entry.to.with(host), ports, protocol, until });
    }
    endpoints
}

pub(super) fn listen(written: &[At<schema::Listen>], faults: &mut Faults) -> Vec<Endpoint> {
    let mut once = Once::new();
    let mut endpoints = Vec::new();
    for At { value: entry, position } in written {
        let host = faults.take(entry.address.position, local(&entry.address.value));
        let ports = faults.take(entry.port.position, values::ports(&entry.port.value));
        let protocol = protocol(entry.protocol.as_ref(), faults);
        let until = faults.until(entry.expires.as_ref());
        let (Some(host), Some(ports)) = (host, ports) else {
            continue;
        };
        once.declare(key(&host, &ports, protocol), "this address", *position, faults);
        endpoints.push(Endpoint { host: entry.address.with(host), ports, protocol, until });
    }
    endpoints
}

pub(super) fn sockets(written: &[Text], faults: &mut Faults) -> Vec<At<SocketClass>> {
    let known: Vec<_> = names().map(|class| (class.as_str(), Some(class))).collect();
    let mut once = Once::new();
    let mut classes = Vec::new();
    for text in written {
        if matches!(text.value.as_str(), "tcp" | "udp" | "unix" | "inet" | "inet6") {
            faults.add(
                text.position,
                format!("`{}` needs no declaration here", text.value),
                "remove it: sockets of TCP, UDP and Unix are judged by where they go",
            );
            continue;
        }
        let Some(class) = faults.word("a kind of socket", Some(text), &known, None) else {
            continue;
        };
        once.declare(class, &format!("`{class}`"), text.position, faults);
        classes.push(text.with(class));
    }
    classes
}

/// Unix sockets by abstract name, written as `ss` and others show it.
pub(super) fn unix(written: &[Text], faults: &mut Faults) -> Vec<At<ArgPattern>> {
    const FILE: &str = "a socket with a file is one that may be written: put its path under `files.write`; an abstract \
                        name begins with @";
    let mut once = Once::new();
    let mut names = Vec::new();
    for text in written {
        let wrong = |hint| Fix::new(format!("`{}` is no abstract name", text.value), hint);
        let name = match text.value.strip_prefix('@') {
            None => Err(wrong(FILE)),
            Some("") => {
                Err(wrong("a nameless socket cannot be declared; write the name after the @"))
            }
            Some(name) => ArgPattern::parse(name).map_err(|error| wrong(error.why.as_str())),
        };
        if let Some(name) = faults.take(text.position, name) {
            once.declare(text.value.clone(), &format!("`{}`", text.value), text.position, faults);
            names.push(text.with(name));
        }
    }
    names
}

/// The kinds that a manifest can name.
pub(in crate::manifest) fn names() -> impl Iterator<Item = SocketClass> {
    SocketClass::ALL.iter().copied().filter(|class| *class != SocketClass::Unnamed)
}

/// TCP unless said otherwise: the narrower reading.
fn protocol(text: Option<&Text>, faults: &mut Faults) -> Protocol {
    let known: Vec<_> = Protocol::ALL.iter().map(|&known| (known.as_str(), known)).collect();
    faults.word("a protocol", text, &known, Protocol::Tcp)
}

fn key(host: &Host, ports: &RangeInclusive<u16>, protocol: Protocol) -> String {
    let host = match host {
        Host::Network(network) => network.to_string(),
        Host::Name(name) => name.to_lowercase(),
    };
    format!("{host} {ports:?} {protocol}")
}

fn local(text: &str) -> Result<Host, Fix> {
    match host(text)? {
        Host::Name(name) => Err(Fix::new(
            format!("`{name}` is a name; a plugin listens on an address"),
            "write the address, such as 127.0.0.1, or 0.0.0.0 for all interfaces",
        )),
        network @ Host::Network(_) => Ok(network),
    }
}

/// A network, an address or a host name.
fn host(text: &str) -> Result<Host, Fix> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Host::Network(plain(IpNet::from(address))?));
    }
    if let Some(hint) = misplaced(text) {
        return Err(Fix::new(format!("`{text}` is not a network, address or host name"), hint));
    }
    if let Some((address, prefix)) = text.split_once('/') {
        return network(text, address, prefix).map(Host::Network);
    }
    let numbers = text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b':'));
    if !text.is_empty() && numbers || text.contains("::") {
        return Err(Fix::new(
            format!("`{text}` is not an IP address"),
            "write four numbers from 0 to 255 without leading zeros, or an IPv6 address",
        ));
    }
    name(text).map(Host::Name)
}

/// Notations from elsewhere, each with the way to say it here.
fn misplaced(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        return Some(format!(
            "leave out scheme and path: `to: {host}`, and give the port by `port`"
        ));
    }
    if matches!(text, "*" | "any" | "all") {
        return Some("everywhere is two networks: 0.0.0.0/0 and ::/0".to_owned());
    }
    if text.contains('*') {
        return Some("a name with * has no addresses: list the names, or their network".to_owned());
    }
    if let Some((address, _)) = text.split_once('%') {
        return Some(format!("leave out the interface: {address}"));
    }
    if let Some(inner) = text.strip_prefix('[') {
        let address = inner.split(']').next().unwrap_or_default();
        return Some(format!("leave out the brackets: \"{address}\", and give the port by `port`"));
    }
    if let Some((host, port)) = text.split_once(':')
        && !port.contains(':')
    {
        return Some(format!("give the port by its own key: `to: {host}, port: {port}`"));
    }
    None
}

fn network(text: &str, address: &str, prefix: &str) -> Result<IpNet, Fix> {
    let wrong =
        |why: &str, hint: String| Err(Fix::new(format!("`{text}` is not a network: {why}"), hint));
    let Ok(address) = address.parse::<IpAddr>() else {
        let hint = "write an address and a prefix length, such as 10.0.0.0/8 or fd00::/8";
        return wrong(&format!("`{address}` is not an IP address"), hint.to_owned());
    };
    let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
    if let Ok(mask) = prefix.parse()
        && let Ok(prefix) = ipnet::ip_mask_to_prefix(mask)
        && address.is_ipv4() == mask.is_ipv4()
    {
        return wrong("a prefix length belongs here, no mask", format!("write {address}/{prefix}"));
    }
    let digits = !prefix.is_empty() && prefix.bytes().all(|c| c.is_ascii_digit());
    let Some(prefix) = prefix.parse().ok().filter(|&prefix| digits && prefix <= longest) else {
        let hint = format!("write {address}/{longest} for this address alone, or a shorter prefix");
        return wrong(&format!("its prefix length is not a number up to {longest}"), hint);
    };
    let Ok(network) = IpNet::new(address, prefix) else {
        return wrong("its prefix is too long", format!("write {address}/{longest}"));
    };
    let whole = network.trunc();
    if whole != network {
        let hint = format!("write it as {whole}, or as {address}/{longest} for this address alone");
        return wrong(&format!("{address} lies inside {whole}"), hint);
    }
    plain(network)
}

/// Picket judges an IPv4-mapped address as the IPv4 address it is, so a rule in the mapped form
/// would never match.
fn plain(network: IpNet) -> Result<IpNet, Fix> {
    const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
    match network {
        IpNet::V6(inner) if MAPPED.contains(&inner) => {
            let [.., a, b, c, d] = inner.addr().octets();
            let plain = Ipv4Net::new([a, b, c, d].into(), inner.prefix_len() - MAPPED.prefix_len())
                .expect("a prefix of at most 128, less 96, is at most 32");
            Err(Fix::new(
                format!("`{network}` is an IPv4 network in IPv6 spelling"),
                format!("write it as {plain}"),
            ))
        }
        _ => Ok(network),
    }
}

fn name(text: &str) -> Result<String, Fix> {
    let label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
    };
    let bare = text.strip_suffix('.').unwrap_or(text);
    if bare.len() <= MAX_NAME && bare.split('.').all(label) {
        return Ok(bare.to_owned());
    }
    Err(Fix::new(
        format!("`{text}` is not a network, address or host name"),
        "write 10.0.0.0/8, 10.1.2.3, fd00::/8 or api.example.com",
    ))
}
