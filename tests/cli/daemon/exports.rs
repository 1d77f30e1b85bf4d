//! A daemon that exports as its configuration says.

use libc::SIGTERM;
use picket_tests::wait_until;

use super::super::otlp::collector::{Collector, attribute};
use super::{depart, stage};

#[test]
fn a_daemon_tells_a_collector_of_its_configuration_and_ends_what_is_open_when_it_ends() {
    let mut stage = stage();
    let collector = Collector::start("grpc", "good");
    let endpoint = collector.endpoint();
    let headers = stage.plugin.write("headers", "x-key: value\n");
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(headers, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let otlp = format!(
        "otlp: {{ endpoint: \"{endpoint}\", protocol: grpc, headers_file: headers, interval: 200ms }}\n"
    );
    stage.configure_with(&stage.rule("*", ""), &otlp);
    let mut daemon = stage.watching();
    depart(&mut stage, &daemon, "one");
    wait_until("a receipt", || {
        collector.logs().iter().any(|record| record["event_name"] == "picket.containment.receipt")
    });
    wait_until("metrics", || collector.metrics().contains_key("picket_findings_total"));
    assert_eq!(collector.requests("metrics")[0]["headers"]["x-key"], "value");
    assert_eq!(daemon.end(SIGTERM), Some(0));
    let spans = collector.spans();
    let root = spans.iter().find(|span| span["name"] == "incident");
    let closure = root.and_then(|root| attribute(root, "picket.incident.closure"));
    assert!(closure.is_some_and(|why| !why.is_empty()), "{spans:#?}");
    assert!(spans.iter().any(|span| span["name"] == "containment"), "{spans:#?}");
}
