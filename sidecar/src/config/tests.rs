//! Which configurations are accepted, and what they come to.

mod alerts;
mod baselines;
mod refused;
mod schema;

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use super::*;

/// A directory of files, readable by all and writable by the owner alone.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What is accepted is accepted by the JSON Schema, too.
    fn load(&self) -> Result<Config, ConfigError> {
        let path = self.path("picket.yaml");
        let loaded = load(&path);
        if loaded.is_ok() {
            assert_eq!(schema::faults(&fs::read(&path).unwrap()), Some(Vec::new()));
        }
        loaded
    }

    /// The complaint, without the name of the directory.
    fn complaint(&self) -> String {
        let directory = format!("{}/", self.0.path().display());
        self.load().unwrap_err().to_string().replace(&directory, "")
    }
}

const PLUGIN: &str = "version: 1\nplugin: { name: p, version: 1 }\n";
const LEAST: &str = "version: 1\nsandboxes: [{ cgroup: /plugins/*, manifest: p.yaml }]\n";

#[test]
fn what_is_not_written_has_the_documented_default() {
    let files = Files::new(&[("picket.yaml", LEAST), ("p.yaml", PLUGIN)]);
    let config = files.load().unwrap();
    assert_eq!(config.metrics, Some("127.0.0.1:9464".parse().unwrap()));
    assert_eq!(config.api, Api { socket: "/run/picket/picket.sock".into(), group: None });
    assert_eq!(config.max_sandboxes, 256);
    let rule = &config.sandboxes[0];
    assert_eq!((rule.mode, rule.setup), (None, Duration::from_secs(10)));
    assert_eq!((rule.position.line(), rule.position.column()), (2, 23));
    assert_eq!(config.digest, Digest::of(LEAST.as_bytes()));
    assert!(config.warnings.is_empty());
}

#[test]
fn the_first_rule_that_means_a_cgroup_decides_and_equal_files_are_read_once() {
    let text = "version: 1
sandboxes:
  - { cgroup: /plugins/special, manifest: sub/special.yaml, mode: shadow, setup: 0s }
  - { cgroup: /plugins/*, manifest: p.yaml }
  - { cgroup: /others/**, manifest: p.yaml }
";
    let files =
        Files::new(&[("picket.yaml", text), ("p.yaml", PLUGIN), ("sub/special.yaml", PLUGIN)]);
    let config = files.load().unwrap();
    let rule = |cgroup: &[u8]| config.rule_for(cgroup).map(|(index, _)| index);
    assert_eq!(rule(b"/plugins/special"), Some(0));
    assert_eq!(rule(b"/plugins/a"), Some(1));
    assert_eq!(rule(b"/others"), Some(2));
    assert_eq!(rule(b"/plugins/a/b"), None);
    assert_eq!(config.sandboxes[0].mode, Some(Mode::Shadow));
    assert_eq!(config.sandboxes[0].setup, Duration::ZERO);
    assert!(Arc::ptr_eq(&config.sandboxes[1].manifest, &config.sandboxes[2].manifest));
    let names = ["picket.yaml", "sub/special.yaml", "p.yaml", "p.yaml"];
    assert_eq!(config.files().collect::<Vec<_>>(), names.map(|name| files.path(name)));
}

#[test]
fn a_bad_manifest_is_reported_where_it_is_wrong_and_where_it_is_named() {
    let text = "version: 1
limits: { sandboxes: 0 }
sandboxes:
  - { cgroup: /a, manifest: p.yaml }
  - { cgroup: /b, manifest: q.yaml }
  - { cgroup: /c, manifest: none.yaml }
";
    let bad = format!("{PLUGIN}mode: enforcing\nreports: [pulse]\n");
    let files = Files::new(&[("picket.yaml", text), ("p.yaml", &bad), ("q.yaml", "mode: [")]);
    insta::assert_snapshot!(files.complaint());
    let error = files.load().unwrap_err();
    assert_eq!(error.documents().len(), 3);
    let looked_at = ["picket.yaml", "none.yaml", "p.yaml", "q.yaml"].map(|name| files.path(name));
    assert_eq!(error.files().collect::<Vec<_>>(), looked_at);
}

#[test]
fn what_the_daemon_cannot_give_is_said() {
    let text = "version: 1
metrics: { listen: 0.0.0.0:9464 }
sandboxes: [{ cgroup: /a, manifest: p.yaml }]
";
    let manifest =
        format!("{PLUGIN}confinement: standard\ncapabilities: [CAP_NET_RAW]\ndescriptors: []\n");
    let files = Files::new(&[("picket.yaml", text), ("p.yaml", &manifest)]);
    let warnings: Vec<_> = files.load().unwrap().warnings.iter().map(ToString::to_string).collect();
    let directory = format!("{}/", files.0.path().display());
    insta::assert_snapshot!(warnings.join("\n\n").replace(&directory, ""));
}

const KUBERNETES: &str = "version: 1\nkubernetes: { manifests: m }\n";

#[test]
fn manifests_are_bound_to_containers_by_the_names_of_their_files() {
    let files = Files::new(&[
        ("picket.yaml", KUBERNETES),
        ("m/shop_web_app.yaml", PLUGIN),
        ("m/shop_web-0_app.yaml", PLUGIN),
        ("m/..data", "swapped through this, and no manifest"),
    ]);
    let config = files.load().unwrap();
    let kubernetes = config.kubernetes.as_ref().unwrap();
    assert_eq!((kubernetes.logs.to_str(), kubernetes.scope), (Some("/var/log"), Scope::Node));
    let bound = |namespace, pod, container| {
        let (index, binding) = config.rule_for_container(namespace, pod, container)?;
        assert_eq!(config.sandboxes[index].meant, Meant::Container(binding.clone()));
        Some(binding.workload.as_str())
    };
    assert_eq!(bound("shop", "web", "app"), Some("web"));
    assert_eq!(bound("shop", "web-5d4f8c7b9-x7k2p", "app"), Some("web"));
    // The longest name wins.
    assert_eq!(bound("shop", "web-0", "app"), Some("web-0"));
    assert_eq!(bound("shop", "web-1", "app"), Some("web"));
    for none in [("test", "web", "app"), ("shop", "web", "proxy"), ("shop", "webs", "app")] {
        assert_eq!(bound(none.0, none.1, none.2), None);
    }
    assert!(config.binds_pod("shop", "web-7") && !config.binds_pod("test", "web-7"));
    assert!(config.rule_for(b"/kubepods").is_none());
    let names = ["picket.yaml", "m/shop_web-0_app.yaml", "m/shop_web_app.yaml", "m"];
    assert_eq!(config.files().collect::<Vec<_>>(), names.map(|name| files.path(name)));
}

#[test]
fn a_directory_without_manifests_is_warned_of_and_one_that_is_not_there_refused() {
    let files = Files::new(&[("picket.yaml", KUBERNETES), ("m/.keep", "")]);
    let warnings = files.load().unwrap().warnings;
    assert!(warnings[0].to_string().contains("warning (no-manifests)"), "{warnings:?}");
    let nowhere = Files::new(&[("picket.yaml", KUBERNETES)]);
    let complaint = nowhere.complaint();
    assert!(
        complaint.starts_with("picket.yaml:2:26: the directory m cannot be read"),
        "{complaint}"
    );
    // A change there may be the correction.
    let error = nowhere.load().unwrap_err();
    assert!(error.files().any(|file| file == nowhere.path("m")));
}

#[test]
fn a_bad_file_among_the_manifests_refuses_all_of_it() {
    let files = Files::new(&[
        ("picket.yaml", KUBERNETES),
        ("m/shop_web_app.yaml", PLUGIN),
        ("m/shop_mail_app.yaml", "version: 1\nplugin: { name: p }\n"),
        ("m/README", ""),
        ("m/Shop_web_app.yaml", PLUGIN),
    ]);
    insta::assert_snapshot!(files.complaint());
}

#[test]
fn what_is_shown_of_kubernetes_is_the_same_configuration_again() {
    let files = Files::new(&[("picket.yaml", KUBERNETES), ("m/shop_web_app.yaml", PLUGIN)]);
    let shown = files.load().unwrap().effective().to_string();
    let again = Files::new(&[("picket.yaml", &shown)]);
    let config = again.load().unwrap();
    let first = |shown: &str| shown.split_once('\n').unwrap().1.to_owned();
    assert_eq!(first(&config.effective().to_string()), first(&shown));
    let directory = format!("{}/", files.0.path().display());
    let section = shown.split_once("kubernetes:").unwrap().1.replace(&directory, "/etc/picket/");
    insta::assert_snapshot!(section);
}

#[test]
fn what_is_shown_is_the_same_configuration_again() {
    let text = "version: 1
metrics: { listen: off }
api: { socket: /run/x.sock, group: 7 }
limits: { sandboxes: 1024 }
otlp: { endpoint: 'https://collector:4317', protocol: grpc, headers_file: headers, interval: 1500ms }
sandboxes:
  - { cgroup: '/a\\\\x2d\\*\u{fffd}/*', manifest: p.yaml, mode: observe, setup: 1500ms }
  - { cgroup: \"/b/**\", manifest: ./p.yaml }
";
    let files =
        Files::new(&[("picket.yaml", text), ("p.yaml", PLUGIN), ("headers", "a: secret\n")]);
    fs::set_permissions(files.path("headers"), fs::Permissions::from_mode(0o600)).unwrap();
    let shown = files.load().unwrap().effective().to_string();
    let again = Files::new(&[("picket.yaml", &shown)]);
    let config = again.load().unwrap();
    let first = |shown: &str| shown.split_once('\n').unwrap().1.to_owned();
    assert_eq!(first(&config.effective().to_string()), first(&shown));
    let directory = format!("{}/", files.0.path().display());
    insta::assert_snapshot!(first(&shown).replace(&directory, "/etc/picket/"));
}

#[test]
fn files_that_others_may_write_are_refused() {
    for (name, mode) in [("picket.yaml", 0o664), ("p.yaml", 0o646)] {
        let files = Files::new(&[("picket.yaml", LEAST), ("p.yaml", PLUGIN)]);
        fs::set_permissions(files.path(name), fs::Permissions::from_mode(mode)).unwrap();
        let complaint = files.complaint();
        let who = if mode == 0o664 { "its group" } else { "everybody" };
        assert!(complaint.contains(&format!("`{name}` can be written by {who}")), "{complaint}");
        assert!(complaint.contains(&format!("\n      = chmod go-w {name}")), "{complaint}");
    }
}
