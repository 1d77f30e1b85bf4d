//! What is suggested of made-up baselines, read back by other means than it was written with.

mod changed;
mod policy;
mod profile;

use picket_engine::{
    baseline::{Acceptance, Baseline, Run, RunId},
    learned::PluginTime,
};

use super::*;
use crate::baseline::testing::identity;

/// A baseline of one run with these deeds.
fn entry(deeds: &[(Family, &str)]) -> Entry {
    let identity = identity("weather");
    let mut run = Run::new(1_700_000_000, PluginTime::from_millis(1000), true, 1);
    deeds.iter().for_each(|(family, template)| run.count(*family, template, 1));
    let mut baseline = Baseline::new(identity.subject());
    baseline.learn(RunId([1; 16]), &run);
    Entry { identity, baseline }
}

fn accept(entry: &mut Entry, family: Family, template: &str) {
    let text = str::to_owned;
    let (template, by, reason) = (text(template), text("root"), text("known"));
    entry.baseline.accept(Acceptance { at: 1, family, template, by, reason });
}

fn source(entry: &Entry) -> Source<'_> {
    Source { entry, missing: Vec::new() }
}

fn left(suggestion: &Suggestion) -> Vec<&str> {
    suggestion.left.iter().map(|left| left.what.as_str()).collect()
}

#[test]
fn what_is_not_known_well_enough_says_so_with_each_condition_once() {
    let entry = entry(&[]);
    let missing = vec![Condition::NewInNextRun, Condition::Days, Condition::NewInNextRun];
    let warning = Source { entry: &entry, missing }.warning().unwrap();
    assert!(warning.contains("(days, new_in_next_run missing; "), "{warning}");
    assert_eq!(source(&entry).warning(), None);
}
