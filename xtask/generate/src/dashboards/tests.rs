use std::{collections::BTreeSet, fs, path::Path};

use super::{alerts, rules};

/// Headings of the second level.
fn sections(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("## ")).collect()
}

#[test]
fn every_alert_has_a_section_in_the_runbook_and_every_section_an_alert() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(rules::RUNBOOK);
    let text = fs::read_to_string(path).unwrap();
    let alerts = alerts::all();
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert.name).collect();
    assert_eq!(sections(&text), names, "left: {}, right: the rules", rules::RUNBOOK);
}

#[test]
fn every_alert_is_named_after_picket_and_says_nothing_of_labels_in_its_summary() {
    for alert in alerts::all() {
        let name = alert.name;
        assert!(name.starts_with("Picket") && name.chars().all(char::is_alphanumeric), "{name}");
        assert!(!alert.summary.contains("{{") && alert.summary.ends_with('.'), "{name}");
    }
}
