//! Configurations that are not accepted: the input, and what a person is told about it.

use std::fs;

use super::{Files, LEAST, PLUGIN, load, schema};
use crate::document::{MAX_BYTES, testing};

/// Refuses every input, with the complaints of the snapshot.
fn check(snapshot: &str, cases: Vec<(&str, Vec<u8>)>) {
    let files = Files::new(&[("picket.yaml", ""), ("p.yaml", PLUGIN)]);
    let complain = |_: &str, bytes: &[u8]| {
        fs::write(files.path("picket.yaml"), bytes).unwrap();
        files.complaint()
    };
    let complaints = testing::complaints("picket.yaml", cases, complain, schema::faults);
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(snapshot, complaints);
    });
}

/// A good configuration with one more line.
fn added(cases: &[(&'static str, &str)]) -> Vec<(&'static str, Vec<u8>)> {
    cases.iter().map(|&(name, text)| (name, format!("{LEAST}{text}\n").into())).collect()
}

/// A configuration whose rules are these.
fn rules(cases: &[(&'static str, &str)]) -> Vec<(&'static str, Vec<u8>)> {
    let head = "version: 1\nsandboxes:\n";
    cases.iter().map(|&(name, text)| (name, format!("{head}{text}\n").into())).collect()
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_stand() {
    check(
        "bytes",
        vec![
            ("byte order mark", b"\xef\xbb\xbfversion: 1\n".to_vec()),
            ("UTF-16", b"\xff\xfev\0e\0".to_vec()),
            ("not UTF-8", b"version: 1\n# caf\xe9\n".to_vec()),
            ("NUL", b"version: 1\nsandboxes: [{ cgroup: /a\0 }]\n".to_vec()),
            ("terminal escape", b"version: 1\n# \x1b[2J\n".to_vec()),
            ("text that reads backwards", "version: 1\n# \u{202e}\n".into()),
            ("too large", vec![b'#'; MAX_BYTES + 1]),
        ],
    );
}

#[test]
fn text_that_is_no_configuration_is_refused_where_it_breaks() {
    let deep = format!("api: {}{}", "[".repeat(64), "]".repeat(64));
    let many = format!("limits: [{}]", "1, ".repeat(20_000));
    let whole = [
        ("empty file", "".into()),
        ("only a comment", "# nothing yet\n".into()),
        ("a list", "- version: 1\n".into()),
        ("no version", "sandboxes: [{ cgroup: /a, manifest: p.yaml }]\n".into()),
        ("no sandboxes", "version: 1\n".into()),
        ("a manifest", PLUGIN.into()),
    ];
    let parts = added(&[
        ("tab", "limits:\n\tsandboxes: 1"),
        ("open bracket", "api: { socket: /run/x"),
        ("open quote", "api: { socket: '/run/x }"),
        ("key written twice", "version: 1"),
        ("inner key written twice", "limits: { sandboxes: 1, sandboxes: 2 }"),
        ("anchor", "api: &a { socket: /run/x }"),
        ("alias", "api: *a"),
        ("anchor that holds itself", "api: &a { socket: *a }"),
        ("merge key", "api: { <<: { socket: /run/x } }"),
        ("tag", "limits: { sandboxes: !!int 4 }"),
        ("second document", "---\nversion: 1"),
        ("deep", &deep),
        ("many", &many),
    ]);
    check("syntax", whole.into_iter().chain(parts).collect());
}

#[test]
fn another_shape_is_refused_with_the_nearest_right_one() {
    let mut cases = added(&[
        ("misspelt key", "metric: { listen: off }"),
        ("unknown key", "secrets: {}"),
        ("misspelt inner key", "api: { sockte: /run/x }"),
        ("section without value", "api:"),
        ("key without value", "api: { socket: }"),
        ("word where a section belongs", "metrics: off"),
        ("list where text belongs", "api: { socket: [/run/x] }"),
    ]);
    cases.extend(rules(&[
        ("no list", "  cgroup: /a"),
        ("a word", "  - /plugins/*"),
        ("no manifest", "  - { cgroup: /a }"),
        ("no cgroup", "  - { manifest: p.yaml }"),
        ("misspelt entry key", "  - { cgroups: /a, manifest: p.yaml }"),
        ("nothing", "  []"),
    ]));
    check("shape", cases);
}

#[test]
fn values_that_mean_nothing_are_refused() {
    let long = format!("api: {{ socket: /{} }}", "x".repeat(107));
    let node = format!("node: {}", "x".repeat(129));
    let mut cases = vec![("version of the future", LEAST.replace("n: 1", "n: 2").into_bytes())];
    cases.extend(added(&[
        ("port alone", "metrics: { listen: 9464 }"),
        ("name", "metrics: { listen: 'localhost:9464' }"),
        ("address alone", "metrics: { listen: 127.0.0.1 }"),
        ("port too large", "metrics: { listen: '127.0.0.1:99999' }"),
        ("too few series", "metrics: { series: 999 }"),
        ("too many series", "metrics: { series: 1000001 }"),
        ("series in words", "metrics: { series: all }"),
        ("node without a name", "node: ' '"),
        ("node with a line end", "node: \"a\\nb\""),
        ("node too long", &node),
        ("relative socket", "api: { socket: picket.sock }"),
        ("directory for a socket", "api: { socket: /run/picket/ }"),
        ("socket too long", &long),
        ("unknown group", "api: { group: no-such-group }"),
        ("no group's number", "api: { group: 4294967295 }"),
        ("no sandbox", "limits: { sandboxes: 0 }"),
        ("too many sandboxes", "limits: { sandboxes: 1025 }"),
        ("number in words", "limits: { sandboxes: many }"),
        ("no endpoint", "otlp: { protocol: grpc }"),
        ("endpoint without scheme", "otlp: { endpoint: 'collector:4317' }"),
        ("password in an endpoint", "otlp: { endpoint: 'http://me:secret@collector' }"),
        ("path for gRPC", "otlp: { endpoint: 'http://collector/v1', protocol: grpc }"),
        ("unknown protocol", "otlp: { endpoint: 'http://collector', protocol: http/json }"),
        ("too often", "otlp: { endpoint: 'http://collector', interval: 10ms }"),
        ("kubernetes without manifests", "kubernetes: { logs: /var/log }"),
        ("kubernetes without a directory", "kubernetes: { manifests: '' }"),
        ("kubernetes with another directory", "kubernetes: { manifests: nowhere }"),
        ("relative logs", "kubernetes: { manifests: ., logs: log }"),
        ("unknown scope", "kubernetes: { manifests: ., scope: cluster }"),
        ("misspelt scope", "kubernetes: { manifests: ., scope: pods }"),
    ]));
    cases.extend(rules(&[
        ("unknown mode", "  - { cgroup: /a, manifest: p.yaml, mode: enforced }"),
        ("setup without unit", "  - { cgroup: /a, manifest: p.yaml, setup: 10 }"),
        ("setup too long", "  - { cgroup: /a, manifest: p.yaml, setup: 11m }"),
        ("signed setup", "  - { cgroup: /a, manifest: p.yaml, setup: -1s }"),
    ]));
    check("values", cases);
}

#[test]
fn rules_that_reach_too_far_or_nothing_are_refused() {
    check(
        "rules",
        rules(&[
            ("relative", "  - { cgroup: plugins/*, manifest: p.yaml }"),
            ("empty", "  - { cgroup: '', manifest: p.yaml }"),
            ("parent", "  - { cgroup: /plugins/../x, manifest: p.yaml }"),
            ("trailing slash", "  - { cgroup: /plugins/, manifest: p.yaml }"),
            ("glued stars", "  - { cgroup: /plugins/**.scope, manifest: p.yaml }"),
            (
                "unit name as the system escapes it",
                "  - { cgroup: '/a/b\\x2dc', manifest: p.yaml }",
            ),
            ("file system path", "  - { cgroup: /sys/fs/cgroup/plugins/*, manifest: p.yaml }"),
            ("the mount", "  - { cgroup: /sys/fs/cgroup, manifest: p.yaml }"),
            ("the root", "  - { cgroup: /, manifest: p.yaml }"),
            ("everything", "  - { cgroup: /**, manifest: p.yaml }"),
            ("Picket's own", "  - { cgroup: /picket/**, manifest: p.yaml }"),
            ("any first segment", "  - { cgroup: /*/x, manifest: p.yaml }"),
            ("a first segment that fits", "  - { cgroup: /pi*t, manifest: p.yaml }"),
            ("any depth", "  - { cgroup: /**/x.scope, manifest: p.yaml }"),
            (
                "the same again",
                "  - { cgroup: /a/*, manifest: p.yaml }\n  - { cgroup: /a/*, manifest: p.yaml }",
            ),
            (
                "behind a broader one",
                "  - { cgroup: /a/**, manifest: p.yaml }\n  - { cgroup: /b, manifest: p.yaml }\n  - { cgroup: /a/x*/y, manifest: p.yaml }",
            ),
        ]),
    );
}

#[test]
fn manifests_that_cannot_be_used_are_refused_where_they_are_named() {
    let cases = rules(&[
        ("missing", "  - { cgroup: /a, manifest: none.yaml }"),
        ("directory", "  - { cgroup: /a, manifest: . }"),
        ("no name", "  - { cgroup: /a, manifest: '' }"),
        ("no manifest but a configuration", "  - { cgroup: /a, manifest: picket.yaml }"),
    ]);
    check("manifests", cases);
}

#[test]
fn bad_manifests_behind_a_good_configuration_are_refused_in_their_own_lines() {
    let digest = format!(
        "version: 1\nplugin: {{ name: p, version: 1, digest: \"sha256:{}\" }}\n",
        "0".repeat(64)
    );
    let mut complaints = String::new();
    for (name, manifest) in [
        ("digest of what others start", digest.as_str()),
        ("unknown key", &format!("{PLUGIN}netwrok: {{}}\n")),
        ("confinement of what others start", &format!("{PLUGIN}confinement: strict\n")),
        ("escape only told", &format!("{PLUGIN}actions: {{ escape: alert }}\n")),
        ("empty", ""),
        ("NUL", "version: 1\0"),
    ] {
        let files = Files::new(&[("picket.yaml", LEAST), ("p.yaml", manifest)]);
        let error = files.complaint();
        assert!(error.contains("\n\np.yaml:"), "{name}: {error}");
        complaints.push_str(&format!("# {name}\n{error}\n\n"));
    }
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("behind", complaints);
    });
}

#[test]
fn a_configuration_that_is_not_there_or_no_file_is_named() {
    let error = load("/nonexistent/picket.yaml".as_ref()).unwrap_err();
    insta::assert_snapshot!(error, @"/nonexistent/picket.yaml: cannot be read: No such file or directory (os error 2)");
    let directory = tempfile::tempdir().unwrap();
    let error = load(directory.path()).unwrap_err();
    assert!(error.to_string().ends_with("Is a directory (os error 21)"), "{error}");
    assert_eq!(error.files().collect::<Vec<_>>(), [directory.path()]);
}
