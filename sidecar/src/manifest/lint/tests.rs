//! What is pointed out, and what is not.

use std::time::{Duration, SystemTime};

use super::{super::Manifest, kind};

const NOTHING: &str = "version: 1\nplugin: { name: p, version: 1 }\n";

fn now() -> SystemTime {
    humantime::parse_rfc3339("2030-01-01T00:00:00Z").unwrap()
}

fn manifest(text: &str) -> Manifest {
    Manifest::parse("plugin.yaml", format!("{NOTHING}{text}").as_bytes()).unwrap()
}

/// Line and kind of everything pointed out.
fn found(text: &str) -> Vec<(u32, &'static str)> {
    let report = manifest(text).lint(now());
    let problems = report.iter().flat_map(|report| report.problems());
    problems.map(|problem| (problem.position().line(), problem.warning().unwrap())).collect()
}

#[test]
fn every_kind_is_explained_with_a_place_and_a_way_out() {
    let text = "exec:
  - path: /usr/bin/python3
  - path: /opt/p/run
  - { path: /opt/p/run, argv: [run, \"*\"] }
  - { path: /opt/p/old, expires: 2029-12-31T00:00:00Z }
files:
  read:
    - /**
    - /etc/**
    - { path: /tmp/x, expires: 2030-01-03T00:00:00Z }
  write: [/opt/p/**]
network:
  connect:
    - { to: 0.0.0.0/0, port: any }
    - { to: 10.0.0.0/8, port: 443 }
    - { to: api.example.com, port: 443 }
syscalls: { allow: [\"@file-read\", openat, ptrace], foreign_abi: true }
capabilities: [CAP_NET_RAW, CAP_BPF]
resources: { memory: 1GiB, pids: 3 }
reports: [heartbeat]
";
    let report = manifest(text).lint(now()).unwrap();
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("every_kind", report);
    });
}

#[test]
fn a_manifest_that_means_what_it_says_is_left_alone() {
    let text = "exec:
  - { path: /opt/p/plugin.sh, interpreter: /usr/bin/bash }
  - { path: /usr/bin/python3.11, argv: [python3, /opt/p/run.py] }
files:
  read: [/opt/p/**, /etc/ssl/**, { path: /var/x, expires: 2031-01-01T00:00:00Z }]
  write: [/opt/p/**/out/*.png]
network:
  connect: [{ to: 0.0.0.0/0, port: 443 }, { to: 10.0.0.2, port: 53, protocol: udp }, { to: a.example, port: 80 }]
  listen: [{ address: 0.0.0.0, port: any }]
syscalls: { allow: [\"@file-read\", \"@network-io\", pipe2] }
capabilities: [CAP_NET_RAW]
";
    assert_eq!(found(text), []);
}

#[test]
fn of_two_grants_the_one_that_says_less_is_pointed_out() {
    let read = |list: &str| found(&format!("files:\n  read:\n{list}"));
    let covered = |line| vec![(line, kind::COVERED)];
    assert_eq!(read("    - /a/b\n    - /a/**\n"), covered(5));
    assert_eq!(read("    - /a/**\n    - /a/b\n"), covered(6));
    assert_eq!(
        read("    - /a/**/**\n    - /a/**\n"),
        covered(6),
        "the first of two equal ones stays"
    );
    assert_eq!(read("    - /a/*\n    - /a/**/x\n"), []);
    let ends = "    - { path: /a/**, expires: 2031-01-01T00:00:00Z }\n    - /a/b\n";
    assert_eq!(read(ends), [], "the narrower one lasts longer");
    assert_eq!(found("files:\n  read: [/a/**]\n  write: [/a/b]\n"), []);
    let shadow = "files:\n  read: [/etc/shadow, /etc/*]\n";
    assert_eq!(found(shadow), [(4, kind::PROTECTED_INSIDE)], "only its own name opens it");
}

#[test]
fn a_program_is_covered_by_one_with_fewer_limits_and_by_execute() {
    let exec = |list: &str| found(&format!("exec:\n{list}"));
    let plain = "  - path: /opt/p\n";
    let limited = "  - { path: /opt/p, argv: [p, x] }\n";
    let script = "  - { path: /opt/p, interpreter: /bin/dash }\n";
    assert_eq!(exec(&format!("{limited}{plain}")), [(4, kind::COVERED)]);
    assert_eq!(exec(&format!("{script}{plain}")), [], "a program is no script");
    let execute = format!("{limited}files: {{ execute: [/opt/*] }}\n");
    assert_eq!(exec(&execute), [(4, kind::COVERED)]);
    let execute = format!("{script}files: {{ execute: [/opt/*] }}\n");
    assert_eq!(exec(&execute), []);
}

#[test]
fn a_destination_is_covered_by_a_network_with_its_ports_and_protocol() {
    let two = |one: &str, two: &str| {
        let list = format!("    - {{ {one} }}\n    - {{ {two} }}\n");
        !found(&format!("network:\n  connect:\n{list}")).is_empty()
    };
    assert!(two("to: 10.0.0.0/8, port: any", "to: 10.1.0.0/16, port: 80"));
    assert!(two("to: 10.0.0.0/8, port: 1-90, protocol: any", "to: 10.1.0.0/16, port: 80"));
    assert!(!two("to: 10.0.0.0/8, port: 1-79", "to: 10.1.0.0/16, port: 80"));
    assert!(!two("to: 10.0.0.0/8, port: any", "to: 10.1.0.0/16, port: 80, protocol: udp"));
    assert!(!two("to: 10.0.0.0/8, port: any", "to: 11.0.0.0/8, port: 80"));
    assert!(!two("to: fd00::/8, port: any", "to: 10.0.0.0/8, port: 80"));
}

#[test]
fn an_interpreter_with_free_arguments_may_run_anything() {
    let exec = |entry: &str| found(&format!("exec:\n  - {{ {entry} }}\n"));
    let any = [(4, kind::ANY_PROGRAM)];
    for entry in [
        "path: /bin/sh",
        "path: /usr/bin/python3.11",
        "path: /usr/local/bin/node",
        "path: /usr/bin/*",
        "path: /bin/sh, argv: [sh, '*', '**']",
    ] {
        assert_eq!(exec(entry), any, "{entry}");
    }
    for entry in [
        "path: /usr/bin/cat",
        "path: /bin/sh, argv: [sh]",
        "path: /bin/sh, argv: [sh, -c, '*.sh']",
        "path: /opt/x, interpreter: /bin/sh",
        "path: /opt/bin/*",
    ] {
        assert_eq!(exec(entry), [], "{entry}");
    }
}

#[test]
fn an_end_is_pointed_out_a_week_ahead() {
    let at = |moment: SystemTime| {
        let moment = humantime::format_rfc3339_seconds(moment);
        found(&format!("exec:\n  - {{ path: /opt/p, expires: {moment} }}\n"))
    };
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(at(now() - day), [(4, kind::ENDED)]);
    assert_eq!(at(now()), [(4, kind::ENDED)]);
    assert_eq!(at(now() + day), [(4, kind::ENDS_SOON)]);
    assert_eq!(at(now() + 7 * day), [(4, kind::ENDS_SOON)]);
    assert_eq!(at(now() + 8 * day), []);
}

#[test]
fn files_that_are_not_on_this_machine_are_pointed_out_on_request() {
    let text = "exec: [{ path: /no/such/program }]
files:
  read: [/no/such/directory/**, /usr/*, /proc/1/**]
  write: [/no/such/output]
  protect: [/no/such/key]
";
    assert_eq!(found(text), []);
    let report = manifest(text).lint_here(now()).unwrap();
    let missing: Vec<_> = report.problems().iter().map(|problem| problem.message()).collect();
    insta::assert_snapshot!(missing.join("\n"));
}

#[test]
fn the_documentation_has_a_row_for_every_kind() {
    let documentation = include_str!("../../../../docs/manifest.md");
    for kind in [
        kind::ALWAYS_TRUE,
        kind::COVERED,
        kind::OWN_PROGRAM,
        kind::PROTECTED_INSIDE,
        kind::ANY_PROGRAM,
        kind::NOT_ENFORCED,
        kind::UNDOES_THE_WATCH,
        kind::NAME_WITHOUT_DNS,
        kind::ENDED,
        kind::ENDS_SOON,
        kind::DANGER,
        kind::FOREIGN_ABI,
        kind::MISSING,
    ] {
        assert!(documentation.contains(&format!("| `{kind}` |")), "{kind}");
    }
}
