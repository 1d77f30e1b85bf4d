//! Sockets whose peers no hook judges: their kind is judged when they are asked for.

use picket_engine::{Fact, Mode, Policy, SocketClass, SocketSet};

use super::harness::{eye, nothing_declared, watched};
use super::raw;
use super::seen::Seen;

const STREAM: u64 = 1;
const DGRAM: u64 = 2;
const RAW: u64 = 3;
const INET: u64 = 2;
const NETLINK: u64 = 16;
const UDP_LITE: u64 = 136;

impl Seen {
    /// Family, type, protocol of each report, and whether the kernel had refused it.
    fn sockets(&self) -> Vec<(u64, u64, u64, bool)> {
        self.facts(|record| match record.fact {
            Fact::Socket { family, socket_type, protocol, refused } => {
                Some((family.into(), socket_type.into(), protocol.into(), refused))
            }
            _ => None,
        })
    }
}

fn socket(family: u64, socket_type: u64, protocol: u64) -> Option<i32> {
    let made = raw::call_with(libc::SYS_socket, [family, socket_type, protocol, 0, 0, 0]);
    made.err().and_then(|error| error.raw_os_error())
}

fn enforcing(sockets: SocketSet) -> Policy {
    Policy { mode: Mode::Enforce, sockets, ..nothing_declared() }
}

/// One socket is asked for, reported once, and is a finding.
#[track_caller]
fn check(family: u64, socket_type: u64, protocol: u64) {
    // The flags beside the type are none of its kind.
    let flags = u64::from((libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK).cast_unsigned());
    let seen = watched().act(|| {
        socket(family, socket_type | flags, protocol);
        socket(family, socket_type, protocol);
    });
    assert_eq!(seen.sockets(), [(family, socket_type, protocol, false)]);
    seen.assert_found(&nothing_declared(), "network undeclared_socket");
}

#[test]
fn d9_a_raw_socket_is_a_finding() {
    check(INET, RAW, 1);
    check(10, RAW, 58);
}

#[test]
fn d9_a_raw_socket_is_refused_where_the_plugin_is_held_to_its_manifest() {
    let seen = eye().watch(&enforcing(SocketSet::EMPTY)).act(|| {
        assert_eq!(socket(INET, RAW, 1), Some(libc::EPERM));
        assert_eq!(socket(INET, DGRAM, UDP_LITE), Some(libc::EPERM));
        assert_eq!(socket(INET, STREAM, 0), None);
    });
    assert!(seen.sockets().contains(&(INET, RAW, 1, true)), "{:?}", seen.sockets());
    let findings = seen.findings(&enforcing(SocketSet::EMPTY));
    let sockets = findings.iter().filter(|finding| finding.ends_with("undeclared_socket")).count();
    // Asked for and refused is one finding for each.
    assert_eq!(sockets, 2, "{findings:?}");
}

#[test]
fn d9_a_declared_raw_socket_is_given_and_reported_once() {
    let policy = enforcing(SocketSet::EMPTY.with(SocketClass::Raw));
    let seen =
        eye().watch(&policy).act(|| (0..3).for_each(|_| assert_eq!(socket(INET, RAW, 1), None)));
    assert_eq!(seen.sockets(), [(INET, RAW, 1, false)]);
    seen.assert_no(&policy, "undeclared_socket");
}

#[test]
fn d10_a_packet_socket_is_a_finding() {
    check(17, RAW, 0);
    check(17, DGRAM, 0);
}

#[test]
fn d11_a_netlink_socket_is_a_finding_unless_declared() {
    check(NETLINK, RAW, 0);
    let policy = enforcing(SocketSet::EMPTY.with(SocketClass::Netlink));
    let seen = eye().watch(&policy).act(|| assert_eq!(socket(NETLINK, RAW, 0), None));
    seen.assert_no(&policy, "undeclared_socket");
}

#[test]
fn d12_a_vsock_is_a_finding_also_where_the_kernel_has_none() {
    check(40, STREAM, 0);
}

#[test]
fn other_families_and_transports_are_findings() {
    // Ciphers of the kernel, SCTP, UDP-Lite, and a family that nobody has heard of.
    check(38, 5, 0);
    check(INET, STREAM, 132);
    check(INET, DGRAM, UDP_LITE);
}

#[test]
fn tcp_udp_and_unix_sockets_are_no_deed_of_their_own() {
    let seen = watched().act(|| {
        for (family, socket_type) in [(INET, STREAM), (10, DGRAM), (1, STREAM)] {
            assert_eq!(socket(family, socket_type, 0), None);
        }
        assert_eq!(socket(INET, STREAM, 262).unwrap_or(0), 0);
    });
    assert_eq!(seen.sockets(), []);
    assert_eq!(seen.counts["socket"].fired, 0);
}

#[test]
fn a_harmless_socket_does_not_hide_the_one_that_follows() {
    let seen = watched().act(|| {
        socket(INET, STREAM, 0);
        socket(NETLINK, RAW, 0);
        socket(40, STREAM, 0);
    });
    assert_eq!(seen.times(libc::SYS_socket), 1);
    assert_eq!(seen.sockets(), [(NETLINK, RAW, 0, false), (40, STREAM, 0, false)]);
}
