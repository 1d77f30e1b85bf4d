use std::net::{IpAddr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn endpoint(network: &str, protocol: Protocol) -> EndpointRule {
    EndpointRule { network: network.parse().unwrap(), ports: 80..=90, protocol, until: None }
}

/// What the kernel program does with a rule and an address.
fn covers(rule: &NetRule, address: IpAddr) -> bool {
    let mapped: Ipv6Addr = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let there = words(mapped.octets());
    let family = if mapped.to_ipv4_mapped().is_some() { 4 } else { 6 };
    family == rule.family
        && (0..4).all(|word| (rule.network[word] ^ there[word]) & rule.mask[word] == 0)
}

#[test]
fn a_rule_keeps_its_ports_and_protocol() {
    let rule = rule_of(&endpoint("10.0.0.0/8", Protocol::Udp), rule_operation::LISTEN);
    assert_eq!((rule.port_low, rule.port_high, rule.protocol), (80, 90, 17));
    assert_eq!(rule.operation, rule_operation::LISTEN);
}

#[test]
fn every_ipv4_address_is_not_every_ipv6_address() {
    let all_v4 = rule_of(&endpoint("0.0.0.0/0", Protocol::Any), rule_operation::CONNECT);
    assert!(covers(&all_v4, IpAddr::from([203, 0, 113, 9])));
    assert!(!covers(&all_v4, IpAddr::from(Ipv6Addr::LOCALHOST)));
    let all = rule_of(&endpoint("::/0", Protocol::Any), rule_operation::CONNECT);
    assert!(covers(&all, IpAddr::from(Ipv6Addr::LOCALHOST)));
    assert!(!covers(&all, IpAddr::from([203, 0, 113, 9])));
}

#[test]
fn a_grant_that_has_run_out_is_not_given_to_the_kernel() {
    let now = KernelTime::from_nanos(1_000);
    let rule = EndpointRule { until: Some(now), ..endpoint("10.0.0.0/8", Protocol::Tcp) };
    let policy = Policy { connect: vec![rule], ..Policy::nothing_declared() };
    assert_eq!(rules(&policy, now).unwrap().1, 0);
    assert_eq!(rules(&policy, KernelTime::from_nanos(999)).unwrap().1, 1);
}

#[test]
fn more_rules_than_a_bank_holds_are_refused_with_a_way_out() {
    let connect = vec![endpoint("10.0.0.0/8", Protocol::Tcp); MAX_NET_RULES + 1];
    let policy = Policy { connect, ..Policy::nothing_declared() };
    let error = rules(&policy, KernelTime::BOOT).unwrap_err().to_string();
    assert!(error.contains("65 network rules") && error.contains("merge them"), "{error}");
}

#[test]
fn kernel_and_engine_agree_on_every_kind_of_socket() {
    let all = SocketClass::ALL.iter().fold(SocketSet::EMPTY, |set, class| set.with(*class));
    assert_eq!(sockets(SocketSet::EMPTY), socket_class::PLAIN);
    for family in 0..70 {
        for socket_type in 0..16 {
            for protocol in (0..300).chain([u32::MAX]) {
                let bit = 1_u64 << socket_class::of(family, socket_type, protocol);
                let class = SocketClass::of(family, socket_type, protocol);
                let declared = class.is_none_or(|class| all.contains(class));
                assert_eq!(sockets(all) & bit != 0, declared, "{family} {socket_type} {protocol}");
                let plain = socket_class::PLAIN & bit != 0;
                assert_eq!(plain, class.is_none(), "{family} {socket_type} {protocol}");
                if let Some(class) = class.filter(|class| *class != SocketClass::Unnamed) {
                    let alone = sockets(SocketSet::EMPTY.with(class)) & !socket_class::PLAIN;
                    assert_eq!(alone, bit, "{class}");
                }
            }
        }
    }
}

#[test]
fn calls_are_looked_at_by_argument_where_nothing_else_sees_what_they_do() {
    let policy = Policy { syscalls: DANGER, ..Policy::nothing_declared() };
    let numbers =
        |tier| SyscallSet::from_words(looked_at(&policy, tier)).numbers().collect::<Vec<_>>();
    assert_eq!(numbers(Tier::Lsm), [56]);
    assert_eq!(numbers(Tier::Trace), [9, 10, 30, 41, 53, 56, 329]);
}

proptest! {
    #[test]
    fn the_kernels_mask_covers_exactly_the_declared_network(
        base: [u8; 4], prefix in 0_u8..=32, probe: [u8; 4],
    ) {
        let network = IpNet::new(IpAddr::from(base), prefix).unwrap();
        let rule = EndpointRule { network, ..endpoint("::/0", Protocol::Any) };
        let rule = rule_of(&rule, rule_operation::CONNECT);
        prop_assert_eq!(covers(&rule, IpAddr::from(probe)), network.contains(&IpAddr::from(probe)));
    }

    #[test]
    fn the_same_holds_for_ipv6(base: [u16; 8], prefix in 0_u8..=128, probe: [u16; 8], near: bool) {
        let network = IpNet::new(IpAddr::from(base), prefix).unwrap();
        let probe = IpAddr::from(if near { base } else { probe });
        let rule = EndpointRule { network, ..endpoint("::/0", Protocol::Any) };
        let rule = rule_of(&rule, rule_operation::CONNECT);
        // An IPv4 address that came in IPv6 clothes is an IPv4 address.
        let expected = network.contains(&probe) && probe.to_canonical() == probe;
        prop_assert_eq!(covers(&rule, probe), expected);
    }
}
