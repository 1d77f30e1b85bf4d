//! One `picket exec` under way, and what it came to.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use picket::supervisor::CgroupRoot;
use picket_tests::{PATIENCE, meddle};
use serde_json::Value;
use tempfile::TempDir;

use super::plugin::Plugin;

/// A running Picket. Dropping it ends Picket and its sandbox, whatever state they are in.
pub(crate) struct Run {
    child: Child,
    name: String,
    directory: Rc<TempDir>,
    started: Instant,
}

/// A Picket that has ended by itself, and left nothing behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) reports: Vec<Value>,
    pub(crate) took: Duration,
}

impl Run {
    /// Standard output and error become files, so that nobody has to read while it runs.
    pub(crate) fn start(plugin: &Plugin, mut command: Command) -> Self {
        command.stdout(File::create(plugin.path("stdout")).unwrap());
        command.stderr(File::create(plugin.path("stderr")).unwrap());
        if !plugin.path("stdin").exists() {
            plugin.write("stdin", "");
        }
        command.stdin(File::open(plugin.path("stdin")).unwrap());
        let started = Instant::now();
        let child = command.spawn().unwrap();
        Self { child, name: plugin.name().to_owned(), directory: plugin.share_directory(), started }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The launcher of its sandbox, once there is one.
    pub(crate) fn launcher(&self) -> u32 {
        let children = format!("/proc/{0}/task/{0}/children", self.pid());
        self.wait_for("a launcher", || {
            let children = fs::read_to_string(&children).ok()?;
            let mut children = children.split_whitespace();
            children.find(|child| !meddle::is_canary(child))?.parse().ok()
        })
    }

    /// The sandbox's cgroup, once there is one.
    pub(crate) fn cgroup(&self) -> PathBuf {
        self.wait_for("a sandbox", || sandboxes(&self.name).pop())
    }

    pub(crate) fn reports(&self) -> Vec<Value> {
        reports(self.directory.path())
    }

    pub(crate) fn await_report(&self, event: &str) -> Value {
        self.wait_for(event, || self.reports().into_iter().find(|report| report["event"] == event))
    }

    /// Waits until the plugin has written this to its standard output.
    pub(crate) fn await_output(&self, text: &str) {
        self.wait_for(text, || {
            let all = fs::read_to_string(self.directory.path().join("stdout")).ok()?;
            all.contains(text).then_some(())
        });
    }

    /// As [`picket_tests::wait_for`], but a vain wait tells what there was instead.
    fn wait_for<T>(&self, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = attempt() {
                return value;
            }
            assert!(Instant::now() < deadline, "waited in vain: {what:?}; {}", self.story());
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn story(&self) -> String {
        let errors = fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default();
        format!("standard error {errors:?}, reports {:?}", self.reports())
    }

    pub(crate) fn signal(&self, number: i32) {
        signal(self.child.id().cast_signed(), number);
    }

    /// Waits for Picket's end without looking at what it leaves.
    pub(crate) fn reap(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "picket does not end; {}", self.story());
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Waits for Picket's end, then looks: no sandbox and no process of it may be left.
    pub(crate) fn end(mut self) -> Ended {
        let code = self.reap();
        let took = self.started.elapsed();
        assert_eq!(sandboxes(&self.name), Vec::<PathBuf>::new(), "{}", self.story());
        assert_eq!(processes_in(self.directory.path()), Vec::<String>::new(), "{}", self.story());
        Ended {
            code,
            stdout: fs::read(self.directory.path().join("stdout")).unwrap(),
            stderr: fs::read_to_string(self.directory.path().join("stderr")).unwrap(),
            reports: self.reports(),
            took,
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // For a test that failed half-way. Nobody is left to tell what cannot be removed.
        if let Ok(None) = self.child.try_wait() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        for sandbox in sandboxes(&self.name) {
            drop(fs::write(sandbox.join("cgroup.kill"), "1"));
        }
    }
}

impl Ended {
    /// All reports of one kind.
    pub(crate) fn of(&self, event: &str) -> Vec<&Value> {
        self.reports.iter().filter(|report| report["event"] == event).collect()
    }

    pub(crate) fn output(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }

    /// It ended as the plugin did, and there was nothing to say about it.
    #[track_caller]
    pub(crate) fn assert_honest(&self, code: i32) {
        assert_eq!((self.code, self.of("finding")), (code, Vec::new()), "{self:?}");
    }

    /// It was found out, frozen, kept for its second and killed.
    #[track_caller]
    pub(crate) fn assert_contained(&self, capability: &str, reason: &str) {
        assert_eq!(self.code, 120, "{self:?}");
        let found = self.of("finding").into_iter().any(|finding| {
            finding["capability"] == capability
                && finding["reason"] == reason
                && finding["action"] == "freeze"
        });
        assert!(found, "no finding {capability}/{reason}: {self:?}");
        let steps = |event| -> Vec<(&Value, &Value)> {
            self.of(event).into_iter().map(|one| (&one["step"], &one["trigger"])).collect()
        };
        let (freeze, kill) = (Value::from("freeze"), Value::from("kill"));
        let (finding, lease) = (Value::from("finding"), Value::from("lease_expired"));
        let expected = [(&freeze, &finding), (&kill, &lease)];
        assert_eq!(steps("contain"), expected, "{self:?}");
        assert_eq!(steps("receipt"), expected, "{self:?}");
        for receipt in self.of("receipt") {
            assert_eq!(receipt["outcome"], "done", "{self:?}");
            let decided = receipt["decision_us"].as_u64().unwrap();
            let confirmed = receipt["receipt_us"].as_u64().unwrap();
            assert!(0 < decided && decided <= confirmed, "{receipt}");
        }
        assert!(Duration::from_secs(1) <= self.took, "killed before its lease was over: {self:?}");
    }
}

/// Every line must be an object of its own.
fn reports(directory: &Path) -> Vec<Value> {
    let text = fs::read_to_string(directory.join("reports")).unwrap_or_default();
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The sandboxes of plugins of this name.
pub(crate) fn sandboxes(name: &str) -> Vec<PathBuf> {
    let home = CgroupRoot::find().unwrap().home();
    let prefix = format!("{name}.");
    // Without any sandbox on the host the directory is not there.
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)))
        .map(|entry| entry.path())
        .collect()
}

/// Whether `cgroup.events` of a sandbox has this line; false when the sandbox is gone.
pub(crate) fn has_event(sandbox: &Path, line: &str) -> bool {
    // A cgroup that is removed while it is read answers with ENODEV.
    fs::read_to_string(sandbox.join("cgroup.events"))
        .is_ok_and(|events| events.lines().any(|found| found == line))
}

/// Processes whose working directory is in this one.
pub(crate) fn processes_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| {
            fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory))
        })
        .map(|entry| {
            let words = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            format!("{}: {words}", entry.path().display())
        })
        .collect()
}

/// Whether a process is there and no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
}

/// Sends a signal to a process of the calling test, or to a group of them.
#[expect(unsafe_code, reason = "std knows no signal but SIGKILL")]
pub(crate) fn signal(pid: i32, number: i32) {
    // SAFETY: touches no memory. Callers name processes that live, or that they have not reaped.
    let outcome = unsafe { libc::kill(pid, number) };
    assert_eq!(outcome, 0, "signal {number} to {pid}");
}
