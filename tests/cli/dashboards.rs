//! What `dashboards/` asks for is there: the rules by `promtool`, every query by Debian's Prometheus on a running daemon
//! that has contained something.

use std::fs;
use std::path::{Path, PathBuf};

use picket_tests::{wait_for, wait_until};
use serde_json::Value;

use super::daemon::stage::Stage;
use super::plugin::{LINGER, Plugin};
use super::prometheus::{Server, program};

/// Rules that are loaded into a server.
const RULES: [&str; 2] = ["picket.recording.yaml", "picket.alerts.yaml"];

const TESTS: &str = "picket.test.yaml";

fn dashboards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards")
}

fn rules() -> [PathBuf; 2] {
    RULES.map(|name| dashboards().join("rules").join(name))
}

/// Runs `promtool` among the rules and expects it to agree.
fn promtool(arguments: &[&str]) {
    let mut command = program("promtool");
    let output = command.args(arguments).current_dir(dashboards().join("rules")).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("SUCCESS") && !said.contains("FAILED"), "{said}");
}

#[test]
fn promtool_finds_every_rule_well_formed() {
    promtool(&["check", "rules", RULES[0], RULES[1]]);
}

#[test]
fn every_alert_fires_in_one_case_and_is_quiet_in_another_and_every_recording_rule_computes() {
    promtool(&["test", "rules", TESTS]);
}

/// The alerting rules with one expression for all.
fn with_expression(expression: &str) -> String {
    let text = fs::read_to_string(&rules()[1]).unwrap();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut inside = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        if inside.is_some_and(|at| at < depth(line)) {
            continue;
        }
        inside = line.trim_start().starts_with("expr:").then(|| depth(line));
        lines.push(match inside {
            Some(at) => format!("{}expr: {expression}", " ".repeat(at)),
            None => line.to_owned(),
        });
    }
    lines.join("\n")
}

#[test]
fn an_alert_that_never_fires_or_always_does_is_caught_by_its_cases() {
    let directory = tempfile::tempdir().unwrap();
    for name in [RULES[0], TESTS] {
        fs::copy(dashboards().join("rules").join(name), directory.path().join(name)).unwrap();
    }
    for (expression, case) in [("vector(1) > 2", "fires"), ("vector(1) > 0", "is quiet")] {
        let broken = with_expression(expression);
        fs::write(directory.path().join(RULES[1]), &broken).unwrap();
        let mut command = program("promtool");
        command.args(["test", "rules", TESTS]).current_dir(directory.path());
        let output = command.output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let alerts: Vec<&str> =
            broken.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
        assert!(20 < alerts.len(), "{broken}");
        for alert in alerts {
            let case = format!("name: {} {case},", alert.trim_matches('"'));
            assert!(said.contains(&case), "{case} passes whatever the rule says: {said}");
        }
    }
}

/// The queries of the dashboard, the lists of its variables included, each with where it stands.
fn queries() -> Vec<(String, String)> {
    let text = fs::read_to_string(dashboards().join("picket-overview.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut queries = Vec::new();
    for panel in list(&dashboard["panels"]) {
        for target in list(&panel["targets"]) {
            let place = format!("{} {}", panel["title"], target["refId"]);
            queries.push((place, target["expr"].as_str().unwrap().to_owned()));
        }
    }
    for variable in list(&dashboard["templating"]["list"]) {
        // `label_values(selector, label)` is Grafana's, not PromQL.
        if let Some(query) = variable["definition"].as_str() {
            let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (selector, label) = inner.rsplit_once(", ").unwrap();
            let place = format!("variable {}", variable["name"]);
            queries.push((place, format!("count by ({label}) ({selector})")));
        }
    }
    assert!(40 < queries.len(), "{}", queries.len());
    queries
}

/// As Grafana asks when everything is chosen: all of each variable, a window of several scrapes.
fn substituted(query: &str) -> String {
    let query = query.replace("$__rate_interval", "1m").replace("$__range", "5m");
    ["job", "instance", "node", "plugin"]
        .into_iter()
        .fold(query, |query, name| query.replace(&format!("\"${name}\""), "\".+\""))
}

/// The names that recording rules record under.
fn recorded() -> Vec<String> {
    let text = fs::read_to_string(dashboards().join("rules").join(RULES[0])).unwrap();
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("record: "));
    lines.map(|name| name.trim_matches('"').to_owned()).collect()
}

/// Panels about what version 1 of the controllers does not count: of block I/O on newer kernels, and of CPU limits where
/// the sandbox is a cgroup of version 2.
const UNCOUNTED_ON_HYBRID_HOSTS: [&str; 2] = ["Block I/O by plugin", "Held back by a CPU limit"];

/// A quantile of nothing is a sample, too, and says nothing.
fn says_something(found: &[Value]) -> bool {
    found.iter().any(|sample| sample["value"][1] != "NaN")
}

/// A daemon with an output, in which one plugin was found out and frozen, and a cgroup that there is no room for.
#[test]
fn every_query_and_every_recording_rule_finds_something_in_a_running_daemon() {
    let mut stage = Stage::new(Plugin::new().held());
    stage.configure_with(&stage.rule("*", ""), "limits: { sandboxes: 1 }\n");
    // Nobody is there: what was handed to the output waits.
    let nobody = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")];
    let daemon = stage.watching_with(&nobody);
    let mut server = Server::start(daemon.address(), &rules());
    wait_for("a scrape before anything happened", || {
        let found = server.query("picket_build_info")?;
        (!found.is_empty()).then_some(())
    });
    stage.make("one");
    let sandbox = daemon.await_watched(&stage.path("one"));
    stage.make("two");
    let is_hybrid = stage.count_resources();
    stage.enter("one", &format!("cat secret; {LINGER}"));
    daemon.await_about("receipt", &sandbox);
    wait_until("a freeze", || stage.is_frozen("one"));

    let wanted = queries().into_iter().map(|(place, query)| (place, substituted(&query)));
    let (uncounted, wanted): (Vec<_>, Vec<_>) = wanted.partition(|(place, _)| {
        is_hybrid && UNCOUNTED_ON_HYBRID_HOSTS.iter().any(|title| place.contains(title))
    });
    let recorded = recorded().into_iter().map(|name| (format!("rule {name}"), name));
    let mut missing: Vec<(String, String)> = wanted.into_iter().chain(recorded).collect();
    let deadline = std::time::Instant::now() + picket_tests::PATIENCE;
    while !missing.is_empty() && std::time::Instant::now() < deadline {
        missing
            .retain(|(_, query)| !server.query(query).is_some_and(|found| says_something(&found)));
        // Nothing is new before the next scrape.
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    let missing: Vec<String> =
        missing.into_iter().map(|(place, query)| format!("{place}: {query}")).collect();
    assert!(missing.is_empty(), "{} without an answer:\n{}", missing.len(), missing.join("\n"));

    for (place, query) in uncounted {
        assert_eq!(server.query(&query), Some(Vec::new()), "{place}: absent, not 0");
    }

    for (alert, is_it) in [
        ("PicketIncidentOpen", true),
        ("PicketSandboxesUnwatched", true),
        ("PicketEventsLost", false),
        ("PicketContainmentFailed", false),
    ] {
        let query = format!("ALERTS{{alertname=\"{alert}\"}}");
        wait_until(alert, || server.query(&query).is_some_and(|found| is_it != found.is_empty()));
    }
    let rules = server.api("rules").unwrap();
    let groups = rules["data"]["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    for rule in groups.iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        assert_eq!(rule["health"], "ok", "{rule:#}");
    }
}
