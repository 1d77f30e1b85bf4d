//! What follows from learned evidence: an alert or a freeze, and never an end.

use alloc::string::ToString as _;

use super::NONE;
use crate::learned::Severity;
use crate::testing::*;
use crate::*;

fn killing() -> Policy {
    let mut policy = declared();
    policy.containment.on_expiry = OnExpiry::Kill;
    for capability in Capability::declared() {
        policy.actions = policy.actions.with(capability, Action::Kill);
    }
    policy
}

#[test]
fn evidence_alerts_or_freezes_as_its_budget_says_whatever_the_manifest_says() {
    let mut bench = Bench::running(killing());
    assert_eq!(
        bench.tell(anomalous(ms(20), Severity::Alert)),
        ["opened #1", "finding #1 behaviour anomalous_behaviour alert"]
    );
    assert_eq!(
        bench.tell(anomalous(ms(21), Severity::Contain)),
        ["finding #1 behaviour anomalous_behaviour freeze", "contain: freeze #1 finding 1"]
    );
    let Deed::Anomaly(told) = &bench.findings().last().unwrap().evidence.reveal().done else {
        panic!("evidence without its reasons");
    };
    assert_eq!(
        told.claim().to_string(),
        "at most one false action per 30 plugin-days; dry-run up to 28 days, extrapolated beyond"
    );
    assert!(!std::format!("{told:?}").contains("/usr/bin/id"));
}

#[test]
fn what_was_learned_never_kills() {
    let mut bench = Bench::running(killing());
    bench.tell(anomalous(ms(20), Severity::Contain));
    // A freeze that failed is asked for again.
    assert_eq!(bench.tell(receipt(ms(21), Step::Freeze, Outcome::Failed)), NONE);
    assert_eq!(bench.tell(tick(ms(1_020))), ["contain: freeze #1 finding 2"]);
    assert_eq!(bench.tell(receipt(ms(1_021), Step::Freeze, Outcome::Done)), NONE);
    // No lease of it runs out.
    assert_eq!(bench.tell(tick(ms(90_000_000))), NONE);
    assert_eq!(bench.state(), Some(SandboxState::Contained(Rung::Frozen)));
}

#[test]
fn a_declared_departure_that_was_under_way_takes_the_freeze_over() {
    let mut policy = killing();
    policy.actions = Actions::strict();
    let mut bench = Bench::running(policy);
    bench.tell(anomalous(ms(20), Severity::Contain));
    bench.tell(receipt(ms(21), Step::Freeze, Outcome::Done));
    assert_eq!(bench.tell(event(ms(20), read("/x"))), ["finding #1 files undeclared_path freeze"]);
    assert_eq!(bench.tell(tick(ms(30_021))), ["contain: kill #1 lease_expired 1"]);
}

#[test]
fn a_mode_that_does_not_contain_only_tells() {
    for (mode, would) in [(Mode::Observe, 0), (Mode::Shadow, 1)] {
        let mut bench = Bench::running(Policy { mode, ..declared() });
        let told = bench.tell(anomalous(ms(20), Severity::Contain));
        assert_eq!(told.len(), 2 + would, "{told:?}");
        assert!(!told.iter().any(|line| line.starts_with("contain")), "{told:?}");
    }
}
