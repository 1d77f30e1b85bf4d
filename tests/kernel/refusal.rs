//! What the kernel refuses on its own: network use that no rule covers, where the manifest says that it is acted on.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::time::Duration;

use picket::clock;
use picket_engine::NetworkOperation::{Bind, Connect, Send};
use picket_engine::{Action, Capability, EndpointRule, Mode, Policy, Protocol};
use serde_json::{Value, json};

use super::harness::{eye, nothing_declared};
use super::raw;
use super::seen::{TCP, UDP, refused, used};

const ANY_PORT: RangeInclusive<u16> = 0..=u16::MAX;

fn rule(network: &str, ports: RangeInclusive<u16>, protocol: Protocol) -> EndpointRule {
    EndpointRule { network: network.parse().unwrap(), ports, protocol, until: None }
}

fn enforcing(connect: Vec<EndpointRule>, listen: Vec<EndpointRule>) -> Policy {
    Policy { connect, listen, mode: Mode::Enforce, ..nothing_declared() }
}

/// One use of the network: how, with which protocol (`IPPROTO_*`), of which address.
type Use = (Way, libc::c_int, SocketAddr);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Connect,
    Send,
    FastOpen,
    Bind,
}

const MPTCP: libc::c_int = libc::IPPROTO_MPTCP;
const IS_TCP: libc::c_int = libc::IPPROTO_TCP;
const IS_UDP: libc::c_int = libc::IPPROTO_UDP;

fn to(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Whether the kernel let it pass. What nobody answers has passed.
fn passes((way, protocol, address): Use) -> bool {
    let kind = if protocol == IS_UDP { libc::SOCK_DGRAM } else { libc::SOCK_STREAM };
    let socket = raw::socket(address, kind, protocol)
        .unwrap_or_else(|error| panic!("a socket of protocol {protocol}: {error}"));
    let outcome = match way {
        Way::Connect => raw::connect(&socket, address),
        Way::Send => raw::send(&socket, address, 0),
        Way::FastOpen => raw::send(&socket, address, libc::MSG_FASTOPEN),
        Way::Bind => raw::bind(&socket, address),
    };
    !outcome.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Tries each use under a policy and compares what passes.
#[track_caller]
fn check(policy: &Policy, cases: &[(Use, bool)]) {
    let sandbox = eye().watch(policy);
    let (told, seen) =
        sandbox.tell(|| Value::from_iter(cases.iter().map(|(attempt, _)| json!(passes(*attempt)))));
    let passed: Vec<bool> = serde_json::from_value(told).unwrap();
    for (((attempt, expected), passed), reported) in cases.iter().zip(passed).zip(seen.network()) {
        assert_eq!(passed, *expected, "{attempt:?}");
        assert_eq!(reported.refused, !expected, "{attempt:?}");
        assert_eq!((reported.address, reported.port), (attempt.2.ip(), attempt.2.port()));
    }
    assert_eq!(seen.network().len(), cases.len(), "each use is reported once");
}

#[test]
fn what_no_rule_covers_is_refused_whatever_the_call() {
    let cases = [
        ((Way::Connect, IS_TCP, to("127.0.0.1:4001")), false),
        ((Way::Connect, IS_TCP, to("[::1]:4001")), false),
        ((Way::Connect, IS_UDP, to("127.0.0.1:4001")), false),
        ((Way::Send, IS_UDP, to("127.0.0.1:4002")), false),
        ((Way::Send, IS_UDP, to("[::1]:4002")), false),
        ((Way::FastOpen, IS_TCP, to("127.0.0.1:4003")), false),
        ((Way::FastOpen, IS_TCP, to("[::1]:4003")), false),
        ((Way::Connect, MPTCP, to("127.0.0.1:4004")), false),
        ((Way::Bind, IS_TCP, to("127.0.0.1:4005")), false),
        ((Way::Bind, IS_UDP, to("[::1]:4005")), false),
    ];
    check(&enforcing(Vec::new(), Vec::new()), &cases);
}

#[test]
fn a_rule_covers_its_network_ports_and_protocol_and_no_more() {
    let policy = enforcing(vec![rule("127.0.0.0/30", 4000..=4001, Protocol::Tcp)], Vec::new());
    let cases = [
        ((Way::Connect, IS_TCP, to("127.0.0.1:4000")), true),
        ((Way::Connect, IS_TCP, to("127.0.0.3:4001")), true),
        ((Way::FastOpen, IS_TCP, to("127.0.0.2:4001")), true),
        ((Way::Connect, IS_TCP, to("127.0.0.1:3999")), false),
        ((Way::Connect, IS_TCP, to("127.0.0.1:4002")), false),
        ((Way::Connect, IS_TCP, to("127.0.0.4:4000")), false),
        ((Way::Connect, IS_UDP, to("127.0.0.1:4000")), false),
        ((Way::Send, IS_UDP, to("127.0.0.1:4000")), false),
        ((Way::Bind, IS_TCP, to("127.0.0.1:4000")), false),
        ((Way::Connect, IS_TCP, to("[::1]:4000")), false),
    ];
    check(&policy, &cases);
}

#[test]
fn prefixes_of_every_length_hold() {
    let policy =
        |network: &str| enforcing(vec![rule(network, ANY_PORT, Protocol::Any)], Vec::new());
    let near = (Way::Send, IS_UDP, to("127.0.0.1:4010"));
    let far = (Way::Send, IS_UDP, to("127.0.0.2:4010"));
    let v6 = (Way::Send, IS_UDP, to("[::1]:4010"));
    check(&policy("0.0.0.0/0"), &[(near, true), (far, true), (v6, false)]);
    check(&policy("127.0.0.1/32"), &[(near, true), (far, false), (v6, false)]);
    check(&policy("127.0.0.2/31"), &[(near, false), (far, true), (v6, false)]);
    check(&policy("::1/128"), &[(near, false), (far, false), (v6, true)]);
    check(&policy("::2/127"), &[(near, false), (far, false), (v6, false)]);
}

#[test]
fn a_rule_for_all_of_ipv6_is_none_for_ipv4() {
    for network in ["::/0", "::/64"] {
        let cases = [
            ((Way::Send, IS_UDP, to("[::1]:4011")), true),
            ((Way::Send, IS_UDP, to("127.0.0.1:4011")), false),
        ];
        check(&enforcing(vec![rule(network, ANY_PORT, Protocol::Any)], Vec::new()), &cases);
    }
}

#[test]
fn d8_multipath_tcp_passes_where_tcp_does() {
    let attempt = (Way::Connect, MPTCP, to("127.0.0.1:4012"));
    for (protocol, passes) in [(Protocol::Tcp, true), (Protocol::Any, true), (Protocol::Udp, false)]
    {
        let policy = enforcing(vec![rule("127.0.0.1/32", ANY_PORT, protocol)], Vec::new());
        check(&policy, &[(attempt, passes)]);
    }
}

#[test]
fn listening_has_rules_of_its_own_and_a_port_of_the_kernels_choice_needs_none() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = vec![rule("127.0.0.1/32", port..=port, Protocol::Udp)];
    let declared = SocketAddr::from(([127, 0, 0, 1], port));
    let cases = [
        ((Way::Bind, IS_UDP, declared), true),
        ((Way::Bind, IS_TCP, declared), false),
        ((Way::Bind, IS_UDP, to("127.0.0.1:0")), true),
        ((Way::Bind, IS_UDP, to("0.0.0.0:0")), true),
        ((Way::Bind, IS_UDP, SocketAddr::from(([0, 0, 0, 0], port))), false),
        ((Way::Send, IS_UDP, declared), false),
    ];
    check(&enforcing(Vec::new(), listen), &cases);
}

#[test]
fn a_grant_that_has_run_out_covers_nothing() {
    let now = clock::now();
    let attempt = (Way::Send, IS_UDP, to("127.0.0.1:4020"));
    for (until, passes) in [(now, false), (now.saturating_add(Duration::from_hours(1)), true)] {
        let rule = rule("127.0.0.1/32", ANY_PORT, Protocol::Udp);
        let policy = enforcing(vec![EndpointRule { until: Some(until), ..rule }], Vec::new());
        check(&policy, &[(attempt, passes)]);
    }
}

#[test]
fn new_rules_hold_from_the_next_attempt_on_and_everything_is_novel_again() {
    let attempt = (Way::Send, IS_UDP, to("127.0.0.1:4021"));
    let open = enforcing(vec![rule("127.0.0.1/32", ANY_PORT, Protocol::Udp)], Vec::new());
    let closed = enforcing(Vec::new(), Vec::new());
    let sandbox = eye().watch(&open);
    sandbox.act(|| assert!(passes(attempt)));
    eye().slots().replace(sandbox.id, &closed, clock::now()).unwrap();
    let seen = sandbox.act(|| assert!(!passes(attempt)));
    assert_eq!(seen.network(), [used(Send, UDP, attempt.2), refused(Send, UDP, attempt.2)]);
    eye().slots().replace(sandbox.id, &open, clock::now()).unwrap();
    sandbox.act(|| assert!(passes(attempt)));
}

#[test]
fn who_is_only_watched_or_alerted_about_is_not_disturbed() {
    let enforce = enforcing(Vec::new(), Vec::new());
    let alert = enforce.actions.with(Capability::Network, Action::Alert);
    let alert = alert.with(Capability::Listen, Action::Alert);
    for policy in [
        Policy { mode: Mode::Observe, ..enforce.clone() },
        Policy { mode: Mode::Shadow, ..enforce.clone() },
        Policy { actions: alert, ..enforce },
    ] {
        let destination = to("127.0.0.1:4022");
        let seen = eye().watch(&policy).act(|| {
            assert!(passes((Way::Connect, IS_TCP, destination)));
            assert!(passes((Way::Bind, IS_UDP, destination)));
        });
        assert_eq!(seen.network(), [used(Connect, TCP, destination), used(Bind, UDP, destination)]);
    }
}

#[test]
fn more_rules_than_the_kernel_holds_are_refused_and_not_cut() {
    let rules = vec![rule("127.0.0.1/32", ANY_PORT, Protocol::Tcp); picket_abi::MAX_NET_RULES + 1];
    let sandbox = eye().watch(&nothing_declared());
    let policy = enforcing(rules, Vec::new());
    let error = eye().slots().replace(sandbox.id, &policy, clock::now()).unwrap_err();
    assert!(error.to_string().starts_with("65 network rules"), "{error}");

    let last = enforcing(
        (0..64)
            .map(|port| rule("127.0.0.1/32", 4100 + port..=4100 + port, Protocol::Udp))
            .collect(),
        Vec::new(),
    );
    let cases = [
        ((Way::Send, IS_UDP, to("127.0.0.1:4163")), true),
        ((Way::Send, IS_UDP, to("127.0.0.1:4164")), false),
    ];
    check(&last, &cases);
}
