//! Bytes and packets of a sandbox's sockets, on loopback, where every one is ours.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Instant;

use picket_abi::Traffic;
use picket_tests::PATIENCE;

use super::actor::Actor;
use super::harness::watched;

const HEADERS_V4: u64 = 20 + 8;
const HEADERS_V6: u64 = 40 + 8;

fn bound(ip: impl Into<IpAddr>) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((ip.into(), 0)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[test]
fn every_byte_and_packet_of_a_datagram_is_counted_in_and_out() {
    for (ip, headers) in [
        (IpAddr::from(Ipv4Addr::LOCALHOST), HEADERS_V4),
        (IpAddr::from(Ipv6Addr::LOCALHOST), HEADERS_V6),
    ] {
        let watched = watched();
        let (outside, to) = bound(ip);
        // Somebody who is not of the sandbox, and answers once.
        let answering = thread::spawn(move || {
            let mut from = to;
            for _ in 0..3 {
                from = outside.recv_from(&mut [0; 1_000]).unwrap().1;
            }
            outside.send_to(&[0; 500], from).unwrap();
        });
        watched.act(|| {
            let (socket, _) = bound(ip);
            for size in [0, 1, 1_000] {
                socket.send_to(&vec![0; size], to).unwrap();
            }
            socket.recv(&mut [0; 500]).unwrap();
        });
        answering.join().unwrap();
        let expected = Traffic {
            received: 500 + headers,
            received_packets: 1,
            sent: 1_001 + 3 * headers,
            sent_packets: 3,
        };
        assert_eq!(watched.traffic(), expected, "{ip}");
    }
}

#[test]
fn a_cgroup_below_the_sandbox_counts_for_the_sandbox() {
    let watched = watched();
    let below = watched.path().join("below");
    fs::create_dir(&below).unwrap();
    let (_outside, to) = bound(Ipv4Addr::LOCALHOST);
    let mut actor = Actor::start(move || {
        let (socket, _) = bound(Ipv4Addr::LOCALHOST);
        socket.send_to(&[0; 72], to).unwrap();
        serde_json::Value::Null
    });
    fs::write(below.join("cgroup.procs"), actor.pid().to_string()).unwrap();
    actor.act();
    assert_eq!((watched.traffic().sent, watched.traffic().sent_packets), (100, 1));
}

#[test]
fn the_next_sandbox_in_a_slot_begins_at_nothing() {
    let former = watched();
    let (_outside, to) = bound(Ipv4Addr::LOCALHOST);
    former.act(|| drop(bound(Ipv4Addr::LOCALHOST).0.send_to(b"x", to)));
    let slot = former.id.slot;
    assert_eq!(former.traffic().sent_packets, 1);
    drop(former);
    // Others may be quicker, and give it back.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let next = watched();
        if next.id.slot == slot {
            return assert_eq!(next.traffic(), Traffic::default());
        }
        assert!(Instant::now() < deadline, "nobody gives slot {slot} back");
    }
}

#[test]
fn a_connection_counts_what_it_carries_both_ways_and_some_for_its_headers() {
    const CARRIED: usize = 1 << 20;
    let watched = watched();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let to = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut carried = vec![0; CARRIED];
        stream.read_exact(&mut carried).unwrap();
        stream.write_all(&carried[..1_000]).unwrap();
    });
    watched.act(move || {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.write_all(&vec![0; CARRIED]).unwrap();
        stream.read_exact(&mut [0; 1_000]).unwrap();
    });
    server.join().unwrap();
    let traffic = watched.traffic();
    let carried = CARRIED as u64;
    assert!((carried..carried + carried / 10).contains(&traffic.sent), "{traffic:?}");
    assert!((1_000..carried / 10).contains(&traffic.received), "{traffic:?}");
}
