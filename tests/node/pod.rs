//! The DaemonSet's pod, read from the file that users apply, as a runtime's configuration.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

const DAEMON_SET: &str = include_str!("../../deploy/kustomize/base/daemonset.yaml");
const SIDECAR: &str = include_str!("../../deploy/kustomize/components/sidecar/sidecar.yaml");
const DOCKERFILE: &str = include_str!("../../deploy/docker/Dockerfile");

/// What `containerd` and CRI-O hide or protect in every container that is not privileged.
const MASKED: [&str; 9] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// A pod with one container.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    spec: Value,
    container: Value,
    /// What it is started with, in the words of the YAML.
    pub(crate) capabilities: Vec<String>,
}

/// What a kubelet adds to a pod's specification.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) cgroup: &'a str,
    pub(crate) root: &'a Path,
    /// Directories that stand for volumes which are not the node's own.
    pub(crate) volumes: &'a Path,
}

/// The pod of the DaemonSet.
pub(crate) fn daemon_set() -> Pod {
    pod(DAEMON_SET, "containers")
}

/// The pod of a plugin, of which only Picket's part is run.
pub(crate) fn sidecar() -> Pod {
    pod(SIDECAR, "initContainers")
}

fn pod(text: &str, containers: &str) -> Pod {
    let object: Value = serde_saphyr::from_str(text).unwrap();
    let spec = object["spec"]["template"]["spec"].clone();
    let container = spec[containers][0].clone();
    let security = &container["securityContext"]["capabilities"];
    assert_eq!(security["drop"], json!(["ALL"]), "what is added is all there is");
    let capabilities = list(&security["add"]).map(str::to_owned).collect();
    Pod { spec, container, capabilities }
}

impl Pod {
    /// The same with one capability less.
    pub(crate) fn without(&self, capability: &str) -> Self {
        let mut less = self.clone();
        less.capabilities.retain(|name| name != capability);
        assert_ne!(less.capabilities, self.capabilities, "{capability} is not among them");
        less
    }

    /// The same with one capability more.
    pub(crate) fn with(&self, capability: &str) -> Self {
        let mut more = self.clone();
        more.capabilities.push(capability.to_owned());
        more
    }

    /// The same without one volume.
    pub(crate) fn without_volume(&self, name: &str) -> Self {
        let mut less = self.clone();
        let mounts = less.container["volumeMounts"].as_array_mut().unwrap();
        let all = mounts.len();
        mounts.retain(|mount| mount["name"] != name);
        assert_eq!(mounts.len() + 1, all, "{name} is not among them");
        less
    }

    /// `config.json` of a bundle, by the OCI runtime specification.
    pub(crate) fn runtime_config(&self, node: &Node<'_>) -> Value {
        let security = &self.container["securityContext"];
        let capabilities: Vec<String> =
            self.capabilities.iter().map(|name| format!("CAP_{name}")).collect();
        let arguments = entry_point().chain(list(&self.container["args"]).map(str::to_owned));
        let mut namespaces = vec!["mount", "uts", "ipc", "network", "cgroup"];
        if self.spec["hostPID"] != true {
            namespaces.push("pid");
        }
        let namespaces: Vec<Value> =
            namespaces.into_iter().map(|name| json!({ "type": name })).collect();
        json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": { "uid": security["runAsUser"], "gid": security["runAsGroup"] },
                "args": arguments.collect::<Vec<_>>(),
                "env": ["PATH=/usr/bin:/bin", "NODE_NAME=guest"],
                "cwd": "/",
                "capabilities": {
                    "bounding": capabilities,
                    "effective": capabilities,
                    "permitted": capabilities,
                },
                "noNewPrivileges": security["allowPrivilegeEscalation"] == false,
            },
            "root": { "path": node.root, "readonly": security["readOnlyRootFilesystem"] },
            "mounts": self.mounts(node),
            "linux": {
                "cgroupsPath": node.cgroup,
                "namespaces": namespaces,
                "maskedPaths": MASKED,
                "readonlyPaths": READ_ONLY,
            },
        })
    }

    fn mounts(&self, node: &Node<'_>) -> Vec<Value> {
        let mut mounts = vec![
            json!({ "destination": "/proc", "type": "proc", "source": "proc" }),
            json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                    "options": ["nosuid", "mode=755"] }),
            json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs",
                    "options": ["nosuid", "noexec", "nodev", "ro"] }),
        ];
        // The image's binary is static; the one under test finds its libraries on the guest.
        for libraries in ["/usr/lib", "/usr/lib64"] {
            mounts.push(json!({ "destination": libraries, "type": "bind", "source": libraries,
                                "options": ["rbind", "ro"] }));
        }
        for mount in self.container["volumeMounts"].as_array().unwrap() {
            let access = if mount["readOnly"] == true { "ro" } else { "rw" };
            mounts.push(json!({
                "destination": mount["mountPath"],
                "type": "bind",
                "source": self.source(mount["name"].as_str().unwrap(), node.volumes),
                "options": ["rbind", "rprivate", access],
            }));
        }
        mounts
    }

    /// The directory behind a volume.
    fn source(&self, name: &str, volumes: &Path) -> PathBuf {
        let all = self.spec["volumes"].as_array().unwrap();
        let volume = all.iter().find(|volume| volume["name"] == name);
        let volume = volume.unwrap_or_else(|| panic!("a mount of no volume: {name}"));
        match volume["hostPath"]["path"].as_str() {
            Some(path) => PathBuf::from(path),
            None => volumes.join(name.trim_start_matches("picket-")),
        }
    }
}

/// What the image runs.
fn entry_point() -> impl Iterator<Item = String> {
    let line = DOCKERFILE.lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).unwrap();
    let words: Vec<String> = serde_json::from_str(line).unwrap();
    words.into_iter()
}

fn list(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap())
}
