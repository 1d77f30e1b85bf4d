//! The danger set with its arguments, and new namespaces whichever call makes them.

use picket_engine::{Fact, Policy, SyscallAbi, SyscallSet};

use super::harness::{eye, nothing_declared, watched};
use super::raw;
use super::seen::Seen;

/// Of no process.
const NOBODY: u64 = 0x3fff_ffff;
/// Of no descriptor.
const NONE: u64 = 0xffff_ffff;
const NEW_USER: u64 = 0x1000_0000;
const NEW_UTS: u64 = 0x400_0000;
const NEW_NET: u64 = 0x4000_0000;

impl Seen {
    /// The arguments of each report of a native call.
    fn arguments(&self, number: libc::c_long) -> Vec<Vec<Option<u64>>> {
        let wanted = u32::try_from(number).unwrap();
        self.facts(|record| match &record.fact {
            Fact::Syscall { number, abi: SyscallAbi::Native, arguments } if *number == wanted => {
                let last = arguments.places().iter().rposition(Option::is_some);
                Some(arguments.places()[..last.map_or(0, |last| last + 1)].to_vec())
            }
            _ => None,
        })
    }

    /// `CLONE_NEW*` of each report of namespaces.
    fn namespaces(&self) -> Vec<u64> {
        self.facts(|record| match record.fact {
            Fact::Namespaces { flags } => Some(u64::from(flags)),
            _ => None,
        })
    }
}

/// (call, its registers, what of them is a number). Each fails, or asks only.
type Case = (libc::c_long, [u64; 6], &'static [Option<u64>]);

const DANGEROUS: [Case; 19] = [
    (libc::SYS_ptrace, [0x4206, NOBODY, 0, 0, 0, 0], &[Some(0x4206), Some(NOBODY)]),
    (libc::SYS_process_vm_readv, [NOBODY, 0, 0, 0, 0, 0], &[Some(NOBODY)]),
    (libc::SYS_process_vm_writev, [NOBODY, 0, 0, 0, 0, 0], &[Some(NOBODY)]),
    (libc::SYS_pidfd_getfd, [NONE, 7, 0, 0, 0, 0], &[Some(NONE), Some(7)]),
    (libc::SYS_bpf, [12, 0, 0, 0, 0, 0], &[Some(12)]),
    (libc::SYS_perf_event_open, [0, NOBODY, 1, 0, 0, 0], &[None, Some(NOBODY), Some(1)]),
    (libc::SYS_userfaultfd, [NONE, 0, 0, 0, 0, 0], &[Some(NONE)]),
    (libc::SYS_finit_module, [NONE, 0, 0, 0, 0, 0], &[Some(NONE)]),
    (libc::SYS_kexec_load, [0, 1000, 0, 0, 0, 0], &[None, Some(1000), None, Some(0)]),
    (libc::SYS_mount, [0, 0, 0, 4096, 0, 0], &[None, None, None, Some(4096)]),
    (libc::SYS_umount2, [0, 2, 0, 0, 0, 0], &[None, Some(2)]),
    (libc::SYS_pivot_root, [0, 0, 0, 0, 0, 0], &[]),
    (libc::SYS_chroot, [0, 0, 0, 0, 0, 0], &[]),
    (libc::SYS_setns, [NONE, NEW_NET, 0, 0, 0, 0], &[Some(NONE), Some(NEW_NET)]),
    (libc::SYS_unshare, [1, 0, 0, 0, 0, 0], &[Some(1)]),
    (libc::SYS_keyctl, [11, 0, 0, 0, 0, 0], &[Some(11)]),
    (libc::SYS_open_by_handle_at, [NONE, 0, 0, 0, 0, 0], &[Some(NONE)]),
    (libc::SYS_iopl, [4, 0, 0, 0, 0, 0], &[Some(4)]),
    // Eight entries, and no place to put the answer.
    (libc::SYS_io_uring_setup, [8, 0, 0, 0, 0, 0], &[Some(8)]),
];

#[test]
fn each_call_of_the_danger_set_arrives_with_its_numbers_and_is_a_danger() {
    let seen = watched().act(|| {
        for (number, registers, _) in DANGEROUS {
            drop(raw::call_with(number, registers));
        }
    });
    for (number, _, expected) in DANGEROUS {
        assert_eq!(seen.arguments(number), [expected], "system call {number}");
    }
    let dangers = seen.findings(&nothing_declared());
    let dangers = dangers.iter().filter(|finding| *finding == "danger dangerous_syscall").count();
    assert_eq!(dangers, DANGEROUS.len());
}

#[test]
fn e6_setting_up_a_ring_of_io_uring_is_a_danger_before_anything_is_done_with_it() {
    let seen = watched().act(|| drop(raw::call(libc::SYS_io_uring_setup, 8, 0)));
    assert_eq!(seen.arguments(libc::SYS_io_uring_setup), [[Some(8)]]);
    seen.assert_found(&nothing_declared(), "danger dangerous_syscall");
}

#[test]
fn b1_a_process_that_is_looked_into_is_named_in_the_evidence() {
    let ourselves = u64::from(std::process::id());
    let seen = watched().act(|| {
        // Nothing is read: no vectors are given.
        drop(raw::call_with(libc::SYS_process_vm_readv, [ourselves, 0, 0, 0, 0, 0]));
    });
    assert_eq!(seen.arguments(libc::SYS_process_vm_readv), [[Some(ourselves)]]);
}

#[test]
fn a_personality_that_changes_what_memory_may_do_is_a_danger_and_asking_for_it_is_none() {
    const QUERY: u64 = 0xffff_ffff;
    const READ_IMPLIES_EXEC: u64 = 0x40_0000;
    let asked = watched().act(|| drop(raw::call(libc::SYS_personality, QUERY, 0)));
    asked.assert_found(&nothing_declared(), "syscalls undeclared_syscall");
    asked.assert_no(&nothing_declared(), "dangerous_syscall");
    let changed = watched().act(|| drop(raw::call(libc::SYS_personality, READ_IMPLIES_EXEC, 0)));
    assert_eq!(changed.arguments(libc::SYS_personality), [[Some(READ_IMPLIES_EXEC)]]);
    changed.assert_found(&nothing_declared(), "danger dangerous_syscall");
}

#[test]
fn f7_a_namespace_is_reported_whichever_call_makes_it() {
    let by_clone = watched().act(|| raw::old_clone(NEW_USER | NEW_UTS).unwrap());
    assert_eq!(by_clone.namespaces()[0], NEW_USER | NEW_UTS);
    by_clone.assert_found(&nothing_declared(), "danger new_namespaces");
    // Its flags are in memory: what the kernel made of them is what is reported.
    let by_clone3 = watched().act(|| {
        raw::clone_process(NEW_USER | NEW_UTS, None).unwrap();
    });
    assert!(by_clone3.namespaces().contains(&(NEW_USER | NEW_UTS)), "{:?}", by_clone3.namespaces());
    by_clone3.assert_found(&nothing_declared(), "danger new_namespaces");
    let by_unshare = watched().act(|| {
        raw::call(libc::SYS_unshare, NEW_USER, 0).unwrap();
    });
    assert_eq!(by_unshare.arguments(libc::SYS_unshare), [[Some(NEW_USER)]]);
    by_unshare.assert_found(&nothing_declared(), "danger dangerous_syscall");
}

#[test]
fn f7_a_namespace_that_is_not_given_was_asked_for_all_the_same() {
    const CLONE_FS: u64 = 0x200;
    let seen = watched().act(|| {
        let refused = raw::old_clone(NEW_USER | CLONE_FS).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EINVAL));
    });
    assert_eq!(seen.namespaces(), [NEW_USER]);
}

#[test]
fn a_child_in_the_same_namespaces_is_none_in_new_ones() {
    let seen = watched().act(|| {
        raw::old_clone(0).unwrap();
        raw::clone_process(0, None).unwrap();
    });
    assert_eq!(seen.namespaces(), [0_u64; 0]);
    assert_eq!(seen.counts["namespace"].fired, 0);
}

#[test]
fn namespaces_are_reported_once_in_an_epoch_and_declared_by_unshare() {
    let unshare = u32::try_from(libc::SYS_unshare).unwrap();
    let clone = u32::try_from(libc::SYS_clone).unwrap();
    let policy = Policy { syscalls: SyscallSet::of(&[unshare, clone]), ..nothing_declared() };
    let seen = eye().watch(&policy).act(|| (0..3).for_each(|_| raw::old_clone(NEW_USER).unwrap()));
    assert_eq!(seen.namespaces(), [NEW_USER]);
    seen.assert_no(&policy, "new_namespaces");
    assert!(3 <= seen.counts["namespace"].aggregated);
}
