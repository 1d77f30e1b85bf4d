//! What is done by io_uring instead of by a system call of its own is seen as if it were one; in the tier `trace` opens
//! that do not say what they opened are at least known to be some.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use picket_engine::{AccessSet, Capability, NetworkOperation, Reason, Unresolved};

use super::harness::{nothing_declared, says_it_is_not_seen, sees_objects, sees_rings, watched};
use super::place::{Place, opened};
use super::raw::{self, Ring};
use super::seen::{Seen, TCP, UDP, used};

const UNSEEN: &str = "Opens by io_uring";

#[test]
fn e1_an_open_by_io_uring_is_an_open_whoever_takes_it_and_does_it() {
    for (setup, flags) in
        [(0, 0), (0, raw::BY_WORKER), (raw::POLLED, 0), (raw::POLLED, raw::BY_WORKER)]
    {
        let place = Place::new();
        let [one, other] = ["one", "other"].map(|name| place.file(name));
        let seen = watched().act(|| {
            let ring = Ring::new(setup).unwrap();
            drop(ring.open(&one, flags).unwrap());
            drop(ring.open_how(&other).unwrap());
        });
        assert_eq!(seen.times(libc::SYS_io_uring_setup), 1);
        if !sees_rings() {
            assert_eq!(seen.opens(), []);
            says_it_is_not_seen(UNSEEN);
            continue;
        }
        let expected = [&one, &other].map(|path| opened(path, AccessSet::READ));
        assert_eq!(seen.opens(), expected, "setup {setup} flags {flags}");
    }
}

#[test]
fn e5_an_open_into_the_rings_own_table_is_an_open() {
    let place = Place::new();
    let file = place.file("data");
    let seen = watched().act(|| {
        let ring = Ring::new(0).unwrap();
        ring.own_table().unwrap();
        ring.open_direct(&file).unwrap();
    });
    check_untold(&seen, &file);
}

/// In the tier `trace` nobody can say what was opened: no rule allows that.
#[track_caller]
fn check_untold(seen: &Seen, file: &Path) {
    if !sees_rings() {
        assert_eq!(seen.opens(), []);
        return says_it_is_not_seen(UNSEEN);
    }
    if sees_objects() {
        return assert_eq!(seen.opens(), [opened(file, AccessSet::READ)]);
    }
    let paths: Vec<_> = seen.opens().into_iter().map(|open| open.path).collect();
    assert_eq!(paths, [Err(Unresolved::ReadFailed)]);
    let finding = (Capability::Files, Reason::UnresolvedPath);
    assert_eq!(seen.verdicts(&nothing_declared()), [finding]);
}

#[test]
fn e1_an_open_by_io_uring_that_says_nothing_of_its_success_is_seen_all_the_same() {
    let place = Place::new();
    let file = place.file("data");
    let seen = watched().act(|| {
        let ring = Ring::new(0).unwrap();
        ring.open_silently(&file).unwrap();
    });
    check_untold(&seen, &file);
}

#[test]
fn e1_an_open_whose_result_waits_until_it_is_asked_for_is_seen_before() {
    let place = Place::new();
    let file = place.file("data");
    let seen = watched().act(|| {
        let ring = Ring::new(raw::LATE).unwrap();
        drop(ring.open(&file, raw::BY_WORKER).unwrap());
    });
    check_untold(&seen, &file);
}

#[test]
fn e1_an_open_by_io_uring_that_fails_is_no_open() {
    let place = Place::new();
    let seen = watched().act(|| {
        Ring::new(0).unwrap().open(&place.join("absent"), 0).unwrap_err();
    });
    assert_eq!(seen.opens(), []);
}

#[test]
fn e2_a_connect_by_io_uring_is_a_connect() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let to = listener.local_addr().unwrap();
    for setup in [0, raw::POLLED] {
        let seen = watched().act(|| {
            let socket = raw::socket(to, libc::SOCK_STREAM, 0).unwrap();
            Ring::new(setup).unwrap().connect(&socket, to, 0).unwrap();
        });
        assert_eq!(seen.network(), [used(NetworkOperation::Connect, TCP, to)], "setup {setup}");
    }
}

#[test]
fn e3_a_datagram_by_io_uring_is_a_datagram() {
    let sink = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let to: SocketAddr = sink.local_addr().unwrap();
    let seen = watched().act(|| {
        let socket = raw::socket(to, libc::SOCK_DGRAM, 0).unwrap();
        Ring::new(0).unwrap().send(&socket, to).unwrap();
    });
    assert_eq!(seen.network(), [used(NetworkOperation::Send, UDP, to)]);
}

#[test]
fn e4_a_read_by_io_uring_is_of_a_file_that_was_judged_when_it_was_opened() {
    let place = Place::new();
    let file = place.file("data");
    let seen = watched().act(|| {
        let file = std::fs::File::open(&file).unwrap();
        assert_eq!(Ring::new(0).unwrap().read(&file).unwrap(), 8);
    });
    assert_eq!(seen.opens(), [opened(&file, AccessSet::READ)]);
}
