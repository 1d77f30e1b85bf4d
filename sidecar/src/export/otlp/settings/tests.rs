//! What the environment and the configuration come to, and what is refused.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _};

use super::*;

fn read(
    variables: &[(&str, &str)],
    file: Option<&Written>,
) -> Result<Option<Settings>, SettingsError> {
    let all: BTreeMap<_, _> = variables.iter().copied().collect();
    Settings::read(&|name| all.get(name).map(OsString::from), file)
}

fn accepted(variables: &[(&str, &str)], file: Option<&Written>) -> Settings {
    read(variables, file).unwrap().expect("an endpoint")
}

fn written() -> Written {
    Written {
        endpoint: Url::parse("https://file.example:4317").unwrap(),
        protocol: Protocol::Grpc,
        headers_file: None,
        ca_file: None,
        interval: Duration::from_secs(7),
    }
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

fn url(target: &Option<Target>) -> Option<&str> {
    target.as_ref().map(|target| target.url.as_str())
}

#[test]
fn nothing_is_exported_unless_an_endpoint_is_named_or_when_it_is_switched_off() {
    assert!(read(&[], None).unwrap().is_none());
    assert!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], None).unwrap().is_none());
    assert!(read(&[("OTEL_EXPORTER_OTLP_HEADERS", "a=b")], None).unwrap().is_none());
    assert!(read(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")], Some(&written())).unwrap().is_none());
    let none = ["LOGS", "TRACES", "METRICS"].map(|word| format!("OTEL_{word}_EXPORTER"));
    let none: Vec<_> = none.iter().map(|name| (name.as_str(), "none")).collect();
    assert!(read(&none, Some(&written())).unwrap().is_none());
}

#[test]
fn a_common_endpoint_gets_the_signals_paths_and_a_signals_own_is_taken_as_it_is() {
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/x");
    let settings = accepted(&[ENDPOINT, own], None);
    assert_eq!(url(&settings.logs), Some("http://127.0.0.1:4318/v1/logs"));
    assert_eq!(url(&settings.metrics), Some("http://127.0.0.1:4318/v1/metrics"));
    assert_eq!(url(&settings.traces), Some("http://127.0.0.1:9/x"));
    let settings = accepted(&[own], None);
    assert!(settings.logs.is_none() && settings.metrics.is_none() && settings.traces.is_some());
}

#[test]
fn the_environment_comes_before_the_configuration_and_that_before_the_defaults() {
    let settings = accepted(&[], Some(&written()));
    let logs = settings.logs.unwrap();
    assert_eq!((logs.protocol, settings.interval), (Protocol::Grpc, Duration::from_secs(7)));
    assert_eq!(logs.url.as_str(), "https://file.example:4317/");
    let more = [
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1500"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "125"),
    ];
    let settings = accepted(&more, Some(&written()));
    let (logs, traces) = (settings.logs.unwrap(), settings.traces.unwrap());
    assert_eq!((logs.protocol, settings.interval), (Protocol::Http, Duration::from_millis(1500)));
    assert_eq!((logs.timeout.as_millis(), traces.timeout.as_millis()), (125, 250));
    assert_eq!((settings.log_batch.timeout.as_millis(), settings.log_batch.size), (125, 512));
    let defaults = accepted(&[ENDPOINT], None);
    assert_eq!(defaults.interval, Duration::from_secs(60));
    assert_eq!(defaults.logs.unwrap().timeout, Duration::from_secs(10));
}

#[test]
fn the_resource_says_who_sends_and_the_environment_may_say_more() {
    let resource = |more: &[(&str, &str)]| {
        let all: Vec<_> = [ENDPOINT].into_iter().chain(more.iter().copied()).collect();
        accepted(&all, None).resource("node-1", 255, "trace")
    };
    let plain = resource(&[]);
    let known = [
        ("service.name", "picket"),
        ("service.instance.id", "00000000000000ff"),
        ("host.name", "node-1"),
        ("picket.tier", "trace"),
    ];
    for (name, value) in known {
        assert_eq!(plain.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!plain.contains_key("k8s.node.name"));
    let more = resource(&[
        ("NODE_NAME", "node-1"),
        ("OTEL_RESOURCE_ATTRIBUTES", "k8s.cluster.name=a%20b, service.name=x"),
        ("OTEL_SERVICE_NAME", "y"),
    ]);
    assert_eq!(more["k8s.node.name"], "node-1");
    assert_eq!(more["k8s.cluster.name"], "a b");
    assert_eq!(more["service.name"], "y");
}

#[test]
fn a_value_that_makes_no_sense_is_refused_by_the_name_of_its_variable() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4317"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@collector"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "GRPC"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=%secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=secret%0a"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/hostname"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nonexistent"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "-1"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "soon"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"),
        ("OTEL_SDK_DISABLED", "yes"),
        ("OTEL_LOGS_EXPORTER", "console"),
        ("OTEL_RESOURCE_ATTRIBUTES", "cluster"),
    ] {
        let error = read(&[ENDPOINT, (name, value)], None).unwrap_err();
        assert_eq!(error.name, name, "{value}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let error = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a/v1")], Some(&written()));
    assert!(error.unwrap_err().to_string().contains("gRPC has none"));
    let bytes = |name: &str| {
        use std::os::unix::ffi::OsStringExt as _;
        (name == "OTEL_SERVICE_NAME").then(|| OsString::from_vec(vec![0xff]))
    };
    let error = Settings::read(&bytes, Some(&written())).unwrap_err();
    assert_eq!(error.to_string(), "OTEL_SERVICE_NAME: is not UTF-8");
}

#[test]
fn a_file_of_headers_is_read_by_its_owner_only_and_shown_by_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("headers");
    let with = |text: &str, mode| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        read(&[], Some(&Written { headers_file: Some(path.clone()), ..written() }))
    };
    let settings = with("# of ours\n\nAuthorization: Bearer a=b%20\n", 0o640).unwrap().unwrap();
    let logs = settings.logs.as_ref().unwrap();
    assert_eq!(logs.headers["authorization"], "Bearer a=b%20");
    assert!(!format!("{settings:?}").contains("Bearer"));
    for (text, mode, why) in [
        ("a: secret", 0o604, "everybody"),
        ("a secret", 0o600, "line 1 has no `:`"),
        ("\n: secret", 0o600, "line 2 begins with no name of a header"),
        ("a: secret\u{7f}", 0o600, "line 1 gives `a` a value that cannot stand in a header"),
        ("", 0o600, "holds no header"),
        (&"#".repeat(65_537), 0o600, "longer than 64 KiB"),
    ] {
        let error = with(text, mode).unwrap_err().to_string();
        assert!(error.starts_with("otlp.headers_file: ") && error.contains(why), "{error}");
        assert!(!error.contains("secret\u{7f}") && !error.contains(": secret"), "{error}");
    }
}
