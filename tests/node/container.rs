//! One container of the DaemonSet's pod on this node, run by `crun`.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use picket_tests::{picket_program, require_root, unique};
use serde_json::Value;
use tempfile::TempDir;

use super::pod::{Node, Pod};

/// The kernel checks every program when a container starts, which takes an emulated processor its time.
const PATIENCE: Duration = Duration::from_secs(180);

/// Nothing is declared: whatever a container does is a departure.
const MANIFEST: &str = "version: 1\nplugin: { name: rogue, version: 1.0.0 }\n";

/// The node's cgroup tree, and where the kubelet has its own.
const CGROUPS: &str = "/sys/fs/cgroup";

/// A pod's container and another pod that it watches. Dropping it ends both.
pub(crate) struct Container {
    name: String,
    directory: TempDir,
    runtime: Child,
    other: PathBuf,
    rogue: Option<Child>,
}

impl Container {
    /// Starts the pod's container as a kubelet would, with a configuration that watches one other pod.
    pub(crate) fn start(pod: &Pod) -> Self {
        require_root("a container runtime does");
        let name = unique("picket");
        let directory = tempfile::tempdir().unwrap();
        let other = PathBuf::from(format!("{CGROUPS}/kubepods/besteffort/pod-{name}/rogue"));
        fs::create_dir_all(&other).unwrap();
        image(&directory.path().join("root"));
        volumes(&directory.path().join("volumes"), &name);
        let config = pod.runtime_config(&Node {
            cgroup: &format!("/kubepods/burstable/pod-{name}/{name}"),
            root: &directory.path().join("root"),
            volumes: &directory.path().join("volumes"),
        });
        fs::write(directory.path().join("config.json"), config.to_string()).unwrap();
        let mut command = Command::new("crun");
        command.arg("run").arg("--bundle").arg(directory.path()).arg(&name);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(directory.path().join("said")).unwrap());
        let runtime = command.spawn().unwrap();
        Self { name, directory, runtime, other, rogue: None }
    }

    /// Everything the container said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.directory.path().join("said")).unwrap()
    }

    pub(crate) fn reports(&self) -> Vec<Value> {
        self.said().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for a report of this kind.
    #[track_caller]
    pub(crate) fn await_report(&self, event: &str) -> Value {
        self.await_that(event, || {
            self.reports().into_iter().find(|report| report["event"] == event)
        })
    }

    #[track_caller]
    fn await_that<T>(&self, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = attempt() {
                return value;
            }
            assert!(Instant::now() < deadline, "waited in vain: {what}; it said {}", self.said());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Has a process of another root, without much of a life before, work in the watched pod.
    pub(crate) fn let_a_rogue_in(&mut self) {
        let mut command = Command::new("/bin/sh");
        let script =
            "echo $$ > \"$0/cgroup.procs\"; exec /bin/sh -c 'while :; do cat /etc/hosts; done'";
        command.args(["-c", script]).arg(&self.other);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        self.rogue = Some(command.spawn().unwrap());
    }

    /// Waits until the kernel says that the watched pod is frozen.
    #[track_caller]
    pub(crate) fn await_freeze(&self) {
        self.await_that("frozen 1", || {
            let events = fs::read_to_string(self.other.join("cgroup.events")).ok()?;
            events.contains("frozen 1").then_some(())
        });
    }

    /// What the container answers on its own loopback: a status.
    pub(crate) fn asked(&self, path: &str) -> String {
        let address = format!("http://127.0.0.1:9464{path}");
        let mut command = Command::new("nsenter");
        command.args(["-n", "-t", &self.process().to_string(), "wget", "-q", "-O", "-", &address]);
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Picket's own process, by the node's number.
    pub(crate) fn process(&self) -> u32 {
        let file = format!("{CGROUPS}/kubepods/burstable/pod-{0}/{0}/cgroup.procs", self.name);
        self.await_that("a process", || {
            fs::read_to_string(&file).ok()?.lines().next()?.parse().ok()
        })
    }

    /// Waits for its end, and answers its code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.runtime.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end; it said {}", self.said());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(fs::write(self.other.join("cgroup.kill"), "1"));
        if let Some(rogue) = &mut self.rogue {
            drop(rogue.wait());
        }
        drop(Command::new("crun").args(["delete", "--force", &self.name]).output());
        drop(self.runtime.wait());
        drop(fs::remove_dir(&self.other));
        drop(self.other.parent().map(fs::remove_dir));
    }
}

/// What the image holds: the program and nothing else.
fn image(root: &Path) {
    fs::create_dir_all(root.join("usr/lib")).unwrap();
    fs::copy(picket_program(), root.join("picket")).unwrap();
    // Where the dynamic loader of the binary under test is looked for.
    symlink("usr/lib", root.join("lib")).unwrap();
    symlink("usr/lib64", root.join("lib64")).unwrap();
}

/// What the API server would hand out.
fn volumes(place: &Path, name: &str) {
    for volume in ["config", "manifests", "run"] {
        fs::create_dir_all(place.join(volume)).unwrap();
    }
    for logs in ["/var/log/pods", "/var/log/containers"] {
        fs::create_dir_all(logs).unwrap();
    }
    let config = format!(
        "version: 1\nmetrics: {{ listen: \"0.0.0.0:9464\" }}\nsandboxes:\n  \
         - {{ cgroup: \"/kubepods/besteffort/pod-{name}/*\", manifest: ../manifests/rogue.yaml }}\n"
    );
    fs::write(place.join("config/picket.yaml"), config).unwrap();
    fs::write(place.join("manifests/rogue.yaml"), MANIFEST).unwrap();
}
