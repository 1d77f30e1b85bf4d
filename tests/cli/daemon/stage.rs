//! A running `picket run` with cgroups that the test makes, as an orchestrator would.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use picket::supervisor::CgroupRoot;
use picket_tests::{PATIENCE, picket, picket_program, unique, wait_for};
use serde_json::Value;

use super::super::plugin::Plugin;
use super::super::run::{has_event, signal};
use super::super::scrape::value;

/// A part of the cgroup tree, a directory with configuration and manifest, and what was started in them.
pub(crate) struct Stage {
    pub(crate) plugin: Plugin,
    pub(crate) home: PathBuf,
    /// On hybrid hosts: a cgroup in each hierarchy that counts what processes use.
    beside: Vec<PathBuf>,
    children: Vec<Child>,
}

/// A running daemon. Dropping it kills it.
pub(crate) struct Daemon {
    child: Child,
    reports: PathBuf,
    errors: PathBuf,
}

impl Stage {
    /// One rule for all cgroups directly below the stage's own, and this manifest.
    pub(crate) fn new(plugin: Plugin) -> Self {
        let home = CgroupRoot::find().unwrap().mount().join(unique("daemon"));
        fs::create_dir(&home).unwrap();
        plugin.write("manifest.yaml", plugin.manifest());
        plugin.write("secret", "secret\n");
        let stage = Self { plugin, home, beside: Vec::new(), children: Vec::new() };
        stage.configure(&stage.rule("*", ""));
        stage
    }

    /// Has the kernel count what those who enter later use, as orchestrators do. Whether the host is hybrid.
    pub(crate) fn count_resources(&mut self) -> bool {
        for controller in ["memory", "pids"] {
            let hierarchy = Path::new("/sys/fs/cgroup").join(controller);
            if hierarchy.join("cgroup.procs").exists() {
                let place = hierarchy.join(self.name());
                fs::create_dir(&place).unwrap();
                self.beside.push(place);
            }
        }
        if self.beside.is_empty() {
            for place in [self.home.parent().unwrap(), &self.home] {
                fs::write(place.join("cgroup.subtree_control"), "+cpu +memory +io +pids").unwrap();
            }
        }
        !self.beside.is_empty()
    }

    /// A rule for cgroups below the stage's own, as a line of YAML.
    pub(crate) fn rule(&self, pattern: &str, more: &str) -> String {
        format!("  - {{ cgroup: /{}/{pattern}, manifest: manifest.yaml{more} }}\n", self.name())
    }

    fn name(&self) -> &str {
        self.home.file_name().unwrap().to_str().unwrap()
    }

    pub(crate) fn configure(&self, rules: &str) {
        self.configure_with(rules, "");
    }

    pub(crate) fn configure_with(&self, rules: &str, more: &str) {
        let socket = self.plugin.path("picket.sock");
        let text = format!(
            "version: 1\nmetrics: {{ listen: \"127.0.0.1:0\" }}\napi: {{ socket: {} }}\n{more}sandboxes:\n{rules}",
            socket.display()
        );
        self.write("picket.yaml", &text);
    }

    /// Puts a whole file in place of another, as editors do.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let next = self.plugin.write("next", bytes);
        fs::rename(next, self.plugin.path(name)).unwrap();
    }

    /// How the daemon calls a cgroup of the stage.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("/{}/{name}", self.name())
    }

    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    pub(crate) fn make(&self, name: &str) -> PathBuf {
        let place = self.place(name);
        fs::create_dir(&place).unwrap();
        place
    }

    pub(crate) fn remove(&self, name: &str) {
        // Its last process may still be on its way out.
        wait_for("an empty cgroup", || fs::remove_dir(self.place(name)).ok());
    }

    /// Has a shell enter the cgroup and then execute another with this script, as a container's runtime does.
    pub(crate) fn enter(&mut self, name: &str, script: &str) {
        let mut command = Command::new("/bin/sh");
        const INSIDE: &str = "script=$0
            for place; do echo $$ > \"$place/cgroup.procs\"; done
            exec /bin/sh -c \"$script\"";
        command.args(["-c", INSIDE, script]).args(&self.beside).arg(self.place(name));
        command.current_dir(self.plugin.directory());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.children.push(command.spawn().unwrap());
    }

    /// Has a shell take another root, enter the cgroup and then execute another with this script, as a container's
    /// runtime does.
    pub(crate) fn enter_root(&mut self, name: &str, root: &Path, script: &str) {
        const INSIDE: &str = "set -e
            mount --rbind \"$0\" \"$0\"
            mount --rbind /usr \"$0/usr\"
            mount --types proc proc \"$0/proc\"
            cd \"$0\"
            pivot_root . old
            umount --lazy /old
            echo 0 >&3
            exec /bin/sh -c \"$1\" 3>&-";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec 3> \"$0/cgroup.procs\" && exec \"$@\""]).arg(self.place(name));
        command.args(["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", INSIDE]);
        command.arg(root).arg(script);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(self.plugin.path("inside")).unwrap());
        self.children.push(command.spawn().unwrap());
    }

    pub(crate) fn is_frozen(&self, name: &str) -> bool {
        has_event(&self.place(name), "frozen 1")
    }

    /// Starts a daemon; its reports go to a file of their own.
    pub(crate) fn daemon(&self) -> Daemon {
        self.start(picket())
    }

    /// As [`Stage::daemon`], in this cgroup, and behind these words of a command line.
    pub(crate) fn daemon_in(&self, place: &Path, before: &[&str]) -> Daemon {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""]).arg(place);
        command.args(before).arg(picket_program());
        self.start(command)
    }

    fn start(&self, mut command: Command) -> Daemon {
        let reports = self.plugin.path(&unique("reports"));
        let errors = self.plugin.path(&unique("stderr"));
        command.args(["run", "--output", "json", "--config"]).arg(self.plugin.path("picket.yaml"));
        command.arg("--report-to").arg(&reports);
        command.stdout(Stdio::null()).stdin(Stdio::null());
        command.stderr(File::create(&errors).unwrap());
        Daemon { child: command.spawn().unwrap(), reports, errors }
    }

    /// As [`Stage::daemon`], and waits until it watches.
    pub(crate) fn watching(&self) -> Daemon {
        self.watching_with(&[])
    }

    /// As [`Stage::watching`], with more in the daemon's environment.
    pub(crate) fn watching_with(&self, environment: &[(&str, &str)]) -> Daemon {
        let mut command = picket();
        command.envs(environment.iter().copied());
        let daemon = self.start(command);
        daemon.await_one("watching", |_| true);
        daemon
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(fs::write(self.home.join("cgroup.kill"), "1"));
        for child in &mut self.children {
            drop(child.wait());
        }
        self.beside.iter().for_each(|place| remove_tree(place));
        remove_tree(&self.home);
    }
}

fn remove_tree(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    while fs::remove_dir(path).is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound)
        && std::time::Instant::now() < deadline
    {
        std::thread::yield_now();
    }
}

impl Daemon {
    pub(crate) fn reports(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.reports).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    pub(crate) fn of(&self, event: &str) -> Vec<Value> {
        self.reports().into_iter().filter(|report| report["event"] == event).collect()
    }

    /// Waits for a report of this kind.
    #[track_caller]
    pub(crate) fn await_one(&self, event: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            if let Some(report) = self.of(event).into_iter().find(&is_it) {
                return report;
            }
            let now = std::time::Instant::now();
            assert!(now < deadline, "waited in vain: {event}; {:#?}", self.reports());
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }

    /// Waits for as many reports of this kind.
    #[track_caller]
    pub(crate) fn await_count(&self, event: &str, count: usize) {
        wait_for(&format!("{count} × {event}"), || (count <= self.of(event).len()).then_some(()));
    }

    /// Waits until it says that it watches this cgroup, and answers the sandbox.
    #[track_caller]
    pub(crate) fn await_watched(&self, path: &str) -> Value {
        let text = format!("is {path} (");
        let is_it = |report: &Value| report["text"].as_str().unwrap().starts_with(&text);
        self.await_one("watched", is_it)["sandbox"].clone()
    }

    /// Waits for a report about one sandbox.
    #[track_caller]
    pub(crate) fn await_about(&self, event: &str, sandbox: &Value) -> Value {
        self.await_one(event, |report| report["sandbox"] == *sandbox)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let report = self.await_one("metrics", |_| true);
        let text = report["text"].as_str().unwrap();
        let address = text.strip_prefix("metrics on http://").unwrap();
        address.strip_suffix("/metrics").unwrap().parse().unwrap()
    }

    /// Status and body.
    pub(crate) fn get(&self, path: &str) -> (u32, String) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = "Host: localhost\r\nConnection: close";
        write!(stream, "GET {path} HTTP/1.1\r\n{host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Whether the scrape says this of a series, or of several together: `name{labels} value`.
    pub(crate) fn counts(&self, line: &str) -> bool {
        let (series, wanted) = line.rsplit_once(' ').unwrap();
        self.reads(series).is_some_and(|found| found.to_string() == wanted)
    }

    /// What the scrape says of a series, or of several together: `name{labels}`.
    pub(crate) fn reads(&self, series: &str) -> Option<f64> {
        value(&self.get("/metrics").1, series)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, number: i32) {
        signal(self.child.id().cast_signed(), number);
    }

    /// What it said on standard error.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    /// Waits until it has ended by itself and answers its code.
    pub(crate) fn code(&mut self) -> Option<i32> {
        wait_for("its end", || self.child.try_wait().unwrap()).code()
    }

    /// Ends it and answers its code.
    pub(crate) fn end(&mut self, number: i32) -> Option<i32> {
        self.signal(number);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
