//! What else a plugin may try: objects of the kernel's, a burst of processes, clocks, another sentry's gaps.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use picket::clock;
use picket_engine::{
    Fact,
    NetworkOperation::{Connect, Send},
};
use serde_json::json;

use super::harness::watched;
use super::place::Place;
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

#[test]
fn f10_a_process_number_that_is_used_again_is_another_process() {
    let (number, seen) = watched().tell(|| {
        let number = raw::clone_process(0, None).unwrap();
        assert_eq!(raw::clone_with_number(number).unwrap(), number);
        json!(number)
    });
    let ended = seen.records.iter().filter(|record| {
        matches!(record.fact, Fact::Exit { .. }) && json!(record.process.tgid) == number
    });
    let starts: BTreeSet<_> = ended.map(|record| record.process.start).collect();
    assert_eq!(starts.len(), 2, "{:?}", seen.exits());
}

#[test]
fn a11_questions_about_files_are_reported_by_their_calls_and_are_no_opens() {
    let place = Place::new();
    let file = place.file("data");
    let seen = watched().act(|| {
        fs::metadata(&file).unwrap();
        fs::metadata(place.join("nothing")).unwrap_err();
        assert!(!place.join("nothing").exists());
    });
    assert_eq!(seen.times(libc::SYS_statx), 1);
    assert_eq!(seen.paths(), []);
}

#[test]
fn b3_each_try_to_open_performance_events_is_reported() {
    let seen = watched().act(|| {
        (0..3).for_each(|_| drop(raw::call(libc::SYS_perf_event_open, 0, 0).unwrap_err()));
    });
    assert_eq!(seen.times(libc::SYS_perf_event_open), 3);
}

#[test]
fn b4_shared_memory_queues_and_keys_of_the_system_are_reported_by_their_calls() {
    let calls = [libc::SYS_shmget, libc::SYS_msgget, libc::SYS_semget, libc::SYS_keyctl];
    let seen = watched().act(|| {
        // Numbers that make nothing: the key nobody has, and an operation there is not.
        for call in calls {
            drop(raw::call(call, 0x7ead_beef, 0).unwrap_err());
        }
    });
    assert_eq!(calls.map(|call| seen.times(call)), [1; 4]);
}
