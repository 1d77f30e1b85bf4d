//! systemd and its journal, asked as an administrator asks them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use picket_tests::{PATIENCE, unique};
use serde_json::Value;

const UNIT: &str = "picket.service";

/// Everything that a unit of this slice does is a departure.
const MANIFEST: &str = "version: 1\nplugin: { name: rogue, version: 1.0.0 }\n";
pub(crate) const CONFIG: &str = "version: 1\nmetrics: { listen: \"127.0.0.1:9464\" }\nsandboxes:\n  \
                                 - { cgroup: \"/plugins.slice/*\", manifest: rogue.yaml }\n";

/// Runs a program to its end; its failure is the test's.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}{said}{}", journal());
    said
}

/// Everything the service has said since the machine came up.
fn journal() -> String {
    let all = ["-b", "--no-pager", "-o", "cat", "-u", UNIT];
    let output = Command::new("journalctl").args(all).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The service, configured. Dropping it stops it, so that the next test begins anew.
pub(crate) struct Service;

impl Service {
    /// Starts it, and answers when systemd holds it for ready.
    #[track_caller]
    pub(crate) fn start() -> Self {
        fs::create_dir_all("/etc/picket").unwrap();
        fs::write("/etc/picket/rogue.yaml", MANIFEST).unwrap();
        fs::write("/etc/picket/picket.yaml", CONFIG).unwrap();
        let service = Self;
        run("systemctl", &["start", UNIT]);
        service
    }

    pub(crate) fn property(&self, name: &str) -> String {
        let said = run("systemctl", &["show", "--value", "-p", name, UNIT]);
        said.trim_end().to_owned()
    }

    /// Its reports of one kind, of this and former runs.
    pub(crate) fn reports(&self, event: &str) -> Vec<Value> {
        let all = journal();
        let reports = all.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        reports.filter(|report| report["event"] == event).collect()
    }

    #[track_caller]
    pub(crate) fn await_that<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain: {what}; the journal: {}",
                journal()
            );
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Has another unit run a program in the watched slice, and answers its cgroup.
    pub(crate) fn let_a_rogue_in(&self) -> Rogue {
        let unit = format!("{}.service", unique("rogue"));
        run(
            "systemd-run",
            &[
                "--quiet",
                "--slice=plugins.slice",
                &format!("--unit={unit}"),
                "/bin/sh",
                "-c",
                "while :; do cat /etc/hosts; done",
            ],
        );
        Rogue(unit)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(Command::new("systemctl").args(["stop", UNIT]).output());
        drop(Command::new("systemctl").args(["reset-failed", UNIT]).output());
    }
}

/// Somebody else's unit. Dropping it ends it, frozen or not.
pub(crate) struct Rogue(String);

impl Rogue {
    pub(crate) fn cgroup(&self) -> PathBuf {
        PathBuf::from("/sys/fs/cgroup/plugins.slice").join(&self.0)
    }

    pub(crate) fn is_frozen(&self) -> bool {
        fs::read_to_string(self.cgroup().join("cgroup.events"))
            .is_ok_and(|events| events.contains("frozen 1"))
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        drop(fs::write(self.cgroup().join("cgroup.kill"), "1"));
    }
}
