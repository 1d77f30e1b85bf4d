use picket_engine::{Action, Capability, Departure, Reason};

use super::*;
use crate::export::{
    Metrics, SeriesBudget,
    metrics::tests::{count, samples, sandbox, subject, sum},
};

pub(in crate::export::metrics) const FINDING: FindingLabels = FindingLabels {
    capability: Capability::Files,
    reason: Reason::UndeclaredPath,
    action: Action::Freeze,
};

const EXEC: u16 = hook::EXEC;

fn metrics() -> Metrics {
    Metrics::for_tests(SeriesBudget::DEFAULT)
}

fn left() -> Fact {
    Fact::Left { how: Departure::Migrated, cgroup: 1 }
}

fn counted(fired: u64) -> (Counts, Records) {
    let counts = Counts { fired, submitted: fired, ..Counts::default() };
    (counts, Records { consumed: fired, scored: fired, shed: 0 })
}

fn is(value: f64, expected: u32) -> bool {
    (value - f64::from(expected)).abs() < f64::EPSILON
}

#[test]
fn a_sandbox_has_a_series_for_each_hook_and_outcome_from_the_start_and_none_after_its_end() {
    let metrics = metrics();
    let series = metrics.sandbox(sandbox(3), &subject("greeter", "1"));
    let families = ["picket_kernel_events_total", "picket_records_total", "picket_sandbox_info"];
    let there = samples(&metrics);
    assert_eq!(families.map(|family| count(&there, family)), [102, 51, 1]);
    drop(series);
    let there = samples(&metrics);
    assert_eq!(families.map(|family| count(&there, family)), [0, 0, 0]);
}

#[test]
fn a_counter_takes_what_is_new_and_never_falls() {
    let metrics = metrics();
    let mut series = metrics.sandbox(sandbox(3), &subject("greeter", "1"));
    for fired in [5, 9, 8, 9] {
        let (counts, records) = counted(fired);
        series.tell(EXEC, &counts, records);
    }
    let wanted = [("plugin", "greeter"), ("slot", "3"), ("hook", "exec"), ("outcome", "fired")];
    assert!(is(sum(&samples(&metrics), "picket_kernel_events_total", &wanted), 9));
}

#[test]
fn what_happens_is_counted_under_name_version_and_digest() {
    let metrics = metrics();
    let mut series = metrics.sandbox(sandbox(0), &subject("p", "2"));
    let _other = metrics.sandbox(sandbox(1), &subject("p", "1"));
    series.judged(Mode::Shadow);
    series.judged(Mode::Enforce);
    series.event(&left());
    series.event(&left());
    series.finding(FINDING);
    series.finding(FINDING);
    series.incident_opened();
    series.step(Step::Freeze, Outcome::Done);
    let samples = samples(&metrics);
    let of = |family, label| {
        let who = [("plugin", "p"), ("version", "2"), ("digest", "0123456789ab")];
        sum(&samples, family, &[&who[..], &[label]].concat())
    };
    assert!(is(of("picket_events_total", ("event", "left")), 2));
    assert!(is(of("picket_findings_total", ("reason", "undeclared_path")), 2));
    assert!(is(of("picket_incidents_total", ("node", "node")), 1));
    assert!(is(of("picket_incidents_open", ("tier", "trace")), 1));
    assert!(is(of("picket_containments_total", ("outcome", "done")), 1));
    assert!(is(of("picket_sandboxes", ("mode", "enforce")), 1));
    assert!(is(sum(&samples, "picket_sandboxes", &[]), 1));
    assert!(is(sum(&samples, "picket_events_total", &[("version", "1")]), 0));
}

#[test]
fn a_sandbox_that_gets_another_name_goes_on_counting_where_it_was() {
    let metrics = metrics();
    let mut series = metrics.sandbox(sandbox(0), &subject("p", "1"));
    series.judged(Mode::Enforce);
    series.incident_opened();
    let (counts, records) = counted(7);
    series.tell(EXEC, &counts, records);
    let mut next = metrics.sandbox(sandbox(0), &subject("p", "2"));
    next.take_over(&mut series);
    drop(series);
    let (counts, records) = counted(8);
    next.tell(EXEC, &counts, records);
    let there = samples(&metrics);
    let fired = [("hook", "exec"), ("outcome", "fired")];
    assert!(is(sum(&there, "picket_kernel_events_total", &fired), 8));
    for (version, expected) in [("1", 0), ("2", 1)] {
        let of = |family| sum(&there, family, &[("version", version)]);
        let levels = ["picket_incidents_open", "picket_sandboxes", "picket_sandbox_info"];
        assert!(levels.into_iter().all(|family| is(of(family), expected)), "{version}");
    }
    next.incident_closed();
    drop(next);
    let there = samples(&metrics);
    assert!(is(sum(&there, "picket_incidents_open", &[]), 0));
    assert!(is(sum(&there, "picket_sandboxes", &[]), 0));
}

#[test]
fn nothing_that_is_counted_waits_for_a_scrape() {
    let metrics = metrics();
    let mut series = metrics.sandbox(sandbox(0), &subject("p", "1"));
    let mut nobody = metrics.nobody();
    let table = Arc::clone(&metrics.sandboxes.table);
    // As somebody who is in the middle of a scrape; whoever waited for it now would do so for ever.
    let scrape = table.lock().unwrap();
    for series in [&mut series, &mut nobody] {
        series.judged(Mode::Enforce);
        series.event(&left());
        series.finding(FINDING);
        series.incident_opened();
        series.step(Step::Kill, Outcome::Failed);
        series.incident_closed();
        let (counts, records) = counted(7);
        series.tell(EXEC, &counts, records);
    }
    drop((series, nobody));
    drop(scrape);
    let there = samples(&metrics);
    assert!(is(sum(&there, "picket_findings_total", &[("plugin", "p")]), 1));
    assert!(is(sum(&there, "picket_findings_total", &[("plugin", "_other")]), 1));
}
