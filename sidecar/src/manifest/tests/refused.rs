//! Manifests that are not accepted: the input, and what a person is told about it.

use std::fs::File;

use super::super::{Manifest, load};
use super::{NOTHING, complaint, schema};
use crate::document::{DocumentError, MAX_BYTES, testing};

/// Refuses every input, with the complaints of the snapshot.
fn check<'a>(snapshot: &str, cases: impl IntoIterator<Item = (&'a str, Vec<u8>)>) {
    let complain = |name: &str, bytes: &[u8]| {
        Manifest::parse("plugin.yaml", bytes).expect_err(name).to_string()
    };
    let complaints = testing::complaints("plugin.yaml", cases, complain, schema::faults);
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(snapshot, complaints);
    });
}

fn added(cases: &[(&'static str, &str)]) -> Vec<(&'static str, Vec<u8>)> {
    let case = |&(name, text): &(&'static str, &str)| (name, format!("{NOTHING}{text}").into());
    cases.iter().map(case).collect()
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_stand() {
    check(
        "bytes",
        [
            ("byte order mark", b"\xef\xbb\xbfversion: 1\n".to_vec()),
            ("UTF-16", b"\xff\xfev\0e\0r\0".to_vec()),
            ("not UTF-8", b"version: 1\nplugin: { name: caf\xe9 }\n".to_vec()),
            ("NUL", b"version: 1\nplugin: { name: a\0b }\n".to_vec()),
            ("terminal escape", b"version: 1\n# \x1b[2J\n".to_vec()),
            ("text that reads backwards", "version: 1\nexec: [\u{202e}]\n".into()),
            ("a space of no width", "version: 1\nexec: [/usr/bin/\u{200b}cat]\n".into()),
            ("too large", vec![b'#'; MAX_BYTES + 1]),
        ],
    );
}

#[test]
fn text_that_is_no_yaml_is_refused_where_it_breaks() {
    let deep = format!("exec: {}{}", "[".repeat(64), "]".repeat(64));
    let many = format!("reports: [{}]\n", "version, ".repeat(20_000));
    check(
        "syntax",
        added(&[
            ("tab", "files:\n\tread: []\n"),
            ("open bracket", "descriptors: [0, 1\n"),
            ("open quote", "mode: 'enforce\n"),
            ("wrong indentation", "mode: enforce\n  confinement: standard\n"),
            ("key written twice", "mode: observe\nmode: enforce\n"),
            ("inner key written twice", "exec:\n  - path: /bin/true\n    path: /bin/false\n"),
            ("merge key", "files:\n  <<: { read: [/etc/**] }\n"),
            ("anchor", "files:\n  read: &paths [/data/**]\n"),
            ("alias", "files:\n  read: *paths\n"),
            ("anchor that holds itself", "files: &f\n  read: [*f]\n"),
            ("tag", "mode: !mode enforce\n"),
            ("standard tag", "processes: { max: !!int 4 }\n"),
            ("binary", "mode: !!binary ZW5mb3JjZQ==\n"),
            ("second document", "---\nversion: 1\n"),
            ("deep", &deep),
            ("many", &many),
            ("unknown escape", "mode: \"\\q\"\n"),
        ]),
    );
}

#[test]
fn yaml_of_another_shape_is_refused_with_the_nearest_right_one() {
    let whole = [
        ("empty file", "".into()),
        ("only a comment", "# nothing yet\n".into()),
        ("a list", "- version: 1\n".into()),
        ("a word", "manifest\n".into()),
        ("no version", "plugin: { name: p, version: 1 }\n".into()),
        ("no plugin", "version: 1\n".into()),
        ("no name", "version: 1\nplugin: { version: 1 }\n".into()),
    ];
    let parts = added(&[
        ("misspelt key", "netwrok: {}\n"),
        ("unknown key", "secrets: {}\n"),
        ("misspelt inner key", "files:\n  reed: [/data/**]\n"),
        ("misspelt entry key", "exec:\n  - { path: /bin/sh, interpretor: /bin/bash }\n"),
        ("unknown capability", "actions: { memory: kill }\n"),
        ("no path", "exec:\n  - { argv: [cat] }\n"),
        ("no port", "network: { connect: [{ to: 10.0.0.1 }] }\n"),
        ("key without value", "files:\n  protect:\n"),
        ("section without value", "files:\n"),
        ("text without value", "mode:\n"),
        ("text where a list belongs", "files: { read: /data }\n"),
        ("list where text belongs", "mode: [enforce]\n"),
        ("number where a path belongs", "files: { read: [7] }\n"),
        ("nothing where a path belongs", "files:\n  read:\n    -\n    - /data\n"),
        ("word where a section belongs", "network: none\n"),
        ("yes", "files: { runtime: yes }\n"),
        ("number for a boolean", "syscalls: { runtime: 1 }\n"),
    ]);
    check("shape", whole.into_iter().chain(parts));
}

#[test]
fn identity_and_limits_that_mean_nothing_are_refused() {
    let whole = [
        ("manifest of the future", "version: 2\nplugin: { name: p, version: 1 }\n".into()),
        ("name with a slash", "version: 1\nplugin: { name: ../p, version: 1 }\n".into()),
        ("name with capitals", "version: 1\nplugin: { name: Plugin, version: 1 }\n".into()),
        ("version with spaces", "version: 1\nplugin: { name: p, version: one two }\n".into()),
        (
            "digest of another kind",
            "version: 1\nplugin: { name: p, version: 1, digest: \"md5:00\" }\n".into(),
        ),
        (
            "short digest",
            "version: 1\nplugin: { name: p, version: 1, digest: \"sha256:00ff\" }\n".into(),
        ),
        (
            "digest in capitals",
            format!(
                "version: 1\nplugin:\n  name: p\n  version: 1\n  digest: sha256:{}\n",
                "AB".repeat(32)
            )
            .into(),
        ),
    ];
    let parts = added(&[
        ("unknown mode", "mode: enforcing\n"),
        ("unknown confinement", "confinement: none\n"),
        ("misspelt confinement", "confinement: strickt\n"),
        ("strict and only observed", "mode: observe\nconfinement: strict\n"),
        ("milder when repeated", "actions: { denied: kill, denied_repeatedly: freeze }\n"),
        ("no process", "processes: { max: 0 }\n"),
        ("too many processes", "processes: { max: 9999999999 }\n"),
        ("signed number", "processes: { max: +4 }\n"),
        ("octal number", "processes: { max: 010 }\n"),
        ("negative descriptor", "descriptors: [-1]\n"),
        ("descriptor twice", "descriptors: [0, 1, 1]\n"),
        ("size without unit", "resources: { memory: 268435456 }\n"),
        ("size in other units", "resources: { memory: 256MB }\n"),
        ("size beyond all", "resources: { memory: 99999999TiB }\n"),
        ("size too small", "resources: { memory: 4KiB }\n"),
        ("share without %", "resources: { cpu: 0.5 }\n"),
        ("no share", "resources: { cpu: 0% }\n"),
        ("unknown report", "reports: [heartbeats]\n"),
        ("unknown action", "actions: { exec: killall }\n"),
        ("action not built", "actions: { network: isolate }\n"),
        ("escape only told", "actions: { escape: alert }\n"),
        ("duration without unit", "containment: { hold: 30 }\n"),
        ("duration in words", "containment: { hold: 30 sec }\n"),
        ("no time", "containment: { hold: 0s }\n"),
        ("for ever", "containment: { hold: 365d }\n"),
        ("lease that thaws", "containment: { on_expiry: thaw }\n"),
    ]);
    check("limits", whole.into_iter().chain(parts));
}

#[test]
fn paths_that_mean_nothing_are_refused() {
    check(
        "paths",
        added(&[
            ("relative", "files: { read: [data/x] }\n"),
            ("home", "files: { read: [~/data] }\n"),
            ("empty", "files: { read: [\"\"] }\n"),
            ("parent", "files: { read: [/opt/../etc/shadow] }\n"),
            ("two slashes", "files: { write: [/var//log] }\n"),
            ("trailing slash", "files: { read: [/data/] }\n"),
            ("glued stars", "files: { read: [/data/**.txt] }\n"),
            ("unknown escape", "files: { read: ['/data/\\d'] }\n"),
            ("in a mapping", "files:\n  read:\n    - path: data\n      expires: tomorrow\n"),
            ("own process", "files: { read: [/proc/self/status] }\n"),
            ("own descriptors", "files: { write: [/dev/stdout] }\n"),
            ("same list twice", "files:\n  read:\n    - /data/**\n    - /data/**\n"),
            (
                "twice with another end",
                "files:\n  read:\n    - /data\n    - { path: /data, expires: 2030-01-01T00:00:00Z }\n",
            ),
            ("protected pattern", "files: { protect: [/data/**] }\n"),
            ("protected and granted", "files:\n  read: [/data/key]\n  protect: [/data/key]\n"),
            ("protected and run", "exec:\n  - path: /data/key\nfiles: { protect: [/data/key] }\n"),
            ("wrong interpreter", "exec:\n  - { path: /opt/x.sh, interpreter: bash }\n"),
            ("no arguments", "exec:\n  - { path: /bin/cat, argv: [] }\n"),
            ("argument with escape", "exec:\n  - { path: /bin/cat, argv: ['a\\'] }\n"),
            ("program twice", "exec:\n  - path: /bin/cat\n  - path: /bin/cat\n"),
            ("date without time", "exec:\n  - { path: /bin/cat, expires: 2030-01-01 }\n"),
            ("date of nowhere", "exec:\n  - { path: /bin/cat, expires: 2030-02-30T00:00:00Z }\n"),
            ("local time", "exec:\n  - { path: /bin/cat, expires: '2030-01-01T00:00:00+02:00' }\n"),
        ]),
    );
}

#[test]
fn destinations_that_mean_nothing_are_refused_with_the_one_meant() {
    let to = |to: &str| format!("network:\n  connect:\n    - to: '{to}'\n      port: 443\n");
    let port = |port: &str| format!("network: {{ connect: [{{ to: 10.0.0.1, port: {port} }}] }}\n");
    let one = |name, text: String| (name, format!("{NOTHING}{text}").into_bytes());
    check("destinations", [
        one("prefix too long", to("10.0.0.0/33")),
        one("no prefix", to("10.0.0.0/")),
        one("mask", to("10.0.0.0/255.0.0.0")),
        one("host bits", to("10.1.2.3/8")),
        one("host bits in IPv6", to("fd00::1/8")),
        one("name with prefix", to("example.com/24")),
        one("number too large", to("10.0.0.256")),
        one("three numbers", to("10.0.0")),
        one("leading zero", to("010.0.0.1")),
        one("IPv4 in IPv6", to("::ffff:10.0.0.1")),
        one("IPv4 network in IPv6", to("::ffff:10.0.0.0/104")),
        one("interface", to("fe80::1%eth0")),
        one("URL", to("https://api.example.com/v1")),
        one("name with port", to("api.example.com:443")),
        one("brackets", to("[fd00::1]:443")),
        one("wildcard", to("*.example.com")),
        one("everywhere", to("any")),
        one("bad name", to("api_.example..com")),
        one("no name", to("")),
        one("port too large", port("65536")),
        one("port zero", port("0")),
        one("port name", port("https")),
        one("range upside down", port("8099-8000")),
        one("half a range", port("8000-")),
        one("unknown protocol", port("443, protocol: sctp")),
        one("listening on a name", "network: { listen: [{ address: localhost, port: 1 }] }\n".into()),
        one(
            "destination twice",
            "network:\n  connect:\n    - { to: 10.0.0.1, port: 1 }\n    - { to: 10.0.0.1/32, port: 1, protocol: tcp }\n".into(),
        ),
    ]);
}

#[test]
fn calls_and_capabilities_that_do_not_exist_are_refused_with_the_nearest() {
    check(
        "calls",
        added(&[
            ("misspelt call", "syscalls: { allow: [getradom] }\n"),
            ("group without @", "syscalls: { allow: [network-io] }\n"),
            ("unknown group", "syscalls: { allow: [\"@networking\"] }\n"),
            ("group of danger", "syscalls: { allow: [\"@mount\"] }\n"),
            ("number", "syscalls: { allow: [41] }\n"),
            ("call of another machine", "syscalls: { allow: [socketcall] }\n"),
            ("call twice", "syscalls: { allow: [socket, socket] }\n"),
            ("capability without CAP_", "capabilities: [net_bind_service]\n"),
            ("misspelt capability", "capabilities: [CAP_NET_BIND]\n"),
            ("capability twice", "capabilities: [CAP_KILL, CAP_KILL]\n"),
        ]),
    );
}

#[test]
fn all_wrong_values_of_a_file_are_reported_at_once_in_the_order_of_the_file() {
    let text = "mode: watch
files:
  read: [data, /ok]
network:
  connect:
    - { to: 10.0.0.300, port: 99999 }
syscalls: { allow: [opne] }
capabilities: [CAP_ROOT]
containment: { hold: soon }
";
    check("all_at_once", added(&[("seven faults", text)]));
}

#[test]
fn a_very_long_line_is_shown_around_the_place_meant() {
    let paths: String = (0..200).map(|number| format!("/data/{number}, ")).collect();
    let text = format!("files: {{ read: [{paths}oops] }}\n");
    insta::assert_snapshot!(complaint(&text), @r"
    plugin.yaml:3:2107: `oops` is not a path
        3 | …/195, /data/196, /data/197, /data/198, /data/199, oops] }
          |                                                    ^^^^
          = a path starts with `/`
    ");
}

#[test]
fn a_file_full_of_faults_costs_no_more_than_its_size() {
    let calls = format!("syscalls: {{ allow: [{}] }}\n", vec!["frobnicate"; 9_000].join(", "));
    assert!(complaint(&calls).ends_with("\n\nand 17959 more"), "9000 unknown, 8999 repeated");
}

#[test]
fn a_file_with_hundreds_of_faults_shows_the_first_ones_and_counts_the_rest() {
    let text = format!("descriptors: [{}]\n", vec!["x"; 300].join(", "));
    assert!(complaint(&text).ends_with("\n\nand 260 more"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load("/nonexistent/plugin.yaml".as_ref()).unwrap_err();
    insta::assert_snapshot!(error, @"/nonexistent/plugin.yaml: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_directory_is_not_a_manifest() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(load(directory.path()), Err(DocumentError::Unreadable { .. })));
}

#[test]
fn ten_megabytes_and_a_terabyte_are_refused_without_being_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plugin.yaml");
    for size in [10_000_000, 1 << 40] {
        File::create(&path).unwrap().set_len(size).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("plugin.yaml:1:1: is larger than 1024 KiB"), "{error}");
    }
}

#[test]
fn a_value_as_long_as_the_file_is_not_repeated_in_full() {
    let text =
        format!("mode: {}\nsyscalls: {{ allow: [{}] }}\n", "x".repeat(9_000), "y".repeat(9_000));
    let complaint = complaint(&text);
    assert!(complaint.len() < 2_000, "{complaint}");
    assert!(complaint.contains("xxx` is not a mode"), "{complaint}");
}

#[test]
fn a_device_without_end_is_refused_at_the_limit() {
    let error = load("/dev/zero".as_ref()).unwrap_err().to_string();
    assert!(error.starts_with("/dev/zero:1:1: is larger than 1024 KiB"), "{error}");
}

#[test]
fn a_unix_socket_that_is_no_abstract_name_is_refused_where_it_stands() {
    let refused = |name: &str| complaint(&format!("network:\n  unix: [\"{name}\"]\n"));
    for (name, message, way_out) in [
        ("/run/dbus/socket", "4:10: `/run/dbus/socket` is no abstract name", "`files.write`"),
        ("bus", "4:10: `bus` is no abstract name", "begins with @"),
        ("@", "4:10: `@` is no abstract name", "a nameless socket cannot be declared"),
        ("@a\\\\x", "4:10: `@a\\x` is no abstract name", ""),
        ("@a\", \"@a", "4:16: `@a` is", ""),
    ] {
        let said = refused(name);
        assert!(said.contains(message) && said.contains(way_out), "{said}");
    }
}

#[test]
fn a_kind_of_socket_that_is_none_is_refused_where_it_stands() {
    let refused = |kind: &str| complaint(&format!("network:\n  sockets: [{kind}]\n"));
    for (kind, message) in [
        ("netlnk", "4:13: `netlnk` is not a kind of socket"),
        ("unnamed", "4:13: `unnamed` is not a kind of socket"),
        ("tcp", "4:13: `tcp` needs no declaration here"),
        ("netlink, netlink", "4:22: "),
    ] {
        assert!(refused(kind).contains(message), "{}", refused(kind));
    }
    assert!(refused("netlnk").contains("netlink"), "{}", refused("netlnk"));
}
