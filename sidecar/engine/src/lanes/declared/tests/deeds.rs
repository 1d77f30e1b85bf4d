//! Deeds that are judged by what is asked for: sockets, memory, namespaces.

use std::format;

use super::{Context, context, judge};
use crate::testing::*;
use crate::*;

const UNSHARE: u32 = 272;
const NEW_USER: Fact = Fact::Namespaces { flags: 0x1000_0000 };
const MADE_CODE: Fact = Fact::Memory { how: MemoryUse::Changed };

/// What the fact departs from, and why; `None` when it is declared.
#[track_caller]
fn departs(policy: &Policy, fact: &Fact, expected: Option<&str>) {
    let found = judge(&context(policy), fact);
    let found = found.map(|offence| format!("{} {}", offence.capability, offence.reason));
    assert_eq!(found.as_deref(), expected);
}

#[test]
fn a_socket_of_an_undeclared_kind_is_a_departure() {
    let policy = Policy { sockets: SocketSet::EMPTY.with(SocketClass::Netlink), ..declared() };
    departs(&policy, &socket(16, 3, 0), None);
    departs(&policy, &socket(17, 3, 0), Some("network undeclared_socket"));
    departs(&policy, &socket(2, 3, 1), Some("network undeclared_socket"));
    departs(&policy, &socket(77, 1, 0), Some("network undeclared_socket"));
    // TCP: judged by where it goes.
    departs(&policy, &socket(2, 1, 6), None);
}

#[test]
fn executable_memory_is_a_departure_unless_declared() {
    departs(&declared(), &MADE_CODE, Some("danger executable_memory"));
    departs(&Policy { executable_memory: true, ..declared() }, &MADE_CODE, None);
}

#[test]
fn c4_code_comes_from_files_that_may_be_read_and_not_written_to() {
    let mut policy = declared();
    policy.files.push(file_rule("/build/**", AccessSet::READ | AccessSet::WRITE));
    departs(&policy, &mapped("/data/lib.so"), None);
    departs(&policy, &mapped("/opt/plugin"), None);
    departs(&policy, &mapped("/build/lib.so"), Some("exec writable_code"));
    departs(&policy, &mapped("/spool/x.out"), Some("exec undeclared_exec"));
    departs(&policy, &mapped("/elsewhere/lib.so"), Some("exec undeclared_exec"));
}

#[test]
fn two_rules_that_meet_make_a_file_writable_code_as_one_does() {
    let mut policy = declared();
    policy.files.push(file_rule("/data/own/*", AccessSet::WRITE));
    departs(&policy, &mapped("/data/own/lib.so"), Some("exec writable_code"));
    policy.files[2].until = Some(ms(5));
    let at = Context { at: ms(5), ..context(&policy) };
    assert_eq!(judge(&at, &mapped("/data/own/lib.so")), None);
}

#[test]
fn code_without_a_file_in_a_directory_is_fileless() {
    let nameless =
        Fact::Mapped { path: ObservedPath::Unresolved(Unresolved::NoName), file: SECRET, links: 0 };
    let mut unlinked = mapped("/data/lib.so");
    if let Fact::Mapped { links, .. } = &mut unlinked {
        *links = 0;
    }
    let own_code = Policy { executable_memory: true, ..declared() };
    for fact in [nameless, unlinked] {
        departs(&declared(), &fact, Some("exec fileless"));
        departs(&own_code, &fact, None);
    }
}

#[test]
fn a_protected_file_is_no_code_unless_a_rule_spells_it() {
    let secret = Fact::Mapped { path: resolved("/data/secret"), file: SECRET, links: 1 };
    departs(&declared(), &secret, Some("exec protected_inode"));
    let mut policy = declared();
    policy.files.push(file_rule("/data/secret", AccessSet::READ));
    departs(&policy, &secret, None);
}

#[test]
fn a_mapped_file_whose_path_is_unknown_matches_no_rule() {
    let unknown = Fact::Mapped {
        path: ObservedPath::Unresolved(Unresolved::Detached),
        file: FileId { device: 8, inode: 1 },
        links: 1,
    };
    departs(&declared(), &unknown, Some("exec unresolved_path"));
}

#[test]
fn f7_new_namespaces_are_declared_by_naming_unshare() {
    departs(&declared(), &NEW_USER, Some("danger new_namespaces"));
    departs(&Policy { syscalls: SyscallSet::of(&[UNSHARE]), ..declared() }, &NEW_USER, None);
}

#[test]
fn what_the_kernel_maps_for_the_entry_point_is_not_the_launchers_doing() {
    let policy = declared();
    let starting = Context { starting: true, ..context(&policy) };
    assert_eq!(judge(&starting, &mapped("/opt/plugin")), None);
    assert!(judge(&starting, &NEW_USER).is_some());
}

#[test]
fn asking_which_personality_one_has_is_no_danger() {
    let personality = |argument| Fact::Syscall {
        number: 135,
        abi: SyscallAbi::Native,
        arguments: Arguments::of([Some(argument)]),
    };
    departs(&declared(), &personality(0xffff_ffff), Some("syscalls undeclared_syscall"));
    departs(&declared(), &personality(0x40_0000), Some("danger dangerous_syscall"));
    departs(&declared(), &syscall(135), Some("danger dangerous_syscall"));
}
