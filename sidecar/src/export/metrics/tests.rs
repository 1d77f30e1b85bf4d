//! What the tests of metrics share: sandboxes with names, and scrapes taken apart.

use std::{collections::BTreeMap, sync::Arc};

use picket_engine::{Resource, SandboxId};

use super::{Metrics, SeriesBudget};
use crate::export::{
    AlertMetrics, BaselineMetrics, ContainerState, DaemonMetrics, Fate, OperatorWord, Subject,
    registry,
};

/// Sample by name and labels, each as it is written.
pub(super) type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

pub(super) fn subject(plugin: &str, version: &str) -> Arc<Subject> {
    let [plugin, version, digest] = [plugin, version, "0123456789ab"].map(OperatorWord::new);
    Arc::new(Subject { plugin, version, digest, place: None })
}

pub(super) fn sandbox(slot: u32) -> SandboxId {
    SandboxId { slot, generation: 1 }
}

pub(super) fn with_room_for(n_series: usize) -> Metrics {
    let limit = u32::try_from(super::budget::RESERVED + n_series).unwrap();
    // Less than a configuration may say.
    Metrics::for_tests(SeriesBudget(limit))
}

/// All samples of a scrape; none may be there twice.
pub(super) fn samples(metrics: &Metrics) -> Samples {
    let text = metrics.text();
    let mut samples = Samples::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, rest) = series.split_once('{').unwrap();
        let key = (name.to_owned(), labels(rest.strip_suffix('}').unwrap()));
        assert!(samples.insert(key, value.parse().unwrap()).is_none(), "twice: {line}");
    }
    samples
}

/// As the text format's definition has it: `name="value"`, in which `\\`, `\"` and `\n` are escapes.
fn labels(mut text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let (mut value, mut rest) = (String::new(), rest.chars());
        loop {
            match rest.next().expect("a closing quote") {
                '"' => break,
                '\\' => value.push(match rest.next() {
                    Some('n') => '\n',
                    Some(c @ ('\\' | '"')) => c,
                    other => panic!("{other:?} is no escape"),
                }),
                c => value.push(c),
            }
        }
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} twice");
        let rest = rest.as_str();
        text = rest.strip_prefix(',').unwrap_or(rest);
        assert!(rest.is_empty() || rest.starts_with(','), "{rest}");
    }
    assert_eq!(text, "");
    labels
}

/// The sum of a family's samples that have these labels.
pub(super) fn sum(samples: &Samples, family: &str, wanted: &[(&str, &str)]) -> f64 {
    let fits = |labels: &BTreeMap<String, String>| {
        wanted.iter().all(|(name, value)| labels.get(*name).map(String::as_str) == Some(value))
    };
    let of = samples.iter().filter(|((name, labels), _)| name == family && fits(labels));
    of.map(|(_, value)| value).sum()
}

pub(super) fn count(samples: &Samples, family: &str) -> usize {
    samples.keys().filter(|(name, _)| name == family).count()
}

/// Samples that the budget counts.
pub(super) fn n_counted(samples: &Samples) -> usize {
    let counts = |labels: &BTreeMap<String, String>| labels.contains_key("plugin");
    samples.keys().filter(|(_, labels)| counts(labels)).count()
}

#[test]
fn a_scrape_has_what_is_registered_with_its_type_help_and_labels_and_nothing_else() {
    let metrics = Metrics::for_tests(SeriesBudget::DEFAULT);
    let daemon = DaemonMetrics::register(&metrics);
    daemon.containers(ContainerState::Held, 1);
    let alerts = AlertMetrics::register(&metrics);
    alerts.waiting(&OperatorWord::new("oncall"), 1, 0);
    alerts.up(&OperatorWord::new("oncall"), true);
    BaselineMetrics::register(&metrics).ready(&OperatorWord::new("p"), true);
    let series = metrics.sandbox(sandbox(0), &subject("p", "1"));
    series.finding(super::series::tests::FINDING);
    series.used(&Resource::ALL.iter().map(|resource| (*resource, 1)).collect());
    metrics.lost(&[("ring_full", 0)]);
    metrics.canary_missed("connect4", 0);
    metrics.attached(&["exec"]);
    metrics.backlog("events", 0);
    drop((metrics.queued("otlp"), metrics.exported("otlp", Fate::Sent)));

    let text = metrics.text();
    let mut found: BTreeMap<&str, (&str, Vec<String>)> = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        found.insert(name, (kind, Vec::new()));
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
    for (sample, labels) in samples(&metrics).keys() {
        let parts = ["", "_bucket", "_sum", "_count"];
        let family = parts
            .iter()
            .filter_map(|part| sample.strip_suffix(part))
            .find(|name| found.contains_key(name));
        let labels = labels.keys().filter(|label| *label != "le").cloned().collect();
        found.get_mut(family.unwrap()).unwrap().1 = labels;
    }
    let registered = registry::metric::ALL.iter().map(|metric| {
        let labels = metric.labels.iter().chain(registry::label::CONSTANT);
        let mut labels: Vec<_> = labels.map(|label| label.as_str().to_owned()).collect();
        labels.sort();
        (metric.name, (metric.kind, labels))
    });
    assert_eq!(found, registered.collect());
}
