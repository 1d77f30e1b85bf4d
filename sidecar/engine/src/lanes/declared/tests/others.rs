//! What is said of files that are changed otherwise than by opening them, and of other processes.

use alloc::vec::Vec;

use super::{READ, WRITE, check, files, with_file};
use crate::testing::*;
use crate::*;

const fn reach(how: Reach, whose: Whose) -> Fact {
    Fact::Reach { how, whose, process: 1, number: 9 }
}

#[test]
fn every_operation_on_a_file_is_declared_by_a_rule_to_write_it_and_by_no_other() {
    let policy = files(&[("/data/**", READ), ("/out/*", WRITE)]);
    for done in FileOperation::ALL {
        check(
            &policy,
            &[
                (operation(*done, "/out/a"), None),
                (operation(*done, "/data/a"), Some(Reason::WriteNotDeclared)),
                (operation(*done, "/elsewhere"), Some(Reason::UndeclaredPath)),
            ],
        );
    }
}

#[test]
fn an_operation_on_a_protected_file_is_found_by_whatever_name() {
    let policy = Policy { protected: [SECRET].into(), ..files(&[("/out/*", WRITE)]) };
    for done in FileOperation::ALL {
        let fact = with_file(operation(*done, "/out/a"), SECRET);
        check(&policy, &[(fact, Some(Reason::ProtectedInode))]);
    }
}

#[test]
fn a_received_descriptor_is_an_open_in_the_ways_it_is_open() {
    let policy = files(&[("/data/**", READ)]);
    let received = |path: &str, access| Fact::FileOperation {
        operation: FileOperation::Receive,
        path: resolved(path),
        file: file_of(path),
        links: 1,
        access,
    };
    check(
        &policy,
        &[
            (received("/data/a", READ), None),
            (received("/data/a", READ | WRITE), Some(Reason::WriteNotDeclared)),
            (received("/elsewhere", READ), Some(Reason::UndeclaredPath)),
        ],
    );
}

#[test]
fn no_rule_declares_a_process_or_a_nameless_socket_of_somebody_else() {
    let everything = files(&[("/**", READ | WRITE)]);
    for whose in Whose::ALL {
        check(
            &everything,
            &[
                (reach(Reach::Signal, *whose), Some(Reason::SignalOutside)),
                (reach(Reach::Probe, *whose), Some(Reason::SignalOutside)),
                (reach(Reach::Inspect, *whose), Some(Reason::ForeignProcess)),
                (reach(Reach::Attach, *whose), Some(Reason::ForeignProcess)),
            ],
        );
        for operation in [NetworkOperation::Connect, NetworkOperation::Send] {
            let peer = Fact::Peer { operation, whose: *whose, name: b"bus".into() };
            check(&everything, &[(peer, Some(Reason::ForeignPeer))]);
        }
    }
}

#[test]
fn an_abstract_name_may_be_declared_and_a_nameless_socket_or_one_of_pickets_may_not() {
    let parsed = |source| ArgPattern::parse(source).unwrap();
    let peers = Vec::from([parsed("bus"), parsed("session-*")]);
    let policy = Policy { peers, ..nothing_declared() };
    let peer = |whose, name: &[u8]| Fact::Peer {
        operation: NetworkOperation::Connect,
        whose,
        name: name.into(),
    };
    let undeclared = Some(Reason::ForeignPeer);
    check(
        &policy,
        &[
            (peer(Whose::Outside, b"bus"), None),
            (peer(Whose::Sandbox, b"session-7/x"), None),
            (peer(Whose::Outside, b"bus2"), undeclared),
            (peer(Whose::Outside, b""), undeclared),
            (peer(Whose::Picket, b"bus"), undeclared),
        ],
    );
    let all = Policy { peers: Vec::from([parsed("*")]), ..nothing_declared() };
    check(&all, &[(peer(Whose::Outside, b"x"), None), (peer(Whose::Outside, b""), undeclared)]);
}
