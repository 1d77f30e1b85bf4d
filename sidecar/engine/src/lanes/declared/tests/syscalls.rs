//! What is said of syscalls, fact by fact.

use super::{Context, check, context, judge};
use crate::testing::*;
use crate::*;

#[test]
fn a_dangerous_call_is_denied_unless_declared_by_number() {
    const PTRACE: u32 = 101;
    let mut policy = declared();
    check(
        &policy,
        &[
            (syscall(0), None),
            (syscall(2), Some(Reason::UndeclaredSyscall)),
            (syscall(PTRACE), Some(Reason::DangerousSyscall)),
            (syscall(512), Some(Reason::UndeclaredSyscall)),
            (syscall(u32::MAX), Some(Reason::UndeclaredSyscall)),
        ],
    );
    policy.syscalls.insert(PTRACE);
    check(&policy, &[(syscall(PTRACE), None)]);
}

#[test]
fn f1_a_call_of_another_abi_is_dangerous_unless_declared_and_then_not_its_danger_set() {
    let call = |number, abi| Fact::Syscall { number, abi, arguments: Arguments::NONE };
    let mut policy = declared();
    for abi in [SyscallAbi::Ia32, SyscallAbi::X32] {
        check(&policy, &[(call(0, abi), Some(Reason::ForeignAbi))]);
    }
    policy.foreign_abi = true;
    check(
        &policy,
        &[
            (call(5, SyscallAbi::Ia32), None),
            (call(26, SyscallAbi::Ia32), Some(Reason::DangerousSyscall)),
            (call(1 << 30, SyscallAbi::X32), None),
            (call(1 << 30 | 521, SyscallAbi::X32), Some(Reason::DangerousSyscall)),
        ],
    );
}

#[test]
fn before_the_entry_point_only_the_launchers_calls_are_fine_even_declared_ones_are_not() {
    let policy = Policy { foreign_abi: true, ..declared() };
    let starting = Context { starting: true, ..context(&policy) };
    let reason = |fact| judge(&starting, &fact).map(|offence| (offence.capability, offence.reason));
    for number in LAUNCHER.numbers() {
        assert_eq!(reason(syscall(number)), None);
    }
    let cases = [
        (syscall(0), Capability::Syscalls, Reason::BeforeEntryPoint),
        (syscall(101), Capability::Danger, Reason::DangerousSyscall),
        (
            Fact::Syscall { number: 4, abi: SyscallAbi::Ia32, arguments: Arguments::NONE },
            Capability::Danger,
            Reason::ForeignAbi,
        ),
    ];
    for (fact, capability, reason_expected) in cases {
        assert_eq!(reason(fact), Some((capability, reason_expected)));
    }
}
