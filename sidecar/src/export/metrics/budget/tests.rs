use std::sync::atomic::Ordering::Relaxed;

use picket_abi::{Counts, hook};
use picket_engine::{Departure, Fact};
use proptest::prelude::*;

use super::*;
use crate::export::{
    Metrics, Records,
    metrics::{
        series::tests::FINDING,
        tests::{n_counted, samples, sandbox, subject, sum, with_room_for},
    },
};

fn left() -> Fact {
    Fact::Left { how: Departure::Migrated, cgroup: 1 }
}

fn is(value: f64, expected: u32) -> bool {
    (value - f64::from(expected)).abs() < f64::EPSILON
}

/// A sandbox of its own for a plugin that does one thing and ends.
fn come_and_go(metrics: &Metrics, plugin: &str) {
    metrics.sandbox(sandbox(0), &subject(plugin, "1")).event(&left());
}

fn events_of(metrics: &Metrics, plugin: &str) -> f64 {
    sum(&samples(metrics), "picket_events_total", &[("plugin", plugin)])
}

#[test]
fn beyond_the_budget_sandboxes_share_series_and_are_counted() {
    let metrics = with_room_for(OF_RELEASE + 2 * OF_SANDBOX + OF_SANDBOX - 1);
    let mut series: Vec<_> =
        (0..5).map(|slot| metrics.sandbox(sandbox(slot), &subject("greeter", "1"))).collect();
    let counts = Counts { fired: 4, ..Counts::default() };
    series.iter_mut().for_each(|one| one.tell(hook::EXEC, &counts, Records::default()));
    let there = samples(&metrics);
    let fired = |plugin| sum(&there, "picket_kernel_events_total", &[("plugin", plugin)]);
    assert!(is(fired("greeter"), 8) && is(fired("_other"), 12));
    assert!(is(sum(&there, "picket_metric_series_folded", &[]), 3));
    // What was shared stays: others are in it. A place that is free again is taken by the next.
    drop(series);
    let _next = metrics.sandbox(sandbox(9), &subject("greeter", "1"));
    let there = samples(&metrics);
    assert!(is(sum(&there, "picket_metric_series_folded", &[]), 0));
    assert!(is(sum(&there, "picket_kernel_events_total", &[("plugin", "_other")]), 12));
    assert!(is(sum(&there, "picket_sandbox_info", &[("slot", "9")]), 1));
}

#[test]
fn a_million_names_cost_no_more_than_the_budget_and_none_of_their_counts_is_lost() {
    const NAMES: u32 = 1_000_000;
    let metrics = with_room_for(40 * OF_RELEASE + 2 * OF_SANDBOX);
    let known = metrics.sandbox(sandbox(1), &subject("known", "1"));
    for number in 0..NAMES {
        come_and_go(&metrics, &format!("plugin-{number}"));
        known.event(&left());
    }
    let table = metrics.sandboxes.table.lock().unwrap();
    assert!(table.releases.len() <= 40 && table.sharing.len() <= 1 && table.seated.len() <= 2);
    drop(table);
    let there = samples(&metrics);
    assert!(n_counted(&there) <= 40 * OF_RELEASE + 2 * OF_SANDBOX + RESERVED);
    assert!(metrics.text().len() < 400_000);
    let of = |plugin: &str| sum(&there, "picket_events_total", &[("plugin", plugin)]);
    assert!(is(of("known"), NAMES), "a known plugin keeps its own");
    assert!(is(sum(&there, "picket_events_total", &[]), 2 * NAMES));
    assert!(f64::from(NAMES - 40) <= of("_other"), "{}", of("_other"));
}

#[test]
fn who_rested_longest_goes_first_and_who_has_a_sandbox_stays() {
    let metrics = with_room_for(4 * OF_RELEASE + 2 * OF_SANDBOX);
    let kept = metrics.sandbox(sandbox(1), &subject("kept", "1"));
    for plugin in ["a", "b", "c", "a", "d"] {
        come_and_go(&metrics, plugin);
    }
    drop(kept);
    let there = |plugin: &str| {
        let there = samples(&metrics);
        there.keys().any(|(_, labels)| labels.get("plugin").is_some_and(|one| one == plugin))
    };
    // One goes for d, and one more so that the next need not look. Nothing of them had been scraped.
    assert_eq!(["kept", "a", "b", "c", "d"].map(there), [true, true, false, false, true]);
    assert!(is(events_of(&metrics, "_other"), 2));
}

#[test]
fn what_a_scrape_has_said_of_a_plugin_is_not_said_again_of_the_others() {
    let metrics = with_room_for(OF_RELEASE + 1 + OF_SANDBOX);
    let series = metrics.sandbox(sandbox(0), &subject("a", "1"));
    series.event(&left());
    series.finding(FINDING);
    let text = metrics.text();
    assert!(text.contains("plugin=\"a\""), "{text}");
    series.event(&left());
    series.event(&left());
    drop(series);
    come_and_go(&metrics, "b");
    let there = samples(&metrics);
    let other = |family| sum(&there, family, &[("plugin", "_other")]);
    assert!(is(other("picket_events_total"), 2));
    assert!(is(other("picket_findings_total"), 0));
}

#[test]
fn a_finding_without_room_is_counted_with_the_others_and_its_plugin_as_folded() {
    let metrics = with_room_for(OF_RELEASE + OF_SANDBOX);
    let series = metrics.sandbox(sandbox(0), &subject("a", "1"));
    series.finding(FINDING);
    series.finding(FINDING);
    let there = samples(&metrics);
    assert!(is(sum(&there, "picket_findings_total", &[("plugin", "_other")]), 2));
    assert!(is(sum(&there, "picket_metric_series_folded", &[]), 1));
}

#[test]
fn the_number_of_series_that_is_told_is_the_number_that_is_there() {
    let metrics = with_room_for(3 * OF_RELEASE + OF_SANDBOX + 1);
    let mut series = Vec::new();
    for slot in 0..5 {
        let one = metrics.sandbox(sandbox(slot), &subject(&format!("p{slot}"), "1"));
        one.finding(FINDING);
        series.push(one);
        let there = samples(&metrics);
        let told = sum(&there, "picket_metric_series", &[]);
        assert!(is(told, u32::try_from(n_counted(&there)).unwrap()), "{slot}: {told}");
        assert!(told <= sum(&there, "picket_metric_series_limit", &[]));
    }
    assert!(metrics.sandboxes.table.lock().unwrap().shared.used.load(Relaxed));
}

proptest! {
    /// Quotes, backslashes, braces, line ends and whatever else Unicode has.
    #[test]
    fn no_name_breaks_the_text_format(
        plugin in r#"(["\\{}=,\n\r\t #é✓\u{202e}\u{0}]|\PC){0,80}"#,
        version in ".{0,200}",
    ) {
        let metrics = with_room_for(1_000);
        let subject = subject(&plugin, &version);
        let series = metrics.sandbox(sandbox(0), &subject);
        series.event(&left());
        let wanted = [("plugin", subject.plugin.as_str()), ("version", subject.version.as_str())];
        prop_assert!(is(sum(&samples(&metrics), "picket_events_total", &wanted), 1));
    }
}
