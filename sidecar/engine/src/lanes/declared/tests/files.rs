//! What is said of files, fact by fact.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{EXECUTE, READ, WRITE, check, files, with_file, with_path};
use crate::testing::*;
use crate::*;

#[test]
fn a_file_may_be_opened_in_the_declared_ways_only() {
    let policy = files(&[("/data/**", READ), ("/out/*", WRITE), ("/both/*", READ | WRITE)]);
    check(
        &policy,
        &[
            (read("/data"), None),
            (read("/data/a/b"), None),
            (read("/database"), Some(Reason::UndeclaredPath)),
            (open("/data/a", WRITE), Some(Reason::WriteNotDeclared)),
            (open("/data/a", READ | WRITE), Some(Reason::WriteNotDeclared)),
            (open("/out/a", WRITE), None),
            (read("/out/a"), Some(Reason::ReadNotDeclared)),
            (open("/out/a/b", WRITE), Some(Reason::UndeclaredPath)),
            (open("/both/a", READ | WRITE), None),
            (open("/out/a", EXECUTE), Some(Reason::UndeclaredExec)),
            (open("/data/a", AccessSet::NONE), None),
            (open("/elsewhere", AccessSet::NONE), Some(Reason::UndeclaredPath)),
        ],
    );
}

#[test]
fn reading_by_one_rule_and_writing_by_another_is_both_at_once() {
    check(
        &files(&[("/a/*", READ), ("/a/b", WRITE)]),
        &[
            (open("/a/b", READ | WRITE), None),
            (open("/a/c", READ | WRITE), Some(Reason::WriteNotDeclared)),
        ],
    );
}

#[test]
fn a_path_that_nobody_knows_matches_no_rule() {
    let policy = files(&[("/**", READ | WRITE | EXECUTE)]);
    for why in Unresolved::ALL {
        let reason = match why {
            Unresolved::NoName => Reason::NamelessObject,
            _ => Reason::UnresolvedPath,
        };
        check(&policy, &[(with_path(read("/a"), *why), Some(reason))]);
    }
    check(
        &policy,
        &[
            (read("/a/../b"), Some(Reason::UnresolvedPath)),
            (read(""), Some(Reason::UnresolvedPath)),
            (read("pipe:[42]"), Some(Reason::UnresolvedPath)),
        ],
    );
}

#[test]
fn a_protected_file_is_denied_under_every_name_but_the_one_spelled_out() {
    let protect = |policy| Policy { protected: BTreeSet::from([SECRET]), ..policy };
    let secret = |path: &str| with_file(read(path), SECRET);
    let denied = Some(Reason::ProtectedInode);
    check(
        &protect(files(&[("/**", READ)])),
        &[
            (secret("/data/key"), denied),
            (secret("/data/innocent-link"), denied),
            (with_path(secret("/data/key"), Unresolved::TooLong), denied),
            (secret("/data/../key"), denied),
            (read("/data/other"), None),
        ],
    );
    check(
        &protect(files(&[("/**", READ | WRITE), ("/data/key", READ)])),
        &[
            (secret("/data/key"), None),
            (secret("/data/innocent-link"), denied),
            (with_file(open("/data/key", WRITE), SECRET), denied),
        ],
    );
}

#[test]
fn the_same_inode_number_on_another_device_is_another_file() {
    let protected = BTreeSet::from([SECRET]);
    let policy = Policy { protected, ..files(&[("/**", READ)]) };
    let twin = FileId { device: SECRET.device + 1, ..SECRET };
    check(&policy, &[(with_file(read("/a"), twin), None)]);
}

#[test]
fn the_kernel_may_open_what_an_exec_rule_names_and_an_interpreter_read_its_script() {
    let policy = Policy {
        exec: Vec::from([program("/bin/tool"), script("/opt/run.sh", "/bin/bash")]),
        ..files(&[("/lib/ld.so", READ)])
    };
    check(
        &policy,
        &[
            (open("/bin/tool", READ | EXECUTE), None),
            (open("/bin/bash", EXECUTE), None),
            (open("/opt/run.sh", READ | EXECUTE), None),
            (open("/lib/ld.so", READ | EXECUTE), None),
            (read("/opt/run.sh"), None),
            (read("/bin/tool"), Some(Reason::ReadNotDeclared)),
            (open("/opt/run.sh", WRITE), Some(Reason::WriteNotDeclared)),
            (open("/bin/other", READ | EXECUTE), Some(Reason::UndeclaredExec)),
        ],
    );
}

#[test]
fn an_expired_grant_does_not_open_a_protected_file() {
    let rule = FileRule { until: Some(ms(1)), ..file_rule("/data/key", READ) };
    let protected = BTreeSet::from([SECRET]);
    let policy = Policy { files: Vec::from([rule]), protected, ..nothing_declared() };
    let secret = with_file(read("/data/key"), SECRET);
    check(&policy, &[(secret, Some(Reason::ProtectedInode))]);
}

#[test]
fn what_it_was_started_with_may_be_opened_again_but_not_run() {
    let policy = Policy { inherited: BTreeSet::from([SECRET]), ..files(&[]) };
    let pipe = |access| with_path(with_file(open("/", access), SECRET), Unresolved::NoName);
    check(
        &policy,
        &[
            (pipe(READ | WRITE), None),
            (pipe(EXECUTE), Some(Reason::Fileless)),
            (with_path(read("/"), Unresolved::NoName), Some(Reason::NamelessObject)),
        ],
    );
}
