//! When Picket dies, what it left frozen stays frozen, is killed in time, and is swept.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use picket::supervisor::sweep_stale;

use super::host::{PATIENCE, eventually, has_event, picket_binary, root, stand_in};

/// From Picket's death to `frozen 1`. Measured far below; the rest is for a busy host.
const FROZEN_WITHIN: Duration = Duration::from_secs(2);

/// A process that plays Picket, and what it says it made.
struct Victim {
    picket: Child,
    sandbox: PathBuf,
    launcher: u32,
}

impl Victim {
    fn start(stage: &str, orphan: Duration) -> Self {
        let mut picket = Command::new(stand_in())
            .arg("picket")
            .arg(picket_binary())
            .args([&orphan.as_millis().to_string(), stage, "/bin/sh", "-c"])
            .arg("while :; do :; done")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(picket.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let [sandbox, _child, launcher] =
            line.split_whitespace().collect::<Vec<_>>().try_into().expect("what it made");
        let (sandbox, launcher) = (PathBuf::from(sandbox), launcher.parse().unwrap());
        Self { picket, sandbox, launcher }
    }

    fn kill_picket(&mut self) {
        self.picket.kill().unwrap();
        self.picket.wait().unwrap();
    }

    /// As the kernel's out-of-memory killer might, or an administrator.
    #[expect(unsafe_code, reason = "std signals its own children only")]
    fn kill_launcher(&self) {
        // SAFETY: touches no memory. The launcher guards a living sandbox, so the pid is its own.
        let outcome = unsafe { libc::kill(self.launcher.cast_signed(), libc::SIGKILL) };
        assert_eq!(outcome, 0);
        eventually("the launcher is gone", PATIENCE, || !is_alive(self.launcher));
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.picket.kill());
        drop(self.picket.wait());
        // For a test that failed half-way: a launcher may be counting down a minute.
        if self.sandbox.exists() {
            drop(fs::write(self.sandbox.join("cgroup.kill"), "1"));
        }
    }
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
}

fn is_swept(sandbox: &Path) -> bool {
    let swept = sweep_stale(&root()).unwrap();
    let name = sandbox.file_name().unwrap().to_str().unwrap();
    swept.removed.iter().any(|removed| removed == name)
}

#[test]
fn a_sandbox_whose_picket_is_killed_is_frozen_and_killed_when_nobody_comes() {
    let orphan = Duration::from_millis(700);
    let mut victim = Victim::start("running", orphan);
    assert!(has_event(&victim.sandbox, "frozen 0"));
    victim.kill_picket();
    eventually("frozen", FROZEN_WITHIN, || has_event(&victim.sandbox, "frozen 1"));
    assert!(has_event(&victim.sandbox, "populated 1"), "frozen, not killed");
    eventually("killed and removed", PATIENCE, || !victim.sandbox.exists());
    eventually("the launcher is gone", PATIENCE, || !is_alive(victim.launcher));
}

#[test]
fn an_orphan_is_not_killed_before_its_time() {
    let mut victim = Victim::start("running", Duration::from_mins(1));
    victim.kill_picket();
    eventually("frozen", FROZEN_WITHIN, || has_event(&victim.sandbox, "frozen 1"));
    assert!(!is_swept(&victim.sandbox), "its launcher still answers for it");
    assert!(has_event(&victim.sandbox, "populated 1"));
    // An end by another hand is noticed at once, not after the minute.
    fs::write(victim.sandbox.join("cgroup.kill"), "1").unwrap();
    eventually("removed", PATIENCE, || !victim.sandbox.exists());
    eventually("the launcher is gone", PATIENCE, || !is_alive(victim.launcher));
}

#[test]
fn a_picket_killed_at_the_gate_leaves_nothing() {
    let mut victim = Victim::start("gate", Duration::from_mins(1));
    victim.kill_picket();
    eventually("removed", PATIENCE, || !victim.sandbox.exists());
    eventually("the launcher is gone", PATIENCE, || !is_alive(victim.launcher));
}

#[test]
fn what_picket_and_launcher_leave_behind_together_is_swept() {
    for stage in ["running", "gate"] {
        let mut victim = Victim::start(stage, Duration::from_mins(1));
        assert!(!is_swept(&victim.sandbox), "it has an owner");
        victim.kill_launcher();
        assert!(!is_swept(&victim.sandbox), "its Picket lives");
        victim.kill_picket();
        // Nobody else sweeps it but another test of this file, which is as good.
        eventually("swept", PATIENCE, || is_swept(&victim.sandbox) || !victim.sandbox.exists());
        assert!(!victim.sandbox.exists(), "{stage}");
    }
}
