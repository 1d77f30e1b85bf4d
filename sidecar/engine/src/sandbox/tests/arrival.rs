//! Sandboxes that somebody else made: when judgement begins.

use alloc::vec::Vec;

use super::NONE;
use crate::testing::*;
use crate::*;

/// One sandbox that was found in this state; nothing is declared but what `declared` says.
fn found(arrival: Arrival) -> Bench {
    let mut bench = Bench::empty();
    let at = KernelTime::BOOT;
    bench.tell(Input::Register { sandbox: SANDBOX, policy: declared(), arrival, at });
    bench
}

fn empty() -> Bench {
    found(Arrival::Empty { until: ms(1000) })
}

#[test]
fn who_sets_a_sandbox_up_is_not_judged_and_its_first_program_is() {
    let mut bench = empty();
    let setting_up = [Fact::Entered {}, read("/etc/passwd"), syscall(165), fork(101)];
    for fact in setting_up {
        assert_eq!(bench.tell(event(ms(1), fact)), NONE);
    }
    assert_eq!(bench.state(), Some(SandboxState::Starting));
    assert_eq!(
        bench.tell(event(ms(2), exec("/bin/other", &[]))),
        [
            "opened #1",
            "finding #1 exec undeclared_exec freeze",
            "contain: freeze #1 finding 1",
            "narrowed entry_point",
        ]
    );
}

#[test]
fn after_its_first_program_a_sandbox_is_judged_by_its_manifest() {
    let mut bench = empty();
    assert_eq!(bench.tell(event(ms(2), exec("/opt/plugin", &[]))), ["narrowed entry_point"]);
    assert_eq!(bench.state(), Some(SandboxState::Running));
    assert_eq!(
        bench.tell(event(ms(3), read("/etc/passwd")))[1],
        "finding #1 files undeclared_path freeze"
    );
}

#[test]
fn setting_up_ends_with_its_time_although_nothing_was_executed() {
    let mut bench = empty();
    assert_eq!(bench.tell(tick(ms(999))), NONE);
    assert_eq!(bench.tell(tick(ms(1000))), ["narrowed setup_over"]);
    assert_eq!(bench.state(), Some(SandboxState::Running));

    // An event may be read before the tick.
    let mut bench = empty();
    let effects = bench.tell(event(ms(1000), read("/etc/passwd")));
    assert_eq!(effects[0], "narrowed setup_over");
    assert_eq!(effects[2], "finding #1 files undeclared_path freeze");
}

#[test]
fn what_is_found_at_work_is_judged_at_once_and_its_processes_are_counted() {
    let mut bench = found(Arrival::Running { processes: Vec::from([INIT, 200]) });
    assert_eq!(bench.state(), Some(SandboxState::Running));
    let effects = bench.tell(event(ms(1), fork(300)));
    assert_eq!(effects[1], "finding #1 processes too_many_processes freeze");
    let effects = bench.tell(event(ms(2), syscall(59)));
    assert_eq!(effects, ["finding #1 syscalls undeclared_syscall freeze"]);
}
