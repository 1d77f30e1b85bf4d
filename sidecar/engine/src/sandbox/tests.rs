mod arrival;
mod denied;
mod learned;
mod respond;

use alloc::string::String;
use alloc::vec::Vec;

use crate::testing::*;
use crate::*;

const NONE: [&str; 0] = [];

/// What each single fact leads to, in a fresh running sandbox with this policy.
fn first_effects(policy: &Policy, fact: Fact) -> Vec<String> {
    Bench::running(policy.clone()).tell(event(ms(20), fact))
}

#[test]
fn what_is_declared_leads_to_nothing() {
    let mut bench = Bench::running(declared());
    for fact in [read("/data/x"), exec("/usr/bin/cat", &["cat"]), connect(LOOPBACK, 8080)] {
        assert_eq!(bench.tell(event(ms(20), fact)), NONE);
    }
    assert_eq!(bench.state(), Some(SandboxState::Running));
}

#[test]
fn a_departure_opens_an_incident_tells_a_finding_and_freezes_in_this_order() {
    assert_eq!(
        first_effects(&declared(), read("/etc/shadow")),
        ["opened #1", "finding #1 files undeclared_path freeze", "contain: freeze #1 finding 1",]
    );
}

#[test]
fn the_action_is_the_one_declared_for_the_capability() {
    let mut policy = declared();
    policy.actions = Actions::strict()
        .with(Capability::Syscalls, Action::Alert)
        .with(Capability::Danger, Action::Kill);
    let cases = [
        (read("/x"), "files undeclared_path freeze"),
        (exec("/x", &[]), "exec undeclared_exec freeze"),
        (connect(LOOPBACK, 1), "network undeclared_destination freeze"),
        (network(NetworkOperation::Bind, 6, LOOPBACK, 1), "listen undeclared_listener freeze"),
        (syscall(2), "syscalls undeclared_syscall alert"),
        (syscall(101), "danger dangerous_syscall kill"),
        (fork(200), "processes too_many_processes freeze"),
        (Fact::Entered {}, "processes entered_from_outside freeze"),
        (LEFT, "escape migrated freeze"),
    ];
    for (fact, expected) in cases {
        let told = first_effects(&policy, fact);
        assert_eq!(told[1], std::format!("finding #1 {expected}"));
        // Every action but an alert begins with a freeze.
        assert_eq!(told.len(), if expected.ends_with("alert") { 2 } else { 3 });
    }
}

#[test]
fn an_escape_a_lost_launcher_and_a_silent_picket_freeze_even_where_an_alert_is_declared() {
    let mut policy = declared();
    for capability in Capability::ALL {
        policy.actions = policy.actions.with(*capability, Action::Alert);
    }
    let clone = Fact::Left { how: Departure::ClonedOut, cgroup: 1 };
    for (fact, reason) in [(LEFT, "migrated"), (clone, "cloned_out")] {
        let told = first_effects(&policy, fact);
        assert_eq!(told[1], std::format!("finding #1 escape {reason} freeze"));
    }
    for (heard, reason) in
        [(Notice::LauncherLost, "launcher_lost"), (Notice::Unattended, "unattended")]
    {
        let told = Bench::running(policy.clone()).tell(notice(ms(20), heard));
        assert_eq!(told[1], std::format!("finding #1 telemetry {reason} freeze"));
        assert_eq!(told[2], "contain: freeze #1 finding 1");
    }
}

#[test]
fn until_its_entry_point_runs_a_sandbox_is_judged_as_a_launcher() {
    let mut bench = Bench::starting(declared());
    assert_eq!(bench.state(), Some(SandboxState::Starting));
    assert_eq!(bench.tell(notice(ms(1), Notice::Started)), NONE);
    assert_eq!(bench.tell(event(ms(2), syscall(59))), NONE);
    // The kernel must forget what the launcher showed, or it stays unjudged for the plugin.
    assert_eq!(bench.tell(event(ms(3), exec("/opt/plugin", &[]))), ["narrowed entry_point"]);
    assert_eq!(bench.state(), Some(SandboxState::Running));
    assert_eq!(
        bench.tell(event(ms(4), syscall(59)))[1..2],
        ["finding #1 syscalls undeclared_syscall freeze"]
    );
}

#[test]
fn a_call_before_the_entry_point_is_a_departure_although_declared() {
    let mut bench = Bench::starting(declared());
    assert_eq!(
        bench.tell(event(ms(2), syscall(0)))[1..2],
        ["finding #1 syscalls before_entry_point freeze"]
    );
    assert_eq!(bench.state(), Some(SandboxState::Contained(Rung::Freezing)));
}

#[test]
fn an_undeclared_entry_point_is_a_departure() {
    let mut bench = Bench::starting(declared());
    assert_eq!(
        bench.tell(event(ms(2), exec("/opt/other", &[]))),
        [
            "opened #1",
            "finding #1 exec undeclared_exec freeze",
            "contain: freeze #1 finding 1",
            "narrowed entry_point",
        ]
    );
}

#[test]
fn the_gate_lets_exactly_one_task_in() {
    let mut bench = Bench::starting(declared());
    assert_eq!(bench.tell(event(ms(1), Fact::Entered {})), NONE);
    let second = event_of(SANDBOX, INIT + 1, ms(2), Fact::Entered {});
    assert_eq!(bench.tell(second)[1], "finding #1 processes entered_from_outside freeze");
}

#[test]
fn processes_alive_at_once_are_counted_and_threads_are_not() {
    let policy = Policy { max_processes: 3, ..declared() };
    let mut bench = Bench::running(policy);
    let thread = Fact::Fork { child_tgid: INIT, child_tid: 101 };
    let exit = |tgid| event_of(SANDBOX, tgid, ms(30), Fact::Exit { code: 0 });
    let quiet = [
        event(ms(20), thread),
        event(ms(21), fork(201)),
        event(ms(22), fork(202)),
        exit(201),
        event(ms(31), fork(203)),
        // Heard of twice is alive once.
        event(ms(32), fork(203)),
    ];
    for input in quiet {
        assert_eq!(bench.tell(input), NONE);
    }
    assert_eq!(
        bench.tell(event(ms(33), fork(204)))[1..2],
        ["finding #1 processes too_many_processes freeze"]
    );
    let evidence = bench.findings().next().unwrap().evidence.reveal();
    assert_eq!(evidence.declared, Declared::Processes { limit: 3, alive: 4 });
    // Above the limit a thread is still no further process, and so no further departure.
    let thread = Fact::Fork { child_tgid: INIT, child_tid: 102 };
    bench.tell(event(ms(34), thread));
    assert_eq!(
        bench.tell(Input::Unregister { sandbox: SANDBOX, at: ms(35) }),
        ["closed #1 unregistered: 1 findings, 0 more"]
    );
}

#[test]
fn after_a_loss_processes_are_counted_anew_because_exits_may_be_among_it() {
    let policy = Policy { max_processes: 2, ..declared() };
    let mut bench = Bench::running(policy);
    let loss = Input::Loss { sandbox: SANDBOX, lost: 7, at: ms(22) };
    assert_eq!(bench.tell(event(ms(21), fork(201))), NONE);
    assert_eq!(bench.tell(loss)[1], "finding #1 telemetry events_lost freeze");
    assert_eq!(bench.findings().next().unwrap().evidence.reveal().done, Deed::Lost(7));
    assert_eq!(bench.tell(event(ms(23), fork(202))), NONE);
    assert_eq!(bench.tell(event(ms(23), fork(203))), NONE);
    assert_eq!(
        bench.tell(event(ms(24), fork(204))),
        ["finding #1 processes too_many_processes freeze"]
    );
}

#[test]
fn a_loss_of_nothing_is_no_loss() {
    let mut bench = Bench::running(declared());
    assert_eq!(bench.tell(Input::Loss { sandbox: SANDBOX, lost: 0, at: ms(20) }), NONE);
}

#[test]
fn an_expired_grant_narrows_the_policy_once() {
    let mut policy = declared();
    policy.files[0].until = Some(ms(1_000));
    policy.connect[0].until = Some(ms(2_000));
    let mut bench = Bench::running(policy);
    assert_eq!(bench.tell(event(ms(999), read("/data/x"))), NONE);
    // An event may be ahead of the tick: the grant is over for it, the kernel hears by the tick.
    assert_eq!(bench.tell(tick(ms(999))), NONE);
    assert_eq!(bench.tell(tick(ms(1_000))), ["narrowed grant_expired"]);
    assert_eq!(bench.tell(tick(ms(1_001))), NONE);
    assert_eq!(bench.tell(tick(ms(5_000))), ["narrowed grant_expired"]);
    assert_eq!(bench.tell(tick(ms(6_000))), NONE);
    assert_eq!(
        bench.tell(event(ms(6_001), read("/data/x")))[1],
        "finding #1 files grant_expired freeze"
    );
}

#[test]
fn a_grant_that_ends_between_two_ticks_is_not_forgotten_because_of_an_event_in_between() {
    let mut policy = declared();
    policy.files[0].until = Some(ms(1_000));
    let mut bench = Bench::running(policy);
    assert_eq!(bench.tell(event(ms(1_500), connect(LOOPBACK, 8080))), NONE);
    assert_eq!(bench.tell(tick(ms(1_600))), ["narrowed grant_expired"]);
}

#[test]
fn a_replaced_policy_counts_at_once_and_the_same_policy_changes_nothing() {
    let mut bench = Bench::starting(declared());
    bench.tell(event(ms(1), exec("/opt/plugin", &[])));
    let replace = |policy| Input::Policy { sandbox: SANDBOX, policy, at: ms(2) };
    assert_eq!(bench.tell(replace(declared())), NONE);
    assert_eq!(bench.tell(event(ms(3), read("/data/x"))), NONE);
    assert_eq!(bench.tell(replace(nothing_declared())), ["narrowed policy_replaced"]);
    assert_eq!(bench.tell(event(ms(4), read("/data/x")))[0], "opened #1");
}
