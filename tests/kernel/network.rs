//! A destination or local address is reported once, whichever call used it and however it is written.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use picket_engine::NetworkOperation::{Bind, Connect, Listen, Send};
use serde_json::json;

use super::harness::{nothing_declared, watched};
use super::raw;
use super::seen::{TCP, UDP, used};

/// Somebody on loopback who takes connections.
fn server(ip: impl Into<std::net::IpAddr>) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((ip.into(), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Somebody on loopback who takes datagrams.
fn sink(ip: impl Into<std::net::IpAddr>) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((ip.into(), 0)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// The same IPv4 address as an IPv6 socket writes it.
fn mapped(address: SocketAddr) -> SocketAddr {
    let SocketAddr::V4(v4) = address else { panic!("{address} is no IPv4 address") };
    SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port()))
}

#[test]
fn d1_a_connection_is_reported_once_in_either_family() {
    for (_server, to) in [server(Ipv4Addr::LOCALHOST), server(Ipv6Addr::LOCALHOST)] {
        let seen = watched().act(|| {
            drop(TcpStream::connect(to).unwrap());
            drop(TcpStream::connect(to).unwrap());
        });
        assert_eq!(seen.network(), [used(Connect, TCP, to)]);
        assert_eq!(seen.counts["connect"].aggregated, 1);
    }
}

#[test]
fn d2_a_datagram_sent_without_a_connection_is_reported() {
    for (_sink, to) in [sink(Ipv4Addr::LOCALHOST), sink(Ipv6Addr::LOCALHOST)] {
        let seen = watched().act(|| {
            let socket = raw::socket(to, libc::SOCK_DGRAM, 0).unwrap();
            raw::send(&socket, to, 0).unwrap();
        });
        assert_eq!(seen.network(), [used(Send, UDP, to)]);
    }
}

#[test]
fn d2_a_connected_datagram_socket_is_reported_by_its_connection() {
    let (_sink, to) = sink(Ipv4Addr::LOCALHOST);
    let seen = watched().act(|| {
        let socket = raw::socket(to, libc::SOCK_DGRAM, 0).unwrap();
        raw::connect(&socket, to).unwrap();
        raw::send_connected(&socket).unwrap();
    });
    assert_eq!(seen.network(), [used(Connect, UDP, to)]);
}

#[test]
fn d3_every_datagram_of_a_batch_is_counted() {
    let (_sink, to) = sink(Ipv4Addr::LOCALHOST);
    let seen = watched().act(|| {
        let socket = raw::socket(to, libc::SOCK_DGRAM, 0).unwrap();
        raw::send_batch(&socket, to, 2).unwrap();
    });
    assert_eq!(seen.network(), [used(Send, UDP, to)]);
    assert_eq!(seen.counts["send"].fired, 2);
}

#[test]
fn d4_fast_open_is_judged_as_a_connect() {
    for (_server, to) in [server(Ipv4Addr::LOCALHOST), server(Ipv6Addr::LOCALHOST)] {
        let seen = watched().act(|| {
            let socket = raw::socket(to, libc::SOCK_STREAM, 0).unwrap();
            raw::send(&socket, to, libc::MSG_FASTOPEN).unwrap();
        });
        assert_eq!(seen.network(), [used(Connect, TCP, to)]);
    }
}

#[test]
fn d5_a_connect_that_is_put_off_until_the_first_write_is_reported() {
    let (_server, to) = server(Ipv4Addr::LOCALHOST);
    let seen = watched().act(|| {
        let socket = raw::socket(to, libc::SOCK_STREAM, 0).unwrap();
        raw::put_off_connect(&socket).unwrap();
        raw::connect(&socket, to).unwrap();
    });
    assert_eq!(seen.network(), [used(Connect, TCP, to)]);
}

#[test]
fn d6_an_ipv4_connection_of_an_ipv6_socket_is_reported_as_ipv4() {
    let (_server, to) = server(Ipv4Addr::LOCALHOST);
    let seen = watched().act(|| drop(TcpStream::connect(mapped(to)).unwrap()));
    assert_eq!(seen.network(), [used(Connect, TCP, to)]);
}

#[test]
fn d7_an_ipv4_datagram_of_an_ipv6_socket_is_reported_as_ipv4() {
    let (_sink, to) = sink(Ipv4Addr::LOCALHOST);
    let seen = watched().act(|| {
        let socket = raw::socket(mapped(to), libc::SOCK_DGRAM, 0).unwrap();
        raw::send(&socket, mapped(to), 0).unwrap();
    });
    assert_eq!(seen.network(), [used(Send, UDP, to)]);
}

#[test]
fn d8_multipath_tcp_is_reported_as_tcp() {
    let (_server, to) = server(Ipv4Addr::LOCALHOST);
    let seen = watched().act(|| {
        let socket = raw::socket(to, libc::SOCK_STREAM, libc::IPPROTO_MPTCP).unwrap();
        raw::connect(&socket, to).unwrap();
    });
    assert_eq!(seen.network(), [used(Connect, TCP, to)]);
}

#[test]
fn d14_a_bind_is_reported_with_the_port_that_was_asked_for() {
    for address in
        [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))]
    {
        // A port that is free for the moment.
        let port = UdpSocket::bind(address).unwrap().local_addr().unwrap().port();
        let at = SocketAddr::new(address.ip(), port);
        let seen = watched().act(|| {
            let socket = raw::socket(at, libc::SOCK_DGRAM, 0).unwrap();
            raw::bind(&socket, at).unwrap();
            let socket = raw::socket(at, libc::SOCK_STREAM, 0).unwrap();
            raw::bind(&socket, address).unwrap();
        });
        assert_eq!(seen.network(), [used(Bind, UDP, at), used(Bind, TCP, address)]);
    }
}

#[test]
fn d14_listening_at_a_port_that_the_kernel_picked_is_reported_with_that_port() {
    for any in
        [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))]
    {
        let (told, seen) =
            watched().tell(|| json!(TcpListener::bind(any).unwrap().local_addr().unwrap().port()));
        let picked = SocketAddr::new(any.ip(), told.as_u64().unwrap().try_into().unwrap());
        let mut network = seen.network();
        network.sort_by_key(|used| used.port);
        assert_eq!(network, [used(Bind, TCP, any), used(Listen, TCP, picked)]);
        seen.assert_found(&nothing_declared(), "listen undeclared_listener");
    }
}

#[test]
fn d14_listening_without_a_bind_is_reported_before_there_is_a_port() {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let seen = watched().act(|| {
        let socket = raw::socket(any, libc::SOCK_STREAM, 0).unwrap();
        raw::listen(&socket).unwrap();
    });
    assert_eq!(seen.network(), [used(Listen, TCP, any)]);
    seen.assert_found(&nothing_declared(), "listen undeclared_listener");
}

#[test]
fn d14_what_was_judged_at_its_bind_is_only_counted_when_it_listens() {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let at = TcpListener::bind(any).unwrap().local_addr().unwrap();
    let seen = watched().act(|| {
        let socket = raw::socket(at, libc::SOCK_STREAM, 0).unwrap();
        raw::bind(&socket, at).unwrap();
        raw::listen(&socket).unwrap();
    });
    assert_eq!(seen.network(), [used(Bind, TCP, at)]);
    assert_eq!(seen.counts["bind"].fired, 2);
}

#[test]
fn states_other_than_listening_are_not_reported() {
    let seen = watched().act(|| {
        let (_server, to) = server(Ipv4Addr::LOCALHOST);
        drop(TcpStream::connect(to).unwrap());
    });
    let listened = seen.network().iter().filter(|used| used.operation == Listen).count();
    assert_eq!(listened, 1);
}

#[test]
fn a_connection_that_nobody_takes_is_reported_all_the_same() {
    // Free since the listener is gone.
    let (_, to) = server(Ipv4Addr::LOCALHOST);
    let seen = watched().act(|| drop(TcpStream::connect(to).unwrap_err()));
    assert_eq!(seen.network(), [used(Connect, TCP, to)]);
}

#[test]
fn addresses_that_differ_in_anything_are_reported_each() {
    let (_first, first) = sink(Ipv4Addr::LOCALHOST);
    let (_second, second) = sink(Ipv4Addr::LOCALHOST);
    let other = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), first.port()));
    let seen = watched().act(|| {
        for to in [first, second, other] {
            let socket = raw::socket(to, libc::SOCK_DGRAM, 0).unwrap();
            raw::send(&socket, to, 0).unwrap();
            raw::connect(&socket, to).unwrap();
        }
    });
    let expected: Vec<_> = [first, second, other]
        .into_iter()
        .flat_map(|to| [used(Send, UDP, to), used(Connect, UDP, to)])
        .collect();
    assert_eq!(seen.network(), expected);
}
