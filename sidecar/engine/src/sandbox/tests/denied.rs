//! What follows from calls that a filter refused.

use crate::testing::*;
use crate::*;

const PTRACE: u32 = 101;

fn denied(number: u32) -> Fact {
    denied_with(number, SyscallAbi::Native, false)
}

fn denied_with(number: u32, abi: SyscallAbi, by_arguments: bool) -> Fact {
    Fact::Denied { number, abi, arguments: [7; 6], by_arguments }
}

fn told_and_then_frozen() -> Policy {
    let policy = declared();
    Policy { actions: policy.actions.with_denials(Denials::STANDARD), ..policy }
}

#[test]
fn a_refused_call_is_told_and_the_third_of_an_incident_is_contained() {
    let mut bench = Bench::running(told_and_then_frozen());
    let first = bench.tell(event(ms(20), denied(PTRACE)));
    assert_eq!(first, ["opened #1", "finding #1 danger denied_attempt alert"]);
    // The same again is no news, and counts.
    assert_eq!(bench.tell(event(ms(21), denied(PTRACE))), [""; 0]);
    let third = bench.tell(event(ms(22), denied(2)));
    let expected = ["finding #1 syscalls denied_attempt freeze", "contain: freeze #1 finding 1"];
    assert_eq!(third, expected);
}

#[test]
fn one_attempt_three_times_is_as_repeated_as_three() {
    let mut bench = Bench::running(told_and_then_frozen());
    bench.tell(event(ms(20), denied(PTRACE)));
    bench.tell(event(ms(21), denied(PTRACE)));
    let third = bench.tell(event(ms(22), denied(PTRACE)));
    let expected = ["finding #1 danger denied_attempt freeze", "contain: freeze #1 finding 1"];
    assert_eq!(third, expected);
}

#[test]
fn attempts_of_an_incident_that_is_over_are_not_counted_any_more() {
    let mut bench = Bench::running(told_and_then_frozen());
    bench.tell(event(ms(20), denied(PTRACE)));
    bench.tell(event(ms(21), denied(PTRACE)));
    bench.tell(tick(ms(700_000)));
    let later = bench.tell(event(ms(700_001), denied(PTRACE)));
    assert_eq!(later, ["opened #2", "finding #2 danger denied_attempt alert"]);
}

#[test]
fn refused_attempts_have_actions_of_their_own() {
    let policy = declared();
    for (first, repeated) in [(Action::Alert, Action::Alert), (Action::Kill, Action::Kill)] {
        let actions = policy.actions.with_denials(Denials { first, repeated });
        let mut bench = Bench::running(Policy { actions, ..policy.clone() });
        for (at, number) in [(20, 2), (21, 3), (22, 4), (23, PTRACE)] {
            bench.tell(event(ms(at), denied(number)));
            let found: alloc::vec::Vec<_> = bench.findings().map(|it| it.action).collect();
            assert_eq!(found, [first], "whatever `syscalls` and `danger` say");
        }
    }
}

#[test]
fn every_table_is_judged_by_its_own_numbers() {
    let cases = [
        (2, SyscallAbi::Native, Capability::Syscalls),
        (PTRACE, SyscallAbi::Native, Capability::Danger),
        (2, SyscallAbi::Ia32, Capability::Danger),
        (1 << 30, SyscallAbi::X32, Capability::Danger),
    ];
    for (number, abi, capability) in cases {
        let mut bench = Bench::running(declared());
        bench.tell(event(ms(20), denied_with(number, abi, false)));
        let found = bench.findings().next().unwrap();
        assert_eq!((found.capability, found.reason), (capability, Reason::DeniedAttempt));
    }
}

#[test]
fn a_refused_call_that_another_manifest_declares_departs_from_that_only_by_its_arguments() {
    let mut policy = declared();
    policy.foreign_abi = true;
    let is_told = |fact: Fact| {
        let mut bench = Bench::running(policy.clone());
        bench.tell(event(ms(20), fact));
        bench.findings().count() == 1
    };
    assert!(!is_told(denied(257)));
    assert!(is_told(denied_with(257, SyscallAbi::Native, true)));
    assert!(!is_told(denied_with(5, SyscallAbi::Ia32, false)));
    assert!(is_told(denied_with(26, SyscallAbi::Ia32, false)), "32-bit ptrace");
}
