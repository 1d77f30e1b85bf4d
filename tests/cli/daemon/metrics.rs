//! The scrape of a daemon that has contained something, beside what is registered.

use std::collections::{BTreeMap, BTreeSet};

use libc::SIGHUP;
use picket::export::registry::{label, metric};
use picket_tests::wait_until;

use super::super::prometheus::promtool_check;
use super::super::sink::Sink;
use super::{depart, stage};

/// How the families are called that depend on what a kernel counts. CPU time is counted by all.
const OF_USAGE: [&str; 6] = [
    "picket_sandbox_cpu_throttled_",
    "picket_sandbox_io_",
    "picket_sandbox_memory_",
    "picket_sandbox_oom_",
    "picket_sandbox_pressure_",
    "picket_sandbox_tasks",
];

/// Type and names of the labels of each family.
fn families(scrape: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut families = BTreeMap::new();
    for line in scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
    }
    for line in scrape.lines().filter(|line| !line.starts_with('#')) {
        let (sample, rest) = line.split_once('{').unwrap();
        let parts = ["", "_bucket", "_sum", "_count"];
        let names = parts.iter().filter_map(|part| sample.strip_suffix(part));
        let family = names.into_iter().find(|name| families.contains_key(*name)).unwrap();
        let labels = rest.split("=\"").map(|part| part.rsplit([',', '"']).next().unwrap());
        let labels = labels.filter(|label| !label.contains(['}', ' ']) && *label != "le");
        families.get_mut(family).unwrap().1.extend(labels.map(str::to_owned));
    }
    families
}

#[test]
fn a_daemon_that_has_contained_something_is_scraped_with_all_that_is_registered_and_no_more() {
    let mut stage = stage();
    let [collector, alertmanager] = [(); 2].map(|()| Sink::open());
    let outputs = format!(
        "otlp: {{ endpoint: '{}' }}\nalerts:\n  outbox: {}\n  targets: [{{ name: am, type: alertmanager, url: '{}' }}]\n\
         baselines:\n  store: {}\n  learn: [{{ plugin: {}, artifact: \"sha256:{:064}\" }}]\n",
        collector.url(),
        stage.plugin.path("outbox.db").display(),
        alertmanager.url(),
        stage.plugin.path("baselines.db").display(),
        stage.plugin.name(),
        0
    );
    stage.configure_with(&stage.rule("*", ""), &outputs);
    let daemon = stage.watching();
    let sandbox = depart(&mut stage, &daemon, "one");
    daemon.await_about("receipt", &sandbox);
    // Counted by the loop, after it has told of it.
    wait_until("a count", || daemon.counts("picket_containments_total{outcome=\"done\"} 1"));
    // Each output makes its series when it begins.
    wait_until("an alert", || {
        daemon.counts("picket_exports_total{outcome=\"sent\",output=\"am\"} 1")
    });
    let cpu = "picket_sandbox_cpu_seconds_total{mode=\"user\"}";
    wait_until("a reading", || daemon.reads(cpu).is_some());
    wait_until("a baseline", || daemon.counts("picket_baseline_ready 0"));
    let found = families(&daemon.get("/metrics").1);
    let registered = metric::ALL.iter().map(|one| {
        let labels = one.labels.iter().chain(label::CONSTANT);
        let labels = labels.map(|label| label.as_str().to_owned()).collect();
        (one.name.to_owned(), (one.kind.to_owned(), labels))
    });
    // What this kernel does not count of what a sandbox uses has no series.
    let is_there = |name: &str| {
        found.contains_key(name) || !OF_USAGE.iter().any(|start| name.starts_with(start))
    };
    let registered = registered.filter(|(name, _)| is_there(name)).collect();
    assert_eq!(found, registered, "left: the scrape, right: the registry");
}

#[test]
fn words_of_the_operator_that_try_to_break_the_format_are_well_formed_labels() {
    let mut stage = stage();
    let word = format!(r#"a"b\\c}}{{d="e",# HELP é✓ {}"#, "x".repeat(80));
    let yaml = word.replace('\'', "''");
    stage.configure_with(&stage.rule("*", ""), &format!("node: '{yaml}'\n"));
    let daemon = stage.watching();
    depart(&mut stage, &daemon, "one");
    let (_, scrape) = daemon.get("/metrics");
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
    assert!(scrape.contains(&format!("node=\"{escaped}\"")), "{scrape}");
    promtool_check(&scrape);
}

#[test]
fn the_nodes_name_and_the_budget_are_said_to_need_a_restart() {
    let stage = stage();
    let daemon = stage.watching();
    assert!(daemon.counts("picket_metric_series_limit 20000"));
    stage.configure_with(&stage.rule("*", ""), "node: another\n");
    daemon.signal(SIGHUP);
    let text = daemon.await_one("restart_needed", |_| true)["text"].to_string();
    assert!(text.contains("node"), "{text}");
}
