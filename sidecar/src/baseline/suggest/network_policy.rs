//! A Kubernetes NetworkPolicy: the networks that were reached, and the ports that were listened on.
//!
//! Written by hand and not by a serializer, because half of it is comments: what a policy cannot say is told in the
//! place where a reader would look for it, and is in [`Suggestion::left`] besides.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use picket_engine::baseline::{Destination, Family, Meaning, meaning};

use super::{Left, Source, SuggestError, Suggestion, is_metadata};

/// The longest name and the longest value of a label.
const LONGEST: usize = 63;
const DNS: u16 = 53;
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// Labels of the pods that a policy is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector(Vec<(String, String)>);

impl Selector {
    /// `KEY=VALUE`, several separated by commas.
    ///
    /// # Errors
    /// What is wrong, and how it is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = |what: &str| {
            format!(
                "`{what}` is no label: write KEY=VALUE, such as app=weather or app.kubernetes.io/name=weather"
            )
        };
        let labels = text.split(',').map(|label| {
            let (key, value) = label.split_once('=').ok_or_else(|| refused(label))?;
            let (prefix, name) = match key.split_once('/') {
                Some((prefix, name)) => (Some(prefix), name),
                None => (None, key),
            };
            let dns = |text: &str| {
                text.len() <= 253
                    && text.split('.').all(|part| is_name(part) && !part.contains('_'))
            };
            let good = is_name(name)
                && (value.is_empty() || is_name(value))
                && prefix.is_none_or(|prefix| dns(prefix) && prefix == prefix.to_lowercase());
            good.then(|| (key.to_owned(), value.to_owned())).ok_or_else(|| refused(label))
        });
        labels.collect::<Result<_, _>>().map(Self)
    }

    /// The label that Kubernetes recommends for an application's name.
    fn of_plugin(plugin: &str) -> Self {
        Self(vec![("app.kubernetes.io/name".to_owned(), object_name(plugin))])
    }
}

/// What a label's name or value is made of.
fn is_name(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= LONGEST
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// The plugin's name as objects and labels may be called.
fn object_name(plugin: &str) -> String {
    let letters = plugin.chars().map(|letter| match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9') => letter,
        _ => '-',
    });
    let name: String = letters.take(LONGEST - "-learned".len()).collect();
    match name.trim_matches('-') {
        "" => "plugin".to_owned(),
        name => name.to_owned(),
    }
}

/// Protocol and port, and what is said beside it.
type Ports = BTreeMap<(&'static str, u16), String>;

#[derive(Default)]
struct Rules {
    egress: BTreeMap<IpNet, Ports>,
    ingress: Ports,
    /// Listened on somewhere that others could reach, whether or not the port can be told.
    listens: bool,
    left: Vec<Left>,
}

/// A policy for the pods that `selector` chooses, by default those with the plugin's name. `names` are destinations that
/// the plugin's manifest gives by name.
///
/// # Errors
/// What was reached is not known, or was forgotten.
pub fn policy(
    source: &Source<'_>,
    selector: Option<&Selector>,
    names: &BTreeSet<String>,
) -> Result<Suggestion, SuggestError> {
    let mut rules = Rules::default();
    let accepted: BTreeSet<Destination> =
        source.accepted(Family::Destination).filter_map(destination).collect();
    for (template, (seen, runs)) in source.kinds(Family::Destination)? {
        match meaning(Family::Destination, template).and_then(destination) {
            Some(one) => {
                let by_person = accepted.contains(&one);
                let remark = format!("{} in {}", times(seen, "time"), times(runs, "run"));
                rules.add(one, template, &remark, by_person);
            }
            None => rules.left.push(Left::new(template, "is not understood by this Picket")),
        }
    }
    for one in source.kinds(Family::Destination).map(|kinds| unseen(&accepted, &kinds))? {
        rules.add(one, "an accepted destination", "accepted by a person, not seen", true);
    }
    for name in names {
        let why = "the manifest's name for a destination: a policy holds addresses, which were learned, and change";
        rules.left.push(Left::new(name, why));
    }
    rules.others(source);
    rules.left.sort();
    rules.left.dedup();
    let text = rules.text(source, selector);
    Ok(Suggestion { text, left: rules.left })
}

fn destination(meaning: Meaning<'_>) -> Option<Destination> {
    match meaning {
        Meaning::Destination(destination) => Some(destination),
        _ => None,
    }
}

/// What was accepted and is not among what was learned.
fn unseen(
    accepted: &BTreeSet<Destination>,
    kinds: &BTreeMap<&str, (u64, u64)>,
) -> Vec<Destination> {
    let learned = kinds.keys().filter_map(|kind| destination(meaning(Family::Destination, kind)?));
    let learned: BTreeSet<Destination> = learned.collect();
    accepted.difference(&learned).copied().collect()
}

impl Rules {
    fn add(&mut self, one: Destination, template: &str, remark: &str, by_person: bool) {
        let Destination { operation, network, protocol, port } = one;
        let listens = operation.is_local();
        if is_loopback(network, listens) {
            self.left.push(Left::new(template, "loopback, which no NetworkPolicy ever filters"));
            return;
        }
        self.listens |= listens;
        let Some(name) = protocol_name(protocol) else {
            let why = "a protocol that no NetworkPolicy can name: only TCP, UDP and SCTP";
            self.left.push(Left::new(template, why));
            return;
        };
        let (Some(port), false) = (port, port == Some(0)) else {
            let why = "a port that is another one every time, which a NetworkPolicy cannot say; replies to what it \
                       asked there pass anyway";
            self.left.push(Left::new(template, why));
            return;
        };
        let why = match network {
            _ if by_person => None,
            _ if is_metadata(network) => Some(
                "dangerous, the cloud's metadata service with the node's credentials: accept it (picket baseline accept)",
            ),
            _ if is_group(network) => {
                Some("multicast or broadcast, which a NetworkPolicy does not speak of")
            }
            _ => None,
        };
        if let Some(why) = why {
            self.left.push(Left::new(template, why));
            return;
        }
        let ports =
            if listens { &mut self.ingress } else { self.egress.entry(network).or_default() };
        let remark = match (name, port) {
            (_, DNS) if !listens => format!("DNS; {remark}"),
            _ => remark.to_owned(),
        };
        ports.entry((name, port)).or_insert(remark);
    }

    /// What else it did that reaches out, and that no policy speaks of.
    fn others(&mut self, source: &Source<'_>) {
        let Ok(deeds) = source.kinds(Family::Deed) else {
            let why = "sockets of other kinds: the family is full, so what there was is not known";
            self.left.push(Left::new("deed", why));
            return;
        };
        for template in deeds.keys() {
            let why = match template.split(' ').next() {
                Some("socket") => "a socket of a kind that a NetworkPolicy does not speak of",
                Some("peer") => "a Unix socket, which a NetworkPolicy does not speak of",
                _ => continue,
            };
            self.left.push(Left::new(template, why));
        }
    }

    fn text(&self, source: &Source<'_>, selector: Option<&Selector>) -> String {
        let plugin = &source.entry.identity.plugin;
        let mut text = Yaml::default();
        source.heading().iter().for_each(|line| text.comment(0, line));
        for line in [
            "Addresses were learned as networks of 24 bits (IPv6: 48), and each rule lets its whole network pass.",
            "Pods and Services change their addresses: write a podSelector instead of an ipBlock for those.",
            "It is allowed what any policy that chooses the same pods allows.",
        ] {
            text.comment(0, line);
        }
        let looks_up = self.egress.values().flat_map(BTreeMap::keys).any(|(_, port)| *port == DNS);
        if !looks_up {
            text.comment(0, "No look-up of names by DNS was seen, and none is let through.");
        }
        for left in &self.left {
            text.comment(0, &format!("Seen and left out: {}: {}.", left.what, left.why));
        }
        let types = if self.listens { "[Egress, Ingress]" } else { "[Egress]" };
        text.line(0, "apiVersion: networking.k8s.io/v1");
        text.line(0, "kind: NetworkPolicy");
        text.line(0, "metadata:");
        text.line(1, &format!("name: \"{}-learned\"", object_name(plugin)));
        text.line(0, "spec:");
        text.line(1, "podSelector:");
        if selector.is_none() {
            text.comment(2, "Taken from the plugin's name; --selector KEY=VALUE says another one.");
        }
        text.line(2, "matchLabels:");
        let of_plugin = Selector::of_plugin(plugin);
        for (key, value) in &selector.unwrap_or(&of_plugin).0 {
            text.line(3, &format!("\"{key}\": \"{value}\""));
        }
        text.line(1, &format!("policyTypes: {types}"));
        match self.egress.is_empty() {
            true => text.line(1, "egress: []"),
            false => text.line(1, "egress:"),
        }
        for (network, ports) in &self.egress {
            text.line(2, "- to:");
            text.line(4, &format!("- ipBlock: {{ cidr: \"{network}\" }}"));
            text.ports(ports);
        }
        if self.listens && self.ingress.is_empty() {
            text.line(1, "ingress: []");
        } else if self.listens {
            text.line(1, "ingress:");
            text.comment(
                2,
                "Who connected is not learned: these ports are open to everybody. Add `from`.",
            );
            text.line(2, "-");
            text.ports(&self.ingress);
        }
        text.0
    }
}

/// Lines of YAML.
#[derive(Default)]
struct Yaml(String);

impl Yaml {
    fn line(&mut self, depth: usize, line: &str) {
        self.0.push_str(&"  ".repeat(depth));
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn comment(&mut self, depth: usize, line: &str) {
        self.line(depth, &format!("# {line}"));
    }

    fn ports(&mut self, ports: &Ports) {
        self.line(3, "ports:");
        for ((protocol, port), remark) in ports {
            self.line(4, &format!("- {{ protocol: {protocol}, port: {port} }}  # {remark}"));
        }
    }
}

fn times(number: u64, thing: &str) -> String {
    crate::words::count(number, thing)
}

const fn protocol_name(protocol: u8) -> Option<&'static str> {
    match protocol {
        TCP => Some("TCP"),
        UDP => Some("UDP"),
        SCTP => Some("SCTP"),
        _ => None,
    }
}

/// Within the pod: loopback, and what Linux takes for it where something is reached. The network of `::1` is that of `::`,
/// too, on which everything is listened for.
fn is_loopback(network: IpNet, listens: bool) -> bool {
    let address = network.network();
    address.is_loopback() || (address.is_unspecified() && !listens)
}

/// Multicast, or the network of the broadcast address.
fn is_group(network: IpNet) -> bool {
    match network.network() {
        IpAddr::V4(address) => address.is_multicast() || address.octets()[0] == 255,
        IpAddr::V6(address) => address.is_multicast(),
    }
}
