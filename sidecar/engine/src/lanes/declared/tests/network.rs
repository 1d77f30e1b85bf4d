//! What is said of network, fact by fact.

use alloc::vec::Vec;

use super::check;
use crate::testing::*;
use crate::*;

#[test]
fn a_destination_needs_address_port_and_protocol_declared() {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    const ICMP: u8 = 1;
    let policy = Policy {
        connect: Vec::from([
            endpoint("10.0.0.0/8", 443..=443, Protocol::Tcp),
            endpoint("2001:db8::/32", 53..=54, Protocol::Udp),
            endpoint("192.0.2.1/32", 0..=u16::MAX, Protocol::Any),
        ]),
        ..nothing_declared()
    };
    let denied = Some(Reason::UndeclaredDestination);
    let cases = [
        (TCP, "10.1.2.3", 443, None),
        (TCP, "10.1.2.3", 444, denied),
        (UDP, "10.1.2.3", 443, denied),
        (TCP, "11.1.2.3", 443, denied),
        (UDP, "2001:db8::1", 54, None),
        (UDP, "2001:db9::1", 54, denied),
        (ICMP, "192.0.2.1", 0, None),
        (TCP, "192.0.2.1", 65_535, None),
        // d6: an IPv4 address in IPv6 clothes.
        (TCP, "::ffff:10.1.2.3", 443, None),
        (TCP, "::ffff:11.1.2.3", 443, denied),
    ];
    for (protocol, address, port, reason) in cases {
        for operation in [NetworkOperation::Connect, NetworkOperation::Send] {
            check(&policy, &[(network(operation, protocol, address, port), reason)]);
        }
    }
}

#[test]
fn a_refused_attempt_departs_as_a_success_does() {
    let address = LOOPBACK.parse().unwrap();
    let operation = NetworkOperation::Connect;
    let refused = Fact::Network { operation, protocol: 6, address, port: 1, refused: true };
    check(&declared(), &[(refused, Some(Reason::UndeclaredDestination))]);
}

#[test]
fn listening_has_rules_of_its_own_and_port_zero_needs_none() {
    let bind = |address: &str, port| network(NetworkOperation::Bind, 6, address, port);
    check(
        &declared(),
        &[
            (bind("::1", 9000), None),
            (bind("::1", 9100), Some(Reason::UndeclaredListener)),
            (bind("0.0.0.0", 9000), Some(Reason::UndeclaredListener)),
            (bind("0.0.0.0", 0), None),
            // The connect rule for this endpoint does not help.
            (bind(LOOPBACK, 8080), Some(Reason::UndeclaredListener)),
            (connect("::1", 9000), Some(Reason::UndeclaredDestination)),
        ],
    );
}

#[test]
fn a_listener_at_a_port_that_the_kernel_picked_is_judged_by_that_port_and_by_any_before_it_is_known()
 {
    let listen = |port| network(NetworkOperation::Listen, 6, LOOPBACK, port);
    let listening = |ports| Policy {
        listen: Vec::from([endpoint("127.0.0.0/8", ports, Protocol::Tcp)]),
        ..nothing_declared()
    };
    let undeclared = Some(Reason::UndeclaredListener);
    check(&declared(), &[(listen(40_000), undeclared), (listen(0), undeclared)]);
    let usual = listening(32_768..=60_999);
    check(&usual, &[(listen(40_000), None), (listen(20_000), undeclared), (listen(0), undeclared)]);
    check(&listening(0..=u16::MAX), &[(listen(40_000), None), (listen(0), None)]);
}
