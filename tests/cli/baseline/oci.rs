//! A container of a real runtime, Debian's `crun`, and the runtime specification's own schemas.

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use picket_tests::unique;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where Debian's package puts them.
const SCHEMAS: &str = "/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema";

const JUDGE: &str = r#"
import json, pathlib, sys, jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4
place = pathlib.Path(sys.argv[1])
def named(uri):
    text = (place / uri.rsplit("/", 1)[-1]).read_text()
    return Resource.from_contents(json.loads(text), default_specification=DRAFT4)
schema = {"$ref": "oci:/config-schema.json"}
judge = jsonschema.Draft4Validator(schema, registry=Registry(retrieve=named))
for complaint in judge.iter_errors(json.load(sys.stdin)):
    print("/".join(map(str, complaint.absolute_path)), complaint.message)
"#;

/// Who runs in a container.
#[derive(Clone, Copy)]
pub(super) enum User {
    /// Root that can gain nothing: the filter comes last.
    Root,
    /// Somebody else who may: the filter comes first, and the runtime changes users under it.
    Nobody,
}

/// A container with the system's programs and a directory of its own.
pub(super) struct Container {
    bundle: TempDir,
    config: Value,
}

impl Container {
    /// One that runs this line of shell.
    #[track_caller]
    pub(super) fn new(script: &str, user: User) -> Self {
        assert!(Path::new("/usr/bin/crun").exists(), "this test needs crun: install it");
        let bundle = tempfile::tempdir().unwrap();
        let root = bundle.path().join("rootfs");
        for name in ["usr", "etc", "proc", "dev", "tmp"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        for name in ["bin", "lib", "lib64"] {
            symlink(format!("usr/{name}"), root.join(name)).unwrap();
        }
        let (uid, bound) = match user {
            User::Root => (0, true),
            User::Nobody => (65_534, false),
        };
        let of_host = |place: &str| json!({ "destination": place, "type": "bind", "source": place, "options": ["rbind", "ro"] });
        let scratch = json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
                              "options": ["mode=1777"] });
        let config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": { "uid": uid, "gid": uid }, "cwd": "/", "env": ["PATH=/usr/bin:/bin"],
                "args": ["/usr/bin/sh", "-c", script], "noNewPrivileges": bound,
            },
            "root": { "path": "rootfs" },
            "mounts": [of_host("/usr"), of_host("/etc"), scratch],
            "linux": { "namespaces": [{ "type": "mount" }, { "type": "pid" }] },
        });
        Self { bundle, config }
    }

    /// Under this seccomp profile.
    pub(super) fn under(mut self, profile: &Value) -> Self {
        self.config["linux"]["seccomp"] = profile.clone();
        self
    }

    /// With this file in its root.
    pub(super) fn with_file(self, from: &Path, name: &str) -> Self {
        fs::copy(from, self.bundle.path().join("rootfs").join(name)).unwrap();
        self
    }

    /// What the specification's schemas say of it: nothing if all is well.
    #[track_caller]
    pub(super) fn complaints(&self) -> String {
        let name = "PICKET_WEBHOOKS_PYTHON";
        let python = env::var_os(name).unwrap_or_else(|| {
            panic!("{name} names no Python; run these tests by `cargo xtask test kernel`")
        });
        assert!(
            Path::new(SCHEMAS).is_dir(),
            "this test needs golang-github-opencontainers-specs-dev: install it"
        );
        let mut judge = Command::new(python);
        judge.args(["-c", JUDGE, SCHEMAS]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut judge = judge.spawn().unwrap();
        let config = self.config.to_string();
        judge.stdin.take().unwrap().write_all(config.as_bytes()).unwrap();
        let output = judge.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it to its end.
    #[track_caller]
    pub(super) fn run(&self) -> Output {
        fs::write(self.bundle.path().join("config.json"), self.config.to_string()).unwrap();
        // crun 1.8 refuses a hybrid hierarchy of cgroups before it looks at what it shall do with it, which is nothing:
        // a mount namespace of its own shows it the second version alone.
        let script = "mount -t cgroup2 none /sys/fs/cgroup && \
                      exec crun --cgroup-manager=disabled --root=\"$1\" run --bundle=\"$2\" \"$3\"";
        let mut command = Command::new("timeout");
        command.args(["60", "unshare", "--mount", "sh", "-c", script, "sh"]);
        command.arg(self.bundle.path().join("state")).arg(self.bundle.path());
        command.arg(unique("picket-oci")).stdin(Stdio::null()).output().unwrap()
    }
}
