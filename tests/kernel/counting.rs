//! Nothing is lost in silence: what fired is what was filtered, counted, sent, dropped or failed, to the last one.

use std::fs::File;
use std::net::UdpSocket;

use picket_engine::{Fact, Policy, SyscallSet};
use serde_json::Value;

use super::actor::Actor;
use super::harness::{Eye, nothing_declared, watched};
use super::place::Place;
use super::raw;

#[test]
fn after_a_burst_every_firing_is_accounted_for() {
    const CALLS: u64 = 100_000;
    const OPENS: u64 = 5_000;
    const SENDS: u64 = 5_000;
    let place = Place::new();
    let files: Vec<_> = (0..50).map(|number| place.file(number.to_string())).collect();
    // `Watched::seen` waits for the equation and for every submitted record; what it cannot know is what was done.
    let seen = watched().act(|| {
        for _ in 0..CALLS {
            raw::call(libc::SYS_getppid, 0, 0).unwrap();
        }
        for file in files.iter().cycle().take(usize::try_from(OPENS).unwrap()) {
            drop(File::open(file).unwrap());
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..SENDS {
            // To 20 ports in turn, where nobody listens: an earlier datagram's refusal may come back instead.
            let port = 40_000 + u16::try_from(number % 20).unwrap();
            drop(socket.send_to(b"", ("127.0.0.1", port)));
        }
    });
    let counts = |hook| seen.counts[hook];
    assert!(CALLS + OPENS + SENDS < counts("syscall").fired);
    assert_eq!((counts("open").fired, counts("open").submitted), (OPENS, 50));
    assert_eq!(counts("open").aggregated, OPENS - 50);
    assert_eq!((counts("send").submitted, counts("send").dropped), (20, 0));
    assert!(counts("send").fired <= SENDS);
    assert_eq!(counts("bind").fired, 1);
    assert!(seen.counts.values().all(|counts| counts.dropped + counts.error == 0));
}

#[test]
fn f9_what_found_no_room_is_counted_and_sent_by_the_next_that_does_the_same() {
    // A kernel side of its own: nobody reads its rings meanwhile, so that the ordinary one runs over.
    let eye: &'static Eye = Box::leak(Box::new(Eye::open().unwrap()));
    // Declared, so that their records are ordinary ones.
    let calls = [libc::SYS_getppid, libc::SYS_getuid, libc::SYS_getgid];
    let declared = calls.map(|number| u32::try_from(number).unwrap());
    let sandbox = eye.watch(&Policy { syscalls: SyscallSet::of(&declared), ..nothing_declared() });
    let place = Place::new();
    let mut files: Vec<_> = (0..2_000).map(|number| place.file(number.to_string())).collect();
    files.sort();
    // Large records first, so that what is left has no room for the small ones either.
    let flood = || {
        files.iter().for_each(|file| drop(File::open(file).unwrap()));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        (41_000..41_040_u16).for_each(|port| drop(socket.send_to(b"", ("127.0.0.1", port))));
        for number in calls {
            raw::call(number, 0, 0).unwrap();
        }
    };
    let mut actor = Actor::start(|| {
        flood();
        raw::call(libc::SYS_ptrace, 0xdead, 0).unwrap_err();
        Value::Null
    });
    sandbox.admit(&actor);
    actor.act();
    let full = sandbox.counts();
    for hook in ["open", "send", "syscall"] {
        assert!(0 < full[hook].dropped, "{hook} found room for everything: {:?}", full[hook]);
    }
    let seen = sandbox.seen();
    assert_eq!(seen.times(libc::SYS_ptrace), 1, "a flood starves nothing that is critical");

    let seen = sandbox.act(flood);
    let mut paths: Vec<_> = seen.paths().into_iter().map(Result::unwrap).collect();
    let told = paths.len();
    paths.sort();
    paths.dedup();
    assert!(paths == files, "{} of {} files told of, early or late", paths.len(), files.len());
    // What found a full place in the table of what was seen is told of once more.
    assert!(told < files.len() + files.len() / 20, "{told} records of {} files", files.len());
    let mut ports: Vec<_> = seen.network().iter().map(|used| used.port).collect();
    ports.sort_unstable();
    // The first is the local port, chosen by the kernel, of both sockets.
    assert!(ports.iter().copied().filter(|&port| 0 < port).eq(41_000..41_040), "{ports:?}");
    assert_eq!(calls.map(|number| seen.times(number)), [1; 3]);
}

#[test]
fn records_of_one_processor_are_numbered_without_a_gap_in_time() {
    let seen = watched().act(|| {
        for number in 1_000..1_300 {
            raw::call(number, 0, 0).unwrap_err();
        }
    });
    let calls = seen.records.iter().filter(|record| matches!(record.fact, Fact::Syscall { .. }));
    let orders: Vec<_> = calls.map(|record| record.order).collect();
    assert!(orders.is_sorted_by(|a, b| a < b), "two records at one place");
}
