//! Other processes looked into, and Unix sockets of somebody else: the tier `lsm` reports whose they are; the tier
//! `trace` has the calls' numbers and says so.

use std::fs::{self, File};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};

use picket_engine::{
    AccessSet, ArgPattern, Capability, FileOperation, FileRule, NetworkOperation, Pattern, Policy,
    Reach, Reason, Whose,
};
use picket_tests::unique;
use serde_json::json;

use super::actor::Actor;
use super::harness::{Watched, nothing_declared, says_it_is_not_seen, sees_objects, watched};
use super::place::Place;
use super::raw;
use super::seen::{Seen, at};

const UNSEEN_PROCESS: &str = "Whose process is looked into";
const UNSEEN_PEER: &str = "Whose Unix socket is talked to";

/// The same number at the same place of every process of this program.
static LANDMARK: u64 = 0x1234_5678;

fn touch(pid: u32) {
    assert_eq!(raw::read_memory(pid, &LANDMARK).unwrap(), LANDMARK);
    drop(File::open(format!("/proc/{pid}/mem")).unwrap());
    raw::seize(pid).unwrap();
}

/// (how, whose, process), without the modes that the kernel checked.
fn reached(seen: &Seen) -> Vec<(Reach, Whose, u32)> {
    let mut all: Vec<_> =
        seen.reaches().into_iter().map(|(how, whose, process, _)| (how, whose, process)).collect();
    all.dedup();
    all
}

fn bystander(home: Option<&Watched>) -> Actor {
    let actor = Actor::start(|| json!(null));
    if let Some(home) = home {
        home.admit(&actor);
    }
    actor
}

#[test]
fn b1_a_process_outside_that_is_taken_hold_of_is_a_finding() {
    let outside = bystander(None);
    let seen = watched().act(|| touch(outside.pid()));
    assert_eq!(
        (seen.times(libc::SYS_ptrace) > 0, seen.times(libc::SYS_process_vm_readv)),
        (true, 1)
    );
    if !sees_objects() {
        assert_eq!(seen.reaches(), []);
        return says_it_is_not_seen(UNSEEN_PROCESS);
    }
    assert_eq!(reached(&seen), [(Reach::Attach, Whose::Outside, outside.pid())]);
    let finding = (Capability::Danger, Reason::ForeignProcess);
    assert_eq!(seen.verdicts(&nothing_declared())[0], finding);
}

#[test]
fn b1_a_process_of_another_sandbox_and_picket_are_told_as_that() {
    let there = watched();
    let target = bystander(Some(&there));
    let picket = std::process::id();
    let seen = watched().act(|| {
        raw::read_memory(target.pid(), &LANDMARK).unwrap();
        raw::read_memory(picket, &LANDMARK).unwrap();
    });
    if !sees_objects() {
        return says_it_is_not_seen(UNSEEN_PROCESS);
    }
    let expected =
        [(Reach::Attach, Whose::Sandbox, target.pid()), (Reach::Attach, Whose::Picket, picket)];
    assert_eq!(reached(&seen), expected);
}

#[test]
fn b1_a_process_of_the_same_sandbox_is_a_matter_of_the_call() {
    let sandbox = watched();
    let beside = bystander(Some(&sandbox));
    let seen = sandbox.act(|| touch(beside.pid()));
    assert_eq!(seen.reaches(), []);
    assert_eq!(seen.times(libc::SYS_process_vm_readv), 1);
}

#[test]
fn b1_what_shows_more_than_names_of_a_process_outside_is_a_finding() {
    let outside = bystander(None);
    let seen =
        watched().act(|| drop(fs::read_link(format!("/proc/{}/exe", outside.pid())).unwrap()));
    if !sees_objects() {
        return says_it_is_not_seen(UNSEEN_PROCESS);
    }
    assert_eq!(reached(&seen), [(Reach::Inspect, Whose::Outside, outside.pid())]);
}

#[test]
fn b1_a_list_of_processes_is_no_look_into_them() {
    let outside = bystander(None);
    let seen = watched()
        .act(|| drop(fs::read_to_string(format!("/proc/{}/stat", outside.pid())).unwrap()));
    assert_eq!(seen.reaches(), []);
}

fn abstract_name(name: &str) -> SocketAddr {
    SocketAddr::from_abstract_name(name).unwrap()
}

#[test]
fn d13_an_abstract_socket_of_somebody_outside_is_a_finding() {
    let name = unique("d13");
    let _listener = UnixListener::bind_addr(&abstract_name(&name)).unwrap();
    let datagrams = format!("{name}-datagrams");
    let _receiver = UnixDatagram::bind_addr(&abstract_name(&datagrams)).unwrap();
    let seen = watched().act(|| {
        drop(UnixStream::connect_addr(&abstract_name(&name)).unwrap());
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to_addr(b"hello", &abstract_name(&datagrams)).unwrap();
        sender.send_to_addr(b"again", &abstract_name(&datagrams)).unwrap();
    });
    if !sees_objects() {
        assert_eq!(seen.peers(), []);
        return says_it_is_not_seen(UNSEEN_PEER);
    }
    let expected = [
        (NetworkOperation::Connect, Whose::Outside, name),
        (NetworkOperation::Send, Whose::Outside, datagrams),
    ];
    assert_eq!(seen.peers(), expected);
    assert_eq!(seen.counts["peer"].aggregated, 1);
    let finding = (Capability::Network, Reason::ForeignPeer);
    assert_eq!(seen.verdicts(&nothing_declared()), [finding, finding]);
    let declared = vec![ArgPattern::parse("*-datagrams").unwrap()];
    let declared = Policy { peers: declared, ..nothing_declared() };
    assert_eq!(seen.verdicts(&declared), [finding]);
}

#[test]
fn d13_a_socket_of_another_sandbox_is_told_as_that_and_one_of_its_own_is_not_told() {
    let (here, there) = (watched(), watched());
    let (theirs, own) = (unique("theirs"), unique("own"));
    let mut listener = Actor::start(|| {
        // Kept until the actor ends.
        std::mem::forget(UnixListener::bind_addr(&abstract_name(&theirs)).unwrap());
        json!(null)
    });
    there.admit(&listener);
    listener.act();
    let seen = here.act(|| {
        drop(UnixStream::connect_addr(&abstract_name(&theirs)).unwrap());
        let _listener = UnixListener::bind_addr(&abstract_name(&own)).unwrap();
        drop(UnixStream::connect_addr(&abstract_name(&own)).unwrap());
        let (one, other) = UnixDatagram::pair().unwrap();
        one.send(b"hello").unwrap();
        drop(other);
    });
    if !sees_objects() {
        return says_it_is_not_seen(UNSEEN_PEER);
    }
    assert_eq!(seen.peers(), [(NetworkOperation::Connect, Whose::Sandbox, theirs)]);
}

#[test]
fn d13_a_socket_with_a_file_is_declared_by_a_rule_to_write_that_file() {
    let place = Place::new();
    let path = place.join("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    let seen = watched().act(|| drop(UnixStream::connect(&path).unwrap()));
    if !sees_objects() {
        return says_it_is_not_seen(UNSEEN_PEER);
    }
    let named: Vec<_> = seen.operations().into_iter().map(|(done, path, _)| (done, path)).collect();
    assert_eq!(named, [(FileOperation::ConnectUnix, at(&path))]);
    let finding = (Capability::Files, Reason::UndeclaredPath);
    assert_eq!(seen.verdicts(&nothing_declared()), [finding]);
    let rule = FileRule {
        path: Pattern::parse(&path.display().to_string()).unwrap(),
        access: AccessSet::WRITE,
        until: None,
    };
    let declared = Policy { files: vec![rule], ..nothing_declared() };
    assert_eq!(seen.verdicts(&declared), []);
}
