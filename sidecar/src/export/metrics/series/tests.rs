use super::*;
use crate::{export::Metrics, probe::Tier};

fn lines(metrics: &Metrics, family: &str) -> Vec<String> {
    let prefix = format!("{family}{{");
    let text = metrics.text();
    text.lines().filter(|line| line.starts_with(&prefix)).map(str::to_owned).collect()
}

fn counted(fired: u64) -> (Counts, Records) {
    let counts = Counts { fired, submitted: fired, ..Counts::default() };
    (counts, Records { consumed: fired, scored: fired, shed: 0 })
}

#[test]
fn a_sandbox_has_a_series_for_each_hook_and_outcome_from_the_start_and_none_after_its_end() {
    let metrics = Metrics::new(Tier::Trace);
    let series = metrics.sandbox("greeter", 3);
    assert_eq!(lines(&metrics, "picket_kernel_events_total").len(), 60);
    assert_eq!(lines(&metrics, "picket_records_total").len(), 30);
    drop(series);
    assert_eq!(lines(&metrics, "picket_kernel_events_total"), Vec::<String>::new());
    assert_eq!(lines(&metrics, "picket_records_total"), Vec::<String>::new());
}

#[test]
fn a_counter_takes_what_is_new_and_never_falls() {
    let metrics = Metrics::new(Tier::Trace);
    let mut series = metrics.sandbox("greeter", 3);
    for fired in [5, 9, 8, 9] {
        let (counts, records) = counted(fired);
        series.tell("open", &counts, records);
    }
    let series = "{hook=\"open\",outcome=\"fired\",plugin=\"greeter\",slot=\"3\"}";
    let line = lines(&metrics, "picket_kernel_events_total")
        .into_iter()
        .find(|line| line.contains(series))
        .unwrap();
    assert_eq!(line, format!("picket_kernel_events_total{series} 9"));
}

#[test]
fn beyond_the_budget_sandboxes_share_series_and_are_counted() {
    let metrics = Metrics::new(Tier::Trace);
    let slots = 0..u32::try_from(BUDGET).unwrap();
    let mut own: Vec<_> = slots.map(|slot| metrics.sandbox("greeter", slot)).collect();
    let full = lines(&metrics, "picket_kernel_events_total").len();
    let mut folded: Vec<_> = (100..110).map(|slot| metrics.sandbox("greeter", slot)).collect();
    assert_eq!(lines(&metrics, "picket_kernel_events_total").len(), full + 60);
    assert!(metrics.text().contains("picket_metric_series_folded 10"));
    for series in &mut folded {
        let (counts, records) = counted(4);
        series.tell("exec", &counts, records);
    }
    let shared = "{hook=\"exec\",outcome=\"scored\",plugin=\"_other\",slot=\"_other\"} 40";
    assert!(metrics.text().contains(&format!("picket_records_total{shared}")));
    // What was shared stays: others are in it. A place that is free again is taken by the next.
    drop(folded);
    own.pop();
    let _next = metrics.sandbox("greeter", 100);
    assert!(metrics.text().contains("picket_metric_series_folded 0"));
    assert_eq!(lines(&metrics, "picket_kernel_events_total").len(), full + 60);
}
