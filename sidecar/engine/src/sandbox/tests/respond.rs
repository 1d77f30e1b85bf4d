//! What follows from a finding, step by step.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{NONE, first_effects};
use crate::testing::*;
use crate::*;

#[test]
fn observe_finds_shadow_rehearses_and_enforce_contains() {
    let mut policy = declared();
    policy.actions = policy.actions.with(Capability::Files, Action::Kill);
    let found = ["opened #1", "finding #1 files undeclared_path kill"];
    let steps: [(Mode, &[&str]); 3] = [
        (Mode::Observe, &[]),
        (
            Mode::Shadow,
            &["would contain: freeze #1 finding 1", "would contain: kill #1 freeze_confirmed 1"],
        ),
        (Mode::Enforce, &["contain: freeze #1 finding 1"]),
    ];
    for (mode, steps) in steps {
        policy.mode = mode;
        let told = first_effects(&policy, read("/x"));
        assert_eq!(
            (&told[..2], &told[2..].iter().map(String::as_str).collect::<Vec<_>>()[..]),
            (&found.map(String::from)[..], steps)
        );
    }
}

#[test]
fn a_rehearsal_contains_nothing_and_its_lease_runs_out_all_the_same() {
    let mut policy = Policy { mode: Mode::Shadow, ..declared() };
    policy.containment.on_expiry = OnExpiry::Kill;
    let mut bench = Bench::running(policy);
    bench.tell(event(ms(20), read("/x")));
    assert_eq!(bench.state(), Some(SandboxState::Running));
    assert_eq!(bench.tell(event(ms(21), read("/y"))), ["finding #1 files undeclared_path freeze"]);
    assert_eq!(bench.tell(tick(ms(30_019))), NONE);
    assert_eq!(bench.tell(tick(ms(30_020))), ["would contain: kill #1 lease_expired 1"]);
    assert_eq!(bench.tell(tick(ms(40_000))), NONE);
}

#[test]
fn the_receipts_lead_from_the_freeze_to_the_end() {
    let mut policy = declared();
    policy.containment.on_expiry = OnExpiry::Kill;
    let mut bench = Bench::running(policy);
    bench.tell(event(ms(20), read("/x")));
    assert_eq!(bench.tell(receipt(ms(23), Step::Freeze, Outcome::Done)), NONE);
    assert_eq!(bench.state(), Some(SandboxState::Contained(Rung::Frozen)));
    assert_eq!(bench.tell(tick(ms(30_023))), ["contain: kill #1 lease_expired 1"]);
    assert_eq!(bench.tell(tick(ms(31_023))), ["contain: kill #1 lease_expired 2"]);
    assert_eq!(bench.tell(receipt(ms(31_030), Step::Kill, Outcome::Done)), NONE);
    assert_eq!(bench.state(), Some(SandboxState::Contained(Rung::Killed)));
    assert_eq!(bench.tell(notice(ms(31_031), Notice::Exited { code: 9 })), NONE);
    assert_eq!(bench.state(), Some(SandboxState::Ended));
    assert_eq!(
        bench.tell(Input::Unregister { sandbox: SANDBOX, at: ms(31_032) }),
        ["closed #1 unregistered: 1 findings, 0 more"]
    );
    assert_eq!(bench.state(), None);
}

#[test]
fn a_step_says_since_when_and_because_of_what() {
    let mut bench = Bench::running(declared());
    bench.tell(event(ms(20), read("/x")));
    let Some(Effect::Contain(contain)) = bench.effects.last().cloned() else {
        panic!("no containment: {:?}", bench.effects);
    };
    assert_eq!(contain.offence, ms(20));
    assert_eq!(contain.latency(ms(23)), Duration::from_millis(3));
    assert_eq!(contain.because, bench.findings().next().unwrap().labels());
}

#[test]
fn further_findings_join_the_incident_and_ask_for_nothing_again() {
    let mut bench = Bench::running(declared());
    bench.tell(event(ms(20), read("/x")));
    let told = bench.tell(event(ms(21), connect(LOOPBACK, 1)));
    assert_eq!(told, ["finding #1 network undeclared_destination freeze"]);
}

#[test]
fn a_worse_finding_raises_the_goal_of_the_open_incident() {
    let mut policy = declared();
    policy.actions = policy.actions.with(Capability::Danger, Action::Kill);
    let mut bench = Bench::running(policy);
    bench.tell(event(ms(20), read("/x")));
    bench.tell(receipt(ms(21), Step::Freeze, Outcome::Done));
    // Read from the ring after the freeze, done before it.
    assert_eq!(
        bench.tell(event(ms(20), syscall(101))),
        ["finding #1 danger dangerous_syscall kill", "contain: kill #1 finding 1",]
    );
}

#[test]
fn what_outlives_its_entry_point_is_contained_as_ever() {
    let mut bench = Bench::running(declared());
    bench.tell(notice(ms(30), Notice::Exited { code: 0 }));
    assert_eq!(bench.state(), Some(SandboxState::Ended));
    // Its launcher leaves with it; that is no loss.
    assert_eq!(bench.tell(notice(ms(31), Notice::LauncherLost)), NONE);
    for at in [29, 31] {
        let mut bench = Bench { engine: bench.engine.clone(), effects: Vec::new() };
        assert_eq!(
            bench.tell(event(ms(at), read("/x"))),
            [
                "opened #1",
                "finding #1 files undeclared_path freeze",
                "contain: freeze #1 finding 1",
            ]
        );
        assert_eq!(bench.state(), Some(SandboxState::Contained(Rung::Freezing)));
    }
}

#[test]
fn a_launcher_that_ends_without_its_exec_is_judged_as_a_launcher_to_the_last_call() {
    let mut bench = Bench::starting(declared());
    bench.tell(notice(ms(30), Notice::Exited { code: 127 }));
    assert_eq!(bench.tell(event(ms(29), syscall(231))), NONE);
    assert_eq!(bench.state(), Some(SandboxState::Ended));
}

#[test]
fn an_incident_that_nobody_contains_closes_when_it_goes_quiet_and_the_next_has_a_new_number() {
    let policy = Policy { mode: Mode::Observe, ..declared() };
    let mut bench = Bench::running(policy);
    bench.tell(event(ms(0), read("/x")));
    bench.tell(event(ms(1_000), read("/x")));
    assert_eq!(bench.tell(tick(ms(600_999))), NONE);
    assert_eq!(bench.tell(tick(ms(601_000))), ["closed #1 quiet: 1 findings, 1 more"]);
    assert_eq!(bench.tell(event(ms(601_001), read("/x")))[0], "opened #2");
}

#[test]
fn a_contained_incident_never_closes_by_itself() {
    let mut bench = Bench::running(declared());
    bench.tell(event(ms(20), read("/x")));
    bench.tell(receipt(ms(21), Step::Freeze, Outcome::Done));
    assert_eq!(bench.tell(tick(ms(1 << 40))), NONE);
    assert_eq!(bench.state(), Some(SandboxState::Contained(Rung::Frozen)));
}

#[test]
fn a_policy_replaced_after_the_freeze_cannot_change_its_lease() {
    let mut policy = declared();
    policy.containment.on_expiry = OnExpiry::Kill;
    let mut bench = Bench::running(policy);
    bench.tell(event(ms(20), read("/x")));
    bench.tell(receipt(ms(20), Step::Freeze, Outcome::Done));
    bench.tell(Input::Policy { sandbox: SANDBOX, policy: nothing_declared(), at: ms(21) });
    assert_eq!(bench.tell(tick(ms(30_020))), ["contain: kill #1 lease_expired 1"]);
}

#[test]
fn enforcing_from_now_on_contains_an_incident_that_was_only_rehearsed() {
    let mut bench = Bench::running(Policy { mode: Mode::Shadow, ..declared() });
    bench.tell(event(ms(20), read("/x")));
    bench.tell(Input::Policy { sandbox: SANDBOX, policy: declared(), at: ms(21) });
    // Even the same departure again: this time something follows from it, so it is told again.
    assert_eq!(
        bench.tell(event(ms(22), read("/x"))),
        ["finding #1 files undeclared_path freeze", "contain: freeze #1 finding 1",]
    );
    bench.tell(Input::Policy {
        sandbox: SANDBOX,
        policy: Policy { mode: Mode::Observe, ..declared() },
        at: ms(23),
    });
    assert_eq!(bench.state(), Some(SandboxState::Contained(Rung::Freezing)));
    assert_eq!(bench.tell(tick(ms(1_022))), ["contain: freeze #1 finding 2"]);
}

#[test]
fn what_is_really_contained_needs_no_rehearsal() {
    let mut bench = Bench::running(declared());
    bench.tell(event(ms(20), read("/x")));
    bench.tell(Input::Policy {
        sandbox: SANDBOX,
        policy: Policy { mode: Mode::Shadow, ..declared() },
        at: ms(21),
    });
    assert_eq!(bench.tell(event(ms(22), read("/y"))), ["finding #1 files undeclared_path freeze"]);
}
