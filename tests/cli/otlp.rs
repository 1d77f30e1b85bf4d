//! OTLP: what a receiver of another implementation is told, and what a bad one cannot do.

pub(crate) mod collector;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use libc::SIGINT;
use picket_tests::{picket, unique, wait_for, wait_until};
use serde_json::Value;

use super::plugin::{LINGER, Plugin};
use super::run::Run;
use super::scrape::{get, sum, value};
use collector::{Collector, Identity, attribute};

const BOTH: [&str; 2] = ["http/protobuf", "grpc"];

/// A plugin that departs from its manifest and is held, watched by a Picket that exports to this address.
fn departs(
    plugin: &Plugin,
    protocol: &str,
    endpoint: &str,
    more: &[(&str, &str)],
) -> (Run, SocketAddr) {
    plugin.write("secret", "");
    let mut command = plugin.exec();
    export_to(&mut command, protocol, endpoint);
    command.envs(more.iter().copied());
    command.args(["--metrics", "127.0.0.1:0", "--", "sh", "-c"]);
    command.arg(format!("cat secret; {LINGER}"));
    let run = Run::start(plugin, command);
    let report = run.await_report("metrics");
    let text = report["text"].as_str().unwrap();
    let address = text.strip_prefix("metrics on http://").unwrap().strip_suffix("/metrics");
    let address = address.unwrap().parse().unwrap();
    run.await_report("held");
    (run, address)
}

/// As often as possible, so that a test waits for little.
fn export_to(command: &mut Command, protocol: &str, endpoint: &str) {
    command.envs([
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "10"),
        ("OTEL_BSP_SCHEDULE_DELAY", "10"),
    ]);
}

fn exports(scrape: &str, output: &str, outcome: &str) -> f64 {
    let series = format!("picket_exports_total{{outcome=\"{outcome}\",output=\"{output}\"}}");
    value(scrape, &series).unwrap_or(0.0)
}

fn nanos(span: &Value, field: &str) -> u64 {
    span[field].as_str().unwrap().parse().unwrap()
}

fn event<'a>(logs: &'a [Value], name: &str) -> &'a Value {
    logs.iter()
        .find(|record| record["event_name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {logs:#?}"))
}

#[track_caller]
fn check_an_incident_is_told(protocol: &str) {
    let collector = Collector::start(protocol, "good");
    let plugin = Plugin::new().held();
    let (run, address) = departs(&plugin, protocol, &collector.endpoint(), &[]);
    // What belongs to a containment goes out although its incident stays open.
    wait_until("a containment", || {
        collector.spans().iter().any(|span| span["name"] == "containment")
    });
    wait_until("a receipt", || {
        collector.logs().iter().any(|record| record["event_name"] == "picket.containment.receipt")
    });
    assert!(collector.spans().iter().all(|span| span["name"] != "incident"));
    check_the_metrics_are_those_of_the_scrape(&collector, address);
    run.signal(SIGINT);
    assert_eq!(run.end().code, 120);

    let (logs, spans) = (collector.logs(), collector.spans());
    let finding = event(&logs, "picket.finding");
    assert_eq!(finding["severity_text"], "ERROR");
    for (name, value) in [
        ("picket.plugin.name", plugin.name()),
        ("picket.plugin.version", "1.0.0"),
        ("picket.finding.capability", "files"),
        ("picket.finding.reason", "undeclared_path"),
        ("picket.finding.action", "freeze"),
        ("picket.object.class", "path:tmp"),
    ] {
        assert_eq!(attribute(finding, name).as_deref(), Some(value), "{finding:#}");
    }
    let receipt = event(&logs, "picket.containment.receipt");
    assert_eq!(attribute(receipt, "picket.containment.step").as_deref(), Some("freeze"));
    assert_eq!(attribute(receipt, "picket.containment.outcome").as_deref(), Some("done"));
    let micros = |name| attribute(receipt, name).unwrap().parse::<u64>().unwrap();
    assert!(micros("picket.latency.decision_us") <= micros("picket.latency.receipt_us"));
    event(&logs, "picket.containment.decided");
    event(&logs, "picket.incident.closed");

    let root = spans.iter().find(|span| span["name"] == "incident").expect("its incident");
    assert!(root["parent_span_id"].is_null(), "{root}");
    assert_eq!(attribute(root, "picket.incident.findings").as_deref(), Some("1"), "{root:#}");
    let names: BTreeSet<_> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["containment", "event", "incident", "verdict"]));
    for span in &spans {
        assert_eq!(span["trace_id"], root["trace_id"]);
        let [start, end] = ["start_time_unix_nano", "end_time_unix_nano"].map(|at| nanos(span, at));
        assert!(nanos(root, "start_time_unix_nano") <= start && start <= end, "{spans:#?}");
        assert!(end <= nanos(root, "end_time_unix_nano"), "{spans:#?}");
        if span != root {
            assert_eq!(span["parent_span_id"], root["span_id"]);
        }
    }
    let end = |name| {
        let one = spans.iter().find(|span| span["name"] == name).unwrap();
        nanos(one, "end_time_unix_nano")
    };
    assert!(end("event") <= end("verdict") && end("verdict") <= end("containment"), "{spans:#?}");
    // Each record belongs to a span of the trace.
    for record in &logs {
        assert_eq!(record["trace_id"], root["trace_id"]);
        assert!(spans.iter().any(|span| span["span_id"] == record["span_id"]), "{record:#}");
    }
    let resource = &collector.requests("logs")[0]["content"]["resource_logs"][0]["resource"];
    assert_eq!(attribute(resource, "service.name").as_deref(), Some("picket"), "{resource:#}");
    for name in ["service.version", "service.instance.id", "host.name"] {
        assert!(attribute(resource, name).is_some(), "no {name}: {resource:#}");
    }
    // The reports have the plugin's own words; nothing that left the node has.
    let directory = plugin.directory().to_str().unwrap();
    assert!(!collector.text().contains(directory) && !collector.text().contains("secret"));
}

#[track_caller]
fn check_the_metrics_are_those_of_the_scrape(collector: &Collector, address: SocketAddr) {
    wait_until("the families of the scrape", || {
        let (_, scrape) = get(address, "/metrics");
        let types = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let families: BTreeSet<_> = types.filter_map(|rest| rest.split(' ').next()).collect();
        let metrics = collector.metrics();
        metrics.keys().map(String::as_str).collect::<BTreeSet<_>>() == families
    });
    let (metrics, (_, scrape)) = (collector.metrics(), get(address, "/metrics"));
    let findings = &metrics["picket_findings_total"]["sum"];
    assert_eq!(findings["aggregation_temporality"], "AGGREGATION_TEMPORALITY_CUMULATIVE");
    assert_eq!(findings["is_monotonic"], true);
    let point = &findings["data_points"][0];
    assert_eq!(attribute(point, "reason").as_deref(), Some("undeclared_path"), "{point:#}");
    assert_eq!(point["as_double"].as_f64(), Some(sum(&scrape, "picket_findings_total")));
    let latency = &metrics["picket_event_to_decision_seconds"];
    assert_eq!(latency["unit"], "s");
    let point = &latency["histogram"]["data_points"][0];
    let of_scrape = |part| value(&scrape, &format!("picket_event_to_decision_seconds_{part}"));
    assert_eq!(point["count"].as_str(), Some("1"), "{point:#}");
    assert_eq!(point["sum"].as_f64(), of_scrape("sum"), "{point:#}");
    let counts: Vec<_> = point["bucket_counts"].as_array().unwrap().iter().collect();
    assert_eq!(counts.iter().filter(|count| **count == "1").count(), 1, "{point:#}");
    assert_eq!(counts.len(), 1 + point["explicit_bounds"].as_array().unwrap().len());
}

#[test]
fn a_foreign_receiver_is_told_an_incident_over_http_as_logs_a_trace_and_the_metrics_of_the_scrape()
{
    check_an_incident_is_told("http/protobuf");
}

#[test]
fn a_foreign_receiver_is_told_an_incident_over_grpc_as_logs_a_trace_and_the_metrics_of_the_scrape()
{
    check_an_incident_is_told("grpc");
}

/// The rogue is frozen all the same, what was not taken is counted, and the log says it once.
#[track_caller]
fn check_is_without_effect(protocol: &str, endpoint: &str, why: &str) {
    let plugin = Plugin::new().held();
    let (run, address) =
        departs(&plugin, protocol, endpoint, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "300")]);
    let scrape = wait_for("counted loss", || {
        let (_, scrape) = get(address, "/metrics");
        let lost = ["otlp", "otlp_traces", "otlp_metrics"]
            .map(|output| exports(&scrape, output, "failed"));
        // More than once, so that a second line in the log would be there.
        (1.0 <= lost[0] && 1.0 <= lost[1] && 2.0 <= lost[2]).then_some(scrape)
    });
    for output in ["otlp", "otlp_traces", "otlp_metrics"] {
        assert!(exports(&scrape, output, "sent") < f64::EPSILON, "{why}: {scrape}");
    }
    run.signal(SIGINT);
    let ended = run.end();
    assert_eq!(ended.code, 120, "{why}: {ended:?}");
    let receipts = ended.of("receipt");
    assert!(receipts.iter().any(|one| one["step"] == "freeze" && one["outcome"] == "done"));
    for signal in ["logs", "traces", "metrics"] {
        let line = format!("OTLP {signal} are not taken by {endpoint}");
        assert_eq!(ended.stderr.matches(&line).count(), 1, "{why}: {}", ended.stderr);
    }
}

#[test]
fn a_collector_that_is_down_costs_counted_loss_and_no_verdict() {
    for protocol in BOTH {
        // Free a moment ago, and nobody's now.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        check_is_without_effect(protocol, &format!("http://{address}"), "down");
    }
}

#[test]
fn a_collector_that_hangs_costs_counted_loss_and_no_verdict() {
    for protocol in BOTH {
        let collector = Collector::start(protocol, "hang");
        check_is_without_effect(protocol, &collector.endpoint(), "hang");
    }
}

#[test]
fn a_collector_that_answers_garbage_costs_counted_loss_and_no_verdict() {
    for protocol in BOTH {
        let collector = Collector::start(protocol, "garbage");
        check_is_without_effect(protocol, &collector.endpoint(), "garbage");
    }
}

#[test]
fn a_collector_that_refuses_costs_counted_loss_and_no_verdict() {
    for status in ["400", "404", "429", "503"] {
        let collector = Collector::start("http/protobuf", status);
        check_is_without_effect("http/protobuf", &collector.endpoint(), status);
    }
    // Invalid argument, resource exhausted, unavailable.
    for code in ["3", "8", "14"] {
        let collector = Collector::start("grpc", code);
        check_is_without_effect("grpc", &collector.endpoint(), code);
    }
}

#[test]
fn a_collector_with_a_certificate_that_nobody_vouches_for_is_told_nothing() {
    let identity = Identity::new();
    for protocol in BOTH {
        let collector = Collector::start_with(protocol, &identity);
        check_is_without_effect(protocol, &collector.endpoint(), "certificate");
        assert_eq!(collector.text(), "", "{protocol}");
    }
}

#[test]
fn a_collector_is_trusted_by_the_certificate_that_is_named_and_gets_the_headers_compressed() {
    let identity = Identity::new();
    for protocol in BOTH {
        let collector = Collector::start_with(protocol, &identity);
        let (plugin, token) = (Plugin::new().held(), unique("token"));
        let more = [
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", identity.certificate()),
            ("OTEL_EXPORTER_OTLP_HEADERS", format!("x-key=a%20{token}").into()),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip".into()),
        ];
        let more: Vec<_> =
            more.iter().map(|(name, path)| (*name, path.to_str().unwrap())).collect();
        let (run, address) = departs(&plugin, protocol, &collector.endpoint(), &more);
        wait_until("all three signals", || {
            ["logs", "traces", "metrics"]
                .iter()
                .all(|signal| !collector.requests(signal).is_empty())
        });
        for signal in ["logs", "traces", "metrics"] {
            let headers = collector.requests(signal)[0]["headers"].clone();
            assert_eq!(headers["x-key"], format!("a {token}"), "{protocol} {signal}: {headers}");
            let encoding = if protocol == "grpc" { "grpc-encoding" } else { "content-encoding" };
            let is_told = headers[encoding] == "gzip" || protocol == "grpc";
            assert!(is_told, "{protocol} {signal}: {headers}");
        }
        let (_, scrape) = get(address, "/metrics");
        assert!(exports(&scrape, "otlp", "failed") < f64::EPSILON, "{scrape}");
        run.signal(SIGINT);
        let ended = run.end();
        assert!(!ended.stderr.contains(&token), "{}", ended.stderr);
    }
}

#[test]
fn what_a_collector_could_not_take_at_first_is_sent_again() {
    for (protocol, behaviour) in [("http/protobuf", "503+4"), ("grpc", "14+4")] {
        let collector = Collector::start(protocol, behaviour);
        let plugin = Plugin::new().held();
        let off = [("OTEL_METRICS_EXPORTER", "none")];
        let (run, address) = departs(&plugin, protocol, &collector.endpoint(), &off);
        let scrape = wait_for("what was taken", || {
            let (_, scrape) = get(address, "/metrics");
            let sent = ["otlp", "otlp_traces"].map(|output| exports(&scrape, output, "sent"));
            (sent.iter().all(|sent| 3.0 <= *sent)).then_some(scrape)
        });
        for output in ["otlp", "otlp_traces"] {
            assert!(exports(&scrape, output, "failed") < f64::EPSILON, "{protocol}: {scrape}");
        }
        assert_eq!(collector.requests("metrics"), Vec::<Value>::new());
        run.signal(SIGINT);
        assert_eq!(run.end().code, 120);
    }
}

#[test]
fn a_variable_that_makes_no_sense_is_named_and_nothing_is_started() {
    let plugin = Plugin::new();
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent"),
    ] {
        let mut command = plugin.exec();
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").env(name, value);
        command.args(["--", "sh", "-c", "touch started"]);
        let ended = plugin.run_command(command);
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(ended.stderr.contains(&format!("{name}: ")), "{}", ended.stderr);
        assert!(ended.stderr.contains("Nothing was started."), "{}", ended.stderr);
        assert!(!plugin.path("started").exists());
    }
}

#[test]
fn without_an_endpoint_nothing_is_exported_and_no_thread_is_there_for_it() {
    let plugin = Plugin::new();
    let mut command = plugin.exec();
    command.args(["--", "sh", "-c", "exec sleep 99"]);
    let run = Run::start(&plugin, command);
    run.await_report("running");
    let tasks = std::fs::read_dir(format!("/proc/{}/task", run.pid())).unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    let names: Vec<_> = names.collect();
    assert!(!names.is_empty() && names.iter().all(|name| name != "picket-otlp\n"), "{names:?}");
    run.signal(SIGINT);
    run.end().assert_honest(130);
}

#[test]
fn a_file_of_headers_is_checked_before_the_start_and_shown_by_name_only() {
    let plugin = Plugin::new();
    let manifest = plugin.write("manifest.yaml", plugin.manifest());
    let config = |more: &str| {
        let text = format!(
            "version: 1\notlp: {{ endpoint: \"http://127.0.0.1:9\", {more} }}\n\
             sandboxes: [{{ cgroup: /nobody/*, manifest: {} }}]\n",
            manifest.display()
        );
        plugin.write("picket.yaml", text)
    };
    let token = unique("token");
    let headers = plugin.write("headers", format!("# ours\nauthorization: Bearer {token}\n"));
    let run = |words: [&str; 2], file: &std::path::Path| {
        let output = picket().args(words).arg(file).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let set = |mode| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&headers, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o640);
    let file = config("headers_file: headers");
    let (code, said) = run(["config", "show"], &file);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("headers_file: ") && !said.contains(&token), "{said}");
    set(0o644);
    let (code, said) = run(["config", "check"], &file);
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("picket.yaml:2:55") && said.contains("everybody"), "{said}");
    let (code, said) = run(["config", "check"], &config("headers_file: nowhere"));
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("nowhere cannot be read: No such file"), "{said}");
}

#[test]
fn a_collector_that_hangs_does_not_hold_up_the_end() {
    for protocol in BOTH {
        let collector = Collector::start(protocol, "hang");
        let plugin = Plugin::new().held();
        // Ten minutes, which this test does not wait for.
        let patient = [("OTEL_EXPORTER_OTLP_TIMEOUT", "600000")];
        let (run, _) = departs(&plugin, protocol, &collector.endpoint(), &patient);
        wait_until("a connection", || !collector.requests("connection").is_empty());
        run.signal(SIGINT);
        let ended = run.end();
        assert_eq!(ended.code, 120, "{ended:?}");
        let said = "log records were not taken by the collector before the end";
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}
