//! What else a plugin may try: objects of the kernel's, a burst of processes, clocks, another sentry's gaps.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use picket::clock;
use picket_engine::NetworkOperation::{Connect, Send};
use serde_json::json;

use super::harness::watched;
use super::raw;
use super::seen::{TCP, UDP, used};

#[test]
fn f5_each_try_to_reach_the_kernels_bpf_objects_is_reported() {
    const BPF_MAP_GET_FD_BY_ID: u64 = 14;
    let seen = watched().act(|| {
        // Without memory to read from, so that nothing is reached where the call is allowed.
        (0..3).for_each(|_| drop(raw::call(libc::SYS_bpf, BPF_MAP_GET_FD_BY_ID, 0).unwrap_err()));
    });
    assert_eq!(seen.times(libc::SYS_bpf), 3);
}

#[test]
fn f8_every_process_of_a_burst_is_reported() {
    const PROCESSES: usize = 300;
    let seen = watched().act(|| {
        for _ in 0..PROCESSES {
            raw::clone_process(0, None).unwrap();
        }
    });
    assert_eq!((seen.forks().len(), seen.exits().len()), (PROCESSES, PROCESSES));
    assert_eq!(seen.departures(), []);
}

#[test]
fn f11_a_record_carries_the_time_since_boot_which_nobody_can_set() {
    let before = clock::now();
    let seen = watched().act(|| {
        raw::call(libc::SYS_getppid, 0, 0).unwrap();
    });
    let after = clock::now();
    assert!(!seen.records.is_empty());
    for record in &seen.records {
        assert!((before..=after).contains(&record.order.time), "{record:?}");
    }
}

#[test]
fn d16_what_passes_landlocks_network_rules_is_reported() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let to = server.local_addr().unwrap();
    let sink = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let datagrams_to = sink.local_addr().unwrap();
    let (passed, seen) = watched().tell(|| {
        // Before Linux 6.7 Landlock has no network rules, so nothing is there to be passed by.
        if raw::landlock_without_connections().is_ok() {
            let plain = raw::socket(to, libc::SOCK_STREAM, 0).unwrap();
            let refusal = raw::connect(&plain, to).unwrap_err();
            assert_eq!(refusal.raw_os_error(), Some(libc::EACCES));
        }
        let fast = raw::socket(to, libc::SOCK_STREAM, 0).unwrap();
        // A kernel that has closed this gap refuses it before our hook.
        let passed = raw::send(&fast, to, libc::MSG_FASTOPEN).is_ok();
        let datagram = raw::socket(datagrams_to, libc::SOCK_DGRAM, 0).unwrap();
        raw::send(&datagram, datagrams_to, 0).unwrap();
        json!(passed)
    });
    let fast = (passed == json!(true)).then(|| used(Connect, TCP, to));
    let expected: Vec<_> = fast.into_iter().chain([used(Send, UDP, datagrams_to)]).collect();
    assert_eq!(seen.network(), expected);
}
