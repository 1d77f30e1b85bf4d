//! Manifests that are accepted, and what they say.

use std::{fs, time::Duration};

use picket_engine::{Action, Capability, DANGER, Mode, OnExpiry, SocketClass};

use super::super::{PluginReport, load, syscalls};
use super::{NOTHING, declaring, parse};
use crate::document::Digest;

const EVERYTHING: &str = "version: 1
plugin:
  name: thumbnailer
  version: 1.4.2
  digest: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
mode: shadow
confinement: standard
exec:
  - path: /opt/thumb/plugin.sh
    interpreter: /usr/bin/bash
  - { path: /usr/bin/cat, argv: [cat, \"*\"], expires: 2030-12-01T00:00:00Z }
files:
  runtime: true
  read:
    - /opt/thumb/data/**
    - { path: /etc/thumb.conf, expires: 2030-12-01T00:00:00Z }
  write: [/var/lib/thumb/**]
  execute: [/opt/thumb/helpers/*]
  protect: [/opt/thumb/data/key]
network:
  connect:
    - { to: 127.0.0.1/32, port: 8080, protocol: tcp }
    - { to: 10.0.0.0/8, port: 8000-8099, protocol: udp }
    - { to: \"::1\", port: any, protocol: any }
    - { to: api.example.com, port: 443 }
  listen:
    - { address: 127.0.0.1, port: 9000 }
syscalls: { runtime: true, allow: [\"@network-io\", getrandom, ptrace], foreign_abi: true }
capabilities: [CAP_NET_BIND_SERVICE, CAP_BPF]
processes: { max: 16 }
descriptors: [2, 0, 7]
resources: { memory: 256MiB, cpu: 50%, pids: 32 }
reports: [version, heartbeat]
actions: { exec: kill, telemetry: freeze }
containment: { hold: 10m, on_expiry: kill }
";

#[test]
fn a_manifest_that_says_everything_is_explained_in_sentences() {
    let mut text = String::new();
    parse(EVERYTHING).unwrap().explain(&mut text).unwrap();
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("everything", text);
    });
}

#[test]
fn a_manifest_that_says_nothing_is_explained_with_all_that_it_grants_by_default() {
    let mut text = String::new();
    parse(NOTHING).unwrap().explain(&mut text).unwrap();
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("nothing", text);
    });
}

#[test]
fn a_manifest_that_switches_the_groups_off_grants_nothing() {
    let manifest = declaring("files: { runtime: false }\nsyscalls: { runtime: false }\n");
    let mut text = String::new();
    manifest.explain(&mut text).unwrap();
    assert!(!text.contains("/lib64"), "{text}");
    assert!(!text.contains("@runtime"), "{text}");
    assert_eq!(manifest.declared.calls.numbers, picket_engine::SyscallSet::EMPTY);
}

#[test]
fn what_is_not_written_has_the_documented_default() {
    let manifest = declaring("");
    assert_eq!(manifest.mode(), Mode::Enforce);
    assert_eq!(manifest.plugin_digest(), None);
    assert_eq!(manifest.entry_descriptors().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(manifest.capabilities(), 0);
    assert_eq!(manifest.declared.max_processes, 1);
    assert!(!manifest.has_names());
    let actions = manifest.declared.actions;
    let expected = |capability| match capability {
        Capability::Syscalls | Capability::Telemetry => Action::Alert,
        Capability::Escape => Action::Kill,
        _ => Action::Freeze,
    };
    for capability in Capability::declared() {
        assert_eq!(actions.get(capability), expected(capability), "{capability}");
    }
    let plan = manifest.declared.containment;
    assert_eq!((plan.hold, plan.on_expiry), (Duration::from_secs(30), OnExpiry::Hold));
}

#[test]
fn what_is_written_is_what_is_declared() {
    let manifest = parse(EVERYTHING).unwrap();
    assert_eq!(manifest.plugin_name(), "thumbnailer");
    assert_eq!(manifest.plugin_version(), "1.4.2");
    assert_eq!(manifest.plugin_digest(), Some(Digest::of(b"")));
    assert_eq!(manifest.mode(), Mode::Shadow);
    assert_eq!(manifest.entry_descriptors().collect::<Vec<_>>(), [0, 2, 7]);
    assert_eq!(manifest.capabilities(), 1 << 10 | 1 << 39);
    assert_eq!(manifest.resources().memory(), Some(256 << 20));
    assert_eq!(manifest.resources().cpu_percent(), Some(50));
    assert_eq!(manifest.resources().pids(), Some(32));
    assert_eq!(manifest.reports().collect::<Vec<_>>(), PluginReport::ALL);
    assert!(manifest.has_names());
    assert_eq!(manifest.declared.actions.get(Capability::Exec), Action::Kill);
    assert_eq!(manifest.declared.actions.get(Capability::Files), Action::Freeze);
}

#[test]
fn a_dangerous_call_is_declared_by_its_name_only() {
    let declared = parse(EVERYTHING).unwrap().declared.calls.numbers;
    let dangerous: Vec<_> = (0..512)
        .filter(|&number| DANGER.contains(number) && declared.contains(number))
        .filter_map(syscalls::name)
        .collect();
    assert_eq!(dangerous, ["ptrace"]);
}

#[test]
fn a_version_that_looks_like_a_number_stays_as_written() {
    let manifest = parse("version: 1\nplugin: { name: p, version: 1.10 }\n").unwrap();
    assert_eq!(manifest.plugin_version(), "1.10");
}

#[test]
fn a_manifest_may_be_written_as_json() {
    let manifest = parse(r#"{"version": 1, "plugin": {"name": "p", "version": "1"}}"#).unwrap();
    assert_eq!(manifest.plugin_name(), "p");
}

#[test]
fn lines_may_end_as_on_windows() {
    let manifest = parse("version: 1\r\nplugin: { name: p, version: 1 }\r\n").unwrap();
    assert_eq!(manifest.plugin_name(), "p");
}

#[test]
fn comments_may_be_in_any_language() {
    declaring("# käse, 乾酪, сыр\nfiles: { read: [/data/käse] }\n");
}

#[test]
fn the_digest_is_that_of_the_files_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plugin.yaml");
    fs::write(&path, NOTHING).unwrap();
    assert_eq!(load(&path).unwrap().digest(), Digest::of(NOTHING.as_bytes()));
}

#[test]
fn abstract_names_of_unix_sockets_are_declared_without_their_at_sign_and_explained_with_it() {
    let manifest = declaring("network: { unix: [\"@bus\", \"@session-*\"] }\n");
    let names: Vec<_> = manifest.declared.unix.iter().map(|name| name.value.to_string()).collect();
    assert_eq!(names, ["bus", "session-*"]);
    let mut text = String::new();
    manifest.explain(&mut text).unwrap();
    let said = "It may talk to these Unix sockets of others:\n    @bus @session-*\n";
    assert!(text.contains(said), "{text}");
}

#[test]
fn kinds_of_sockets_and_executable_memory_are_declared_and_explained() {
    let written = "network: { sockets: [netlink, raw] }\nmemory: { executable: true }\n";
    let manifest = declaring(written);
    let classes: Vec<_> = manifest.declared.sockets.iter().map(|class| class.value).collect();
    assert_eq!(classes, [SocketClass::Netlink, SocketClass::Raw]);
    let mut text = String::new();
    manifest.explain(&mut text).unwrap();
    assert!(
        text.contains("It may have these sockets, whose peers are not judged:\n    netlink raw\n")
    );
    assert!(text.contains("IT MAY RUN WHAT IT HAS WRITTEN ITSELF"), "{text}");
    assert!(declaring("memory: { executable: false }\n").declared.executable_memory.is_none());
}
