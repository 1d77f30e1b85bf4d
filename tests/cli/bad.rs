//! Configurations and manifests that are no good, for everything that must refuse them.

/// The manifest that good configurations name as `plugin.yaml`.
pub(crate) const MANIFEST: &str = "version: 1\nplugin: { name: p, version: 1 }\n";

/// A configuration that is good beside [`MANIFEST`].
pub(crate) const CONFIG: &str =
    "version: 1\nsandboxes:\n  - { cgroup: /no-such-plugins/*, manifest: plugin.yaml }\n";

/// Configurations that are refused although [`MANIFEST`] lies beside them as `plugin.yaml`.
pub(crate) fn bad_configs() -> Vec<(&'static str, Vec<u8>)> {
    let deep = format!("api: {}{}\n", "{ a: ".repeat(40), "}".repeat(40));
    let many = "  - { cgroup: /x/y, manifest: plugin.yaml }\n".repeat(5_000);
    let long = format!("api: {{ socket: /{} }}\n", "x".repeat(200));
    let whole: [(&'static str, Vec<u8>); 13] = [
        ("empty", Vec::new()),
        ("only a comment", b"# later\n".to_vec()),
        ("a list", b"- 1\n".to_vec()),
        ("a word", b"picket\n".to_vec()),
        ("byte order mark", [b"\xef\xbb\xbf", CONFIG.as_bytes()].concat()),
        ("UTF-16", b"\xff\xfev\0e\0r\0".to_vec()),
        ("bad UTF-8", b"version: 1\n# \xc3\x28\n".to_vec()),
        ("NUL", b"version: 1\0\n".to_vec()),
        ("ten megabytes", vec![b'#'; 10 << 20]),
        ("a manifest", MANIFEST.into()),
        ("version of the future", CONFIG.replace("version: 1", "version: 2").into()),
        ("no version", CONFIG.replace("version: 1\n", "").into()),
        ("no sandboxes", b"version: 1\n".to_vec()),
    ];
    let added = [
        ("tab", "api:\n\tsocket: /run/x\n"),
        ("open bracket", "api: { socket: /run/x\n"),
        ("unknown key", "secrets: {}\n"),
        ("unknown inner key", "api: { sockte: /run/x }\n"),
        ("duplicate key", "version: 1\n"),
        ("alias cycle", "api: &a { socket: *a }\n"),
        ("merge key", "limits: { <<: { sandboxes: 1 } }\n"),
        ("tag", "limits: { sandboxes: !!int 4 }\n"),
        ("second document", "---\nversion: 1\n"),
        ("deep nesting", &deep),
        ("thousands of rules", &many),
        ("section without value", "metrics:\n"),
        ("list for a section", "api: [/run/x]\n"),
        ("metrics on a name", "metrics: { listen: 'localhost:9464' }\n"),
        ("metrics port out of range", "metrics: { listen: '127.0.0.1:70000' }\n"),
        ("relative socket", "api: { socket: picket.sock }\n"),
        ("socket too long", &long),
        ("unknown group", "api: { group: no-such-group }\n"),
        ("no sandbox", "limits: { sandboxes: 0 }\n"),
        ("too many sandboxes", "limits: { sandboxes: 1025 }\n"),
        ("limit in words", "limits: { sandboxes: many }\n"),
    ];
    let rules = [
        ("rule without manifest", "cgroup: /a"),
        ("rule without cgroup", "manifest: plugin.yaml"),
        ("misspelt rule", "cgroup: /a, manifets: plugin.yaml"),
        ("relative cgroup", "cgroup: a/*, manifest: plugin.yaml"),
        ("root cgroup", "cgroup: /, manifest: plugin.yaml"),
        ("every cgroup", "cgroup: /**, manifest: plugin.yaml"),
        ("Picket's own cgroups", "cgroup: /picket/*, manifest: plugin.yaml"),
        ("cgroup as a directory", "cgroup: /sys/fs/cgroup/a, manifest: plugin.yaml"),
        ("glued stars", "cgroup: /a/**b, manifest: plugin.yaml"),
        ("rule behind a broader one", "cgroup: /no-such-plugins/a, manifest: plugin.yaml"),
        ("unknown mode", "cgroup: /a, manifest: plugin.yaml, mode: strict"),
        ("setup too long", "cgroup: /a, manifest: plugin.yaml, setup: 1h"),
        ("setup without unit", "cgroup: /a, manifest: plugin.yaml, setup: 10"),
        ("missing manifest", "cgroup: /a, manifest: none.yaml"),
        ("directory for a manifest", "cgroup: /a, manifest: /"),
        ("configuration for a manifest", "cgroup: /a, manifest: picket.yaml"),
    ];
    let added = added.map(|(name, text)| (name, format!("{CONFIG}{text}").into_bytes()));
    let rules =
        rules.map(|(name, rule)| (name, format!("{CONFIG}  - {{ {rule} }}\n").into_bytes()));
    whole.into_iter().chain(added).chain(rules).collect()
}

/// Manifests that are refused by the daemon as `plugin.yaml` beside [`CONFIG`].
pub(crate) fn bad_manifests() -> Vec<(&'static str, Vec<u8>)> {
    let digest = format!("sha256:{}", "0".repeat(64));
    let pinned = format!("version: 1\nplugin: {{ name: p, version: 1, digest: \"{digest}\" }}\n");
    let whole: [(&'static str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        ("bad UTF-8", b"version: \xff\n".to_vec()),
        ("two megabytes", vec![b' '; 2 << 20]),
        ("digest of what others start", pinned.into()),
        ("name with a slash", b"version: 1\nplugin: { name: a/b, version: 1 }\n".to_vec()),
    ];
    let added = [
        ("unknown key", "netwrok: {}\n"),
        ("duplicate key", "mode: shadow\nmode: enforce\n"),
        ("wrong type", "files: { read: /data }\n"),
        ("host bits", "network: { connect: [{ to: 10.1.2.3/8, port: 80 }] }\n"),
        ("unknown call", "syscalls: { allow: [opne] }\n"),
        ("relative path", "files: { read: [data] }\n"),
        ("strict and only observed", "mode: observe\nconfinement: strict\n"),
        ("escape only told", "actions: { escape: alert }\n"),
        ("protected and granted", "files: { read: [/a/key], protect: [/a/key] }\n"),
    ];
    let added = added.map(|(name, text)| (name, format!("{MANIFEST}{text}").into_bytes()));
    whole.into_iter().chain(added).collect()
}
