//! What the daemon costs and how fast it is: start-up, memory, from a new cgroup to a watched one, reload.
//!
//! Sandboxes are cgroups with one sleeping process, made by this program as another supervisor would make them.
//! Times end when the daemon's answer to a request over its local API says so, the request included.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use picket::supervisor::CgroupRoot;
use picket_tests::{picket, unique};
use serde_json::Value;
use tempfile::TempDir;

const MANIFEST: &str = "
version: 1
plugin: { name: bench, version: 1.0.0 }
mode: shadow
exec: [{ path: /usr/bin/sleep }]
syscalls: { allow: ['@basic-io', '@file-system', '@process', '@signal', '@timer'] }
";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let place = Place::new()?;
    let mut starts = Vec::new();
    for _ in 0..10 {
        let begun = Instant::now();
        drop(Daemon::start(&place)?);
        starts.push(begun.elapsed());
    }
    show("start to answer", &mut starts);

    let daemon = Daemon::start(&place)?;
    let mut sandboxes = Vec::new();
    for wanted in [0_usize, 1, 100] {
        while sandboxes.len() < wanted {
            sandboxes.push(Sandbox::start(&place)?);
        }
        daemon.await_watched(wanted)?;
        println!("{wanted:>3} sandboxes      {:>9} KiB resident", daemon.resident()?);
    }
    let mut reloads = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        daemon.ask("POST", "/v1/reload")?;
        reloads.push(begun.elapsed());
    }
    show("reload with 100", &mut reloads);
    drop(sandboxes);
    daemon.await_watched(0)?;

    let mut delays = Vec::new();
    for _ in 0..200 {
        let empty = place.cgroup.join(unique("new"));
        let begun = Instant::now();
        fs::create_dir(&empty)?;
        daemon.await_watched(1)?;
        delays.push(begun.elapsed());
        fs::remove_dir(&empty)?;
        daemon.await_watched(0)?;
    }
    show("cgroup to watched", &mut delays);
    Ok(())
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| {
        let index = times.len().saturating_sub(1) * percent / 100;
        times.get(index).map_or(0, Duration::as_micros)
    };
    println!("{what:<18} p50 {:>8} µs, p99 {:>8} µs, worst {:>8} µs", at(50), at(99), at(100));
}

/// Configuration, socket and cgroups of this run, removed at its end.
struct Place {
    directory: TempDir,
    cgroup: PathBuf,
}

impl Place {
    fn new() -> Outcome<Self> {
        let directory = tempfile::tempdir()?;
        let name = unique("bench-daemon");
        let cgroup = CgroupRoot::find()?.mount().join(&name);
        fs::create_dir(&cgroup)?;
        let place = Self { directory, cgroup };
        let socket = place.socket();
        fs::write(place.path("bench.yaml"), MANIFEST)?;
        fs::write(
            place.path("picket.yaml"),
            format!(
                "version: 1\nmetrics: {{ listen: off }}\napi: {{ socket: '{}' }}\n\
                 sandboxes: [{{ cgroup: '/{name}/*', manifest: bench.yaml }}]\n",
                socket.display()
            ),
        )?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn socket(&self) -> PathBuf {
        self.path("picket.sock")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.cgroup));
    }
}

/// A daemon that answers. Dropping it ends it.
struct Daemon {
    process: Child,
    socket: PathBuf,
}

impl Daemon {
    fn start(place: &Place) -> Outcome<Self> {
        let process = picket()
            .args(["run", "--config"])
            .arg(place.path("picket.yaml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let daemon = Self { process, socket: place.socket() };
        daemon.until("an answer", |daemon| daemon.watched().is_ok())?;
        Ok(daemon)
    }

    fn watched(&self) -> Outcome<usize> {
        let answer: Value = serde_json::from_str(&self.ask("GET", "/v1/sandboxes")?)?;
        let sandboxes = answer.get("sandboxes").unwrap_or(&answer);
        Ok(sandboxes.as_array().ok_or("no list of sandboxes")?.len())
    }

    fn await_watched(&self, wanted: usize) -> Outcome {
        self.until("all to be watched", |daemon| daemon.watched().is_ok_and(|now| now == wanted))
    }

    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            if deadline < Instant::now() {
                return Err(format!("waited {PATIENCE:?} in vain for {what}").into());
            }
            thread::park_timeout(Duration::from_micros(100));
        }
        Ok(())
    }

    /// The body of the answer.
    fn ask(&self, method: &str, path: &str) -> Outcome<String> {
        let mut stream = UnixStream::connect(&self.socket)?;
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: picket\r\nContent-Length: 0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let status = head.lines().next().unwrap_or_default();
        if status.contains(" 200 ") { Ok(body.to_owned()) } else { Err(status.into()) }
    }

    fn resident(&self) -> Outcome<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(Command::new("kill").arg(self.process.id().to_string()).status());
        drop(self.process.wait());
    }
}

/// A cgroup with a sleeping process.
struct Sandbox {
    cgroup: PathBuf,
    sleeper: Child,
}

impl Sandbox {
    fn start(place: &Place) -> Outcome<Self> {
        let cgroup = place.cgroup.join(unique("sandbox"));
        fs::create_dir(&cgroup)?;
        let enter = format!("echo $$ > {}/cgroup.procs; exec sleep 600", cgroup.display());
        let sleeper = Command::new("sh").args(["-c", &enter]).spawn()?;
        Ok(Self { cgroup, sleeper })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.sleeper.kill());
        drop(self.sleeper.wait());
        drop(fs::remove_dir(&self.cgroup));
    }
}
