use picket_engine::{Arguments, DANGER, SyscallAbi};

use super::tables::CALLS;
use super::{namespaces, numbers, socket, text};
use crate::manifest::syscalls;

/// What is said of a call with these registers.
fn check(call: &str, registers: [u64; 6], expected: Option<&str>) {
    let number = u32::from(syscalls::number(call).unwrap());
    let arguments = numbers(number, SyscallAbi::Native, &registers);
    assert_eq!(text(number, SyscallAbi::Native, &arguments).as_deref(), expected, "{call}");
}

#[test]
fn the_danger_set_is_told_in_the_kernels_words() {
    check("ptrace", [0x4206, 1234, 0, 0, 0, 0], Some("PTRACE_SEIZE, pid 1234"));
    check("unshare", [0x5000_0000, 0, 0, 0, 0, 0], Some("CLONE_NEWUSER|CLONE_NEWNET"));
    check("setns", [7, 0x4000_0000, 0, 0, 0, 0], Some("descriptor 7, CLONE_NEWNET"));
    check("bpf", [0, 0x7fff_0000, 128, 0, 0, 0], Some("BPF_MAP_CREATE"));
    check("keyctl", [11, 0, 0, 0, 0, 0], Some("KEYCTL_READ"));
    check("personality", [0x44_0000, 0, 0, 0, 0, 0], Some("ADDR_NO_RANDOMIZE|READ_IMPLIES_EXEC"));
    check("personality", [0xffff_ffff, 0, 0, 0, 0, 0], Some("query"));
    check("perf_event_open", [0x7fff_0000, u64::MAX, 0, 0, 0, 0], Some("all processes, 0"));
    check("process_vm_readv", [42, 0x7fff_0000, 1, 0, 0, 0], Some("pid 42"));
    check("pidfd_getfd", [3, 5, 0, 0, 0, 0], Some("descriptor 3, descriptor 5"));
    check("io_uring_setup", [8, 0x7fff_0000, 0, 0, 0, 0], Some("8"));
    check("mount", [1, 2, 3, 4096, 0, 0], Some("MS_BIND"));
    check("pivot_root", [1, 2, 0, 0, 0, 0], None);
}

#[test]
fn what_has_no_name_is_a_number() {
    check("ptrace", [0xdead, 1, 0, 0, 0, 0], Some("57005, pid 1"));
    check("unshare", [0x1000_0001, 0, 0, 0, 0, 0], Some("CLONE_NEWUSER|0x1"));
    check("unshare", [0, 0, 0, 0, 0, 0], Some("0"));
}

#[test]
fn no_address_is_kept() {
    const ADDRESS: u64 = 0x7ffd_1234_5678;
    for (number, _) in &CALLS {
        let kept = numbers(*number, SyscallAbi::Native, &[ADDRESS; 6]);
        let whole = kept.places().iter().flatten().any(|number| *number == ADDRESS);
        assert!(!whole, "{number}");
    }
    // Pointers: of `ptrace`, `mount`, `bpf`.
    for (number, index) in [(101, 2), (101, 3), (165, 0), (165, 1), (165, 2), (165, 4), (321, 1)] {
        let kept = numbers(number, SyscallAbi::Native, &[1; 6]);
        assert_eq!(kept.get(index), None, "{number}: {index}");
    }
}

#[test]
fn calls_of_another_abi_have_no_arguments() {
    for abi in [SyscallAbi::Ia32, SyscallAbi::X32] {
        assert_eq!(numbers(101, abi, &[1; 6]), Arguments::NONE);
    }
}

#[test]
fn the_table_ascends_and_each_of_its_calls_has_a_name() {
    assert!(CALLS.is_sorted_by(|(one, _), (next, _)| one < next));
    assert!(CALLS.iter().all(|(number, _)| syscalls::name(*number).is_some()));
}

#[test]
fn every_dangerous_call_with_a_number_to_tell_is_in_the_table() {
    // All their arguments are addresses, or there are none.
    let without = [
        "init_module",
        "delete_module",
        "pivot_root",
        "chroot",
        "add_key",
        "request_key",
        "swapon",
        "swapoff",
        "acct",
        "settimeofday",
        "adjtimex",
        "fsopen",
        "lookup_dcookie",
    ];
    for number in DANGER.numbers() {
        let name = syscalls::name(number).unwrap();
        let told = CALLS.iter().any(|(known, _)| *known == number);
        assert_eq!(told, !without.contains(&name), "{name}");
    }
}

#[test]
fn sockets_and_namespaces_are_told_by_their_names() {
    assert_eq!(socket(2, 3, 1), "AF_INET, SOCK_RAW, protocol 1");
    assert_eq!(socket(40, 1, 0), "AF_VSOCK, SOCK_STREAM");
    assert_eq!(socket(99, 7, 0), "99, 7");
    assert_eq!(namespaces(0x1002_0000), "CLONE_NEWNS|CLONE_NEWUSER");
}
