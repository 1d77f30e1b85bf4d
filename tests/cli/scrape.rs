//! The metrics of a running Picket: what is in the scrape, and what must never be.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use libc::SIGINT;
use picket_tests::{PATIENCE, unique, wait_for, wait_until};

use super::plugin::{LINGER, Plugin};
use super::run::Run;

/// Starts a plugin with `--metrics` on a port of the kernel's choice, and answers the address.
pub(crate) fn start(
    plugin: &Plugin,
    flags: &[&str],
    script: &str,
    argument: &str,
) -> (Run, SocketAddr) {
    let mut command = plugin.exec();
    command.args(["--metrics", "127.0.0.1:0"]).args(flags);
    command.args(["--", "sh", "-c", script, argument]);
    let run = Run::start(plugin, command);
    let report = run.await_report("metrics");
    let text = report["text"].as_str().unwrap();
    let address = text.strip_prefix("metrics on http://").unwrap().strip_suffix("/metrics");
    (run, address.unwrap().parse().unwrap())
}

/// Head and body of an answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The values, added, of the series that have this name and these labels, written as in the scrape; whatever others
/// they have.
pub(crate) fn value(scrape: &str, series: &str) -> Option<f64> {
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels: Vec<_> = labels.trim_end_matches('}').split(',').collect();
    let prefix = format!("{name}{{");
    let fits =
        |line: &&str| line.starts_with(&prefix) && labels.iter().all(|label| line.contains(label));
    let mut values = scrape.lines().filter(fits).map(|line| line.rsplit(' ').next()?.parse().ok());
    let first: f64 = values.next()??;
    values.try_fold(first, |sum, value| Some(sum + value?))
}

/// The values of a family's series, added.
pub(crate) fn sum(scrape: &str, family: &str) -> f64 {
    let prefix = format!("{family}{{");
    let lines = scrape.lines().filter(|line| line.starts_with(&prefix));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn a_scrape_tells_what_picket_saw_and_did_and_nothing_of_the_plugins_own_words() {
    let token = unique("token");
    let plugin = Plugin::new().held();
    fs::create_dir(plugin.path(&token)).unwrap();
    plugin.write(&format!("{token}/{token}.txt"), &token);
    let flag = format!("TOKEN={token}");
    let script = format!("cat \"$0/$0.txt\" \"$TOKEN\"; {LINGER}");
    let (run, address) = start(&plugin, &["--env", &flag], &script, &token);
    run.await_report("held");
    // The kernel's own counters are read once a second.
    let (head, scrape) = wait_for("a scrape with what was lost", || {
        Some(get(address, "/metrics")).filter(|(_, text)| text.contains("_lost_total{reason"))
    });
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{head}");

    let version = format!("picket_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&scrape, &version), Some(1.0), "{scrape}");
    assert!((sum(&scrape, "picket_tier_info") - 1.0).abs() < f64::EPSILON, "{scrape}");
    assert_eq!(value(&scrape, "picket_sandboxes"), Some(1.0), "{scrape}");
    assert_eq!(value(&scrape, "picket_incidents_open"), Some(1.0), "{scrape}");
    let enforced = format!("picket_sandboxes{{mode=\"enforce\",plugin=\"{}\"}}", plugin.name());
    assert_eq!(value(&scrape, &enforced), Some(1.0), "{scrape}");
    let info = format!("picket_sandbox_info{{plugin=\"{}\",slot=\"0\"}}", plugin.name());
    assert_eq!(value(&scrape, &info), Some(1.0), "{scrape}");
    let finding = "picket_findings_total{action=\"freeze\",capability=\"files\",\
                   reason=\"undeclared_path\"}";
    assert!(value(&scrape, finding).is_some_and(|count| 1.0 <= count), "{scrape}");
    let freeze = "picket_containments_total{outcome=\"done\",step=\"freeze\"}";
    assert_eq!(value(&scrape, freeze), Some(1.0), "{scrape}");
    for event in ["open", "exec", "syscall", "fork"] {
        let series = format!("picket_events_total{{event=\"{event}\"}}");
        assert!(value(&scrape, &series).is_some_and(|count| 1.0 <= count), "{series}: {scrape}");
    }
    assert_eq!(value(&scrape, "picket_event_to_decision_seconds_count"), Some(1.0), "{scrape}");
    let receipt = "picket_decision_to_receipt_seconds_count{step=\"freeze\"}";
    assert_eq!(value(&scrape, receipt), Some(1.0), "{scrape}");
    assert!(sum(&scrape, "picket_events_lost_total") < f64::EPSILON, "{scrape}");
    assert_eq!(value(&scrape, "picket_records_undecodable_total"), Some(0.0), "{scrape}");
    assert_eq!(value(&scrape, "picket_reports_lost_total"), Some(0.0), "{scrape}");

    // The reports did have the words, the scrape may not.
    let told = run.reports().iter().any(|report| report.to_string().contains(&token));
    assert!(told, "the plugin did not do what this test is about");
    for secret in [token.as_str(), plugin.directory().to_str().unwrap()] {
        assert!(!scrape.contains(secret), "{secret} in {scrape}");
    }
    // The name is the operator's, and stands in its own label only.
    let label = format!("plugin=\"{}\"", plugin.name());
    assert!(!scrape.replace(&label, "").contains(plugin.name()), "{scrape}");
    run.signal(SIGINT);
    assert_eq!(run.end().code, 120);
}

#[test]
fn every_series_is_pickets_own_and_described() {
    let plugin = Plugin::new();
    let (run, address) = start(&plugin, &[], "exec sleep 99", "");
    run.await_report("running");
    let (_, scrape) = get(address, "/metrics");
    for line in scrape.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(name.starts_with("picket_"), "{line}");
        let parts = ["_bucket", "_sum", "_count"];
        let family = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        for word in ["HELP", "TYPE"] {
            assert!(scrape.contains(&format!("# {word} {family} ")), "no {word} for {name}");
        }
    }
    run.signal(SIGINT);
    run.end().assert_honest(130);
}

#[test]
fn other_paths_are_not_found_and_nothing_but_reading_is_possible() {
    let plugin = Plugin::new();
    let (run, address) = start(&plugin, &[], "exec sleep 99", "");
    run.await_report("running");
    for path in ["/", "/metrics/", "/metrics/x", "/metricsx", "/../metrics", "/debug/pprof"] {
        let (head, body) = get(address, path);
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
        assert!(!body.contains("picket_"), "{path}: {body}");
    }
    let mut stream = TcpStream::connect(address).unwrap();
    let request = "DELETE /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    run.signal(SIGINT);
    run.end().assert_honest(130);
}

#[test]
fn the_counters_grow_with_the_plugins_acts_and_the_port_closes_with_picket() {
    let plugin = Plugin::new();
    let script = "while :; do sleep 0.05; done";
    let (run, address) = start(&plugin, &[], script, "");
    let forks = || value(&get(address, "/metrics").1, "picket_events_total{event=\"fork\"}");
    wait_until("three forks", || forks().is_some_and(|count| 3.0 <= count));
    assert!(address.ip() == Ipv4Addr::LOCALHOST, "{address}");
    run.signal(SIGINT);
    assert_eq!(run.end().code, 130);
    TcpStream::connect(address).unwrap_err();
}
