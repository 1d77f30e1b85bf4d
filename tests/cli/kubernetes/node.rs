//! A node: cgroups and logs as a kubelet makes them, and a directory of manifests as a ConfigMap is mounted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use picket_tests::picket;
use serde_json::Value;

use super::super::daemon::stage::{Daemon, Stage};
use super::super::plugin::Plugin;

pub(super) struct Node {
    pub(super) stage: Stage,
}

pub(super) struct Pod {
    namespace: String,
    name: String,
    uid: String,
}

pub(super) struct Container {
    /// From the stage's own cgroup on.
    pub(super) path: String,
    pod: String,
    namespace: String,
    name: String,
    id: String,
}

impl Node {
    /// A configuration of this scope, and nothing on the node.
    pub(super) fn new(scope: &str) -> Self {
        Self::of(Plugin::new().may_run("path: /usr/bin/touch").held(), scope)
    }

    /// As [`Node::new`], with the manifest of this plugin for whatever is bound.
    pub(super) fn of(plugin: Plugin, scope: &str) -> Self {
        let stage = Stage::new(plugin);
        for directory in ["logs/pods", "logs/containers", "manifests"] {
            fs::create_dir_all(stage.plugin.path(directory)).unwrap();
        }
        let kubernetes = format!(
            "kubernetes: {{ manifests: manifests, logs: {}, scope: {scope} }}\n",
            stage.plugin.path("logs").display()
        );
        stage.configure_with("  []\n", &kubernetes);
        Self { stage }
    }

    pub(super) fn manifest(&self, binding: &str) -> PathBuf {
        self.stage.plugin.path("manifests").join(format!("{binding}.yaml"))
    }

    /// Puts the stage's manifest into the directory.
    pub(super) fn bind(&self, binding: &str) {
        let next = self.stage.plugin.write("next", self.stage.plugin.manifest());
        fs::rename(next, self.manifest(binding)).unwrap();
    }

    /// Puts manifests there as a ConfigMap's are: by a link that is swapped, and links through it.
    pub(super) fn swap(&self, revision: &str, bindings: &[&str]) {
        let manifests = self.stage.plugin.path("manifests");
        let version = format!("..{revision}");
        fs::create_dir(manifests.join(&version)).unwrap();
        for binding in bindings {
            let file = manifests.join(&version).join(format!("{binding}.yaml"));
            fs::write(file, self.stage.plugin.manifest()).unwrap();
        }
        symlink(&version, manifests.join("..data_tmp")).unwrap();
        fs::rename(manifests.join("..data_tmp"), manifests.join("..data")).unwrap();
        for entry in fs::read_dir(&manifests).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if !name.starts_with('.') && !manifests.join("..data").join(&name).exists() {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        for binding in bindings {
            let name = format!("{binding}.yaml");
            drop(symlink(format!("..data/{name}"), manifests.join(name)));
        }
    }

    pub(super) fn pod(&self, namespace: &str, name: &str) -> Pod {
        let uid = format!("{:08x}-0000-4000-8000-{:012x}", std::process::id(), next());
        let logs = self.stage.plugin.path("logs/pods");
        fs::create_dir(logs.join(format!("{namespace}_{name}_{uid}"))).unwrap();
        Pod { namespace: namespace.to_owned(), name: name.to_owned(), uid }
    }

    /// The cgroup of a container that has no name yet.
    pub(super) fn container(&self, pod: &Pod, name: &str) -> Container {
        let id = format!("{:032x}{:032x}", std::process::id(), next());
        let path = format!("kubepods/burstable/pod{}/{id}", pod.uid);
        fs::create_dir_all(self.stage.place(&path)).unwrap();
        Container {
            path,
            pod: pod.name.clone(),
            namespace: pod.namespace.clone(),
            name: name.to_owned(),
            id,
        }
    }

    /// What the kubelet does when a container has started.
    pub(super) fn name(&self, container: &Container) {
        self.rename(container, &container.name);
    }

    pub(super) fn rename(&self, container: &Container, name: &str) {
        let Container { pod, namespace, id, .. } = container;
        let link = format!("logs/containers/{pod}_{namespace}_{name}-{id}.log");
        symlink("/nowhere", self.stage.plugin.path(&link)).unwrap();
    }

    pub(super) fn enter(&mut self, container: &Container, script: &str) {
        self.stage.enter(&container.path, script);
    }

    pub(super) fn place(&self, container: &Container) -> PathBuf {
        self.stage.place(&container.path)
    }

    pub(super) fn is_frozen(&self, container: &Container) -> bool {
        self.stage.is_frozen(&container.path)
    }

    /// Whether the daemon keeps what this container does until its name is known. Asked for by its cgroup, because on
    /// this host there are other tests' containers, too.
    pub(super) fn is_held(&self, container: &Container) -> bool {
        self.is_among("unwatched", container).is_some()
    }

    /// Why nobody judges this container, if so.
    pub(super) fn passed_over(&self, container: &Container) -> Option<String> {
        Some(self.is_among("passed_over", container)?["why"].as_str().unwrap().to_owned())
    }

    fn is_among(&self, list: &str, container: &Container) -> Option<Value> {
        let status: Value = serde_json::from_str(&self.status(&["--output", "json"])).unwrap();
        let cgroup = self.stage.path(&container.path);
        status[list].as_array().unwrap().iter().find(|one| one["cgroup"] == *cgroup).cloned()
    }

    /// What `picket status` prints.
    pub(super) fn status(&self, arguments: &[&str]) -> String {
        let mut command = picket();
        command.arg("status").args(arguments);
        command.arg("--api").arg(self.stage.plugin.path("picket.sock"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Daemon {
    /// Waits until it says that it watches the container of these names, and answers the sandbox.
    #[track_caller]
    pub(super) fn await_watched_as(&self, names: &str) -> Value {
        let text = format!("is {names} (");
        let report = self.await_one("watched", |report| {
            report["text"].as_str().is_some_and(|said| said.starts_with(&text))
        });
        report["sandbox"].clone()
    }
}

fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
