//! From the kernel's timestamp of a violation to the decision and to `frozen 1`: p50 and p99.
//!
//! Three kinds of violation in turn (A B C A B C …), so that a machine whose speed drifts treats them alike; quiet, then
//! with as many busy processes as there are processors, then beside a sandbox that floods the rings with new files.
//! `bench-containment [RUNS]`, 1,000 runs of each kind by default.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, thread};

use picket::export::{Origin, SeriesBudget};
use picket::manifest::Manifest;
use picket::session::{Launch, Options, Session};
use picket::watch::Report;
use picket_engine::{Outcome, SandboxId, Step};
use picket_tests::picket_program;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

const MANIFEST: &str = "
version: 1
plugin: { name: bench, version: 1.0.0 }
exec: [{ path: /usr/bin/bash }]
syscalls:
  allow: ['@basic-io', '@file-system', '@io-event', '@network-io', '@process', '@signal', '@timer', '@ipc']
containment: { hold: 30s, on_expiry: hold }
";

/// Only watched, so that it goes on whatever it loses.
const FLOOD: &str = "
version: 1
plugin: { name: bench-flood, version: 1.0.0 }
mode: shadow
exec: [{ path: /usr/bin/bash }]
files: { write: [DIRECTORY/*] }
syscalls:
  allow: ['@basic-io', '@file-system', '@io-event', '@network-io', '@process', '@signal', '@timer', '@ipc']
";

/// Without end, more files than the kernel side remembers: each is new again when its turn comes.
const FLOODING: &str = "while :; do : >$((n++ % 40000)); done";

/// A violation that is not answered within this time is a failure, not a figure.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the plugin does wrong, as a line of bash.
const VIOLATIONS: [(&str, &str); 3] = [
    ("open", "read -r line </etc/hostname; while :; do :; done"),
    ("connect", "echo x >/dev/tcp/127.0.0.1/9; while :; do :; done"),
    ("exec", "exec /usr/bin/sleep 60"),
];

type Latencies = BTreeMap<&'static str, Vec<(Duration, Duration)>>;

fn main() -> Result<(), Box<dyn Error>> {
    let runs: u32 = env::args().nth(1).map_or(Ok(1_000), |word| word.parse())?;
    let (mut session, mut reports) = Session::open(Options {
        max_sandboxes: 8,
        refusals: false,
        program: picket_program(),
        node: Origin::default_node(),
        series: SeriesBudget::DEFAULT,
    })?;
    let manifest = Manifest::parse("bench.yaml", MANIFEST.as_bytes())?;
    println!("tier {}; {runs} runs of each kind, in turn", session.tier().tier);
    println!("                        event → decision (µs)       event → frozen 1 (µs)");
    println!("host     violation      p50      p99      max      p50      p99      max");
    let place = tempfile::tempdir()?;
    let text = FLOOD.replace("DIRECTORY", place.path().to_str().ok_or("a strange directory")?);
    let flood = Manifest::parse("flood.yaml", text.as_bytes())?;
    for host in ["quiet", "busy", "flood"] {
        let hogs = if host == "busy" { hogs()? } else { Vec::new() };
        let flooding = match host {
            "flood" => Some(session.start(&flood, launch(FLOODING, place.path())?)?),
            _ => None,
        };
        let mut latencies = Latencies::new();
        for _ in 0..runs {
            for (kind, script) in VIOLATIONS {
                let measured = violate(&mut session, &mut reports, &manifest, script)?;
                latencies.entry(kind).or_default().push(measured);
            }
        }
        for (kind, measured) in &latencies {
            print_row(host, kind, measured);
        }
        drop(hogs);
        if let Some(plugin) = flooding {
            session.end(plugin)?;
        }
    }
    Ok(())
}

/// A line of bash, run in this directory.
fn launch(script: &str, directory: &Path) -> Result<Launch, Box<dyn Error>> {
    let null: Arc<OwnedFd> =
        Arc::new(File::options().read(true).write(true).open("/dev/null")?.into());
    Ok(Launch {
        program: "/usr/bin/bash".into(),
        arguments: ["bash", "--norc", "-c", script].map(OsString::from).into(),
        environment: [("HOME", "/"), ("SHELL", "/bin/bash"), ("PATH", "/usr/bin")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        working_directory: directory.into(),
        standard: Some([Arc::clone(&null), Arc::clone(&null), null]),
    })
}

/// One plugin that violates its manifest: time to the decision, time to the kernel's confirmation.
fn violate(
    session: &mut Session,
    reports: &mut Receiver<Report>,
    manifest: &Manifest,
    script: &str,
) -> Result<(Duration, Duration), Box<dyn Error>> {
    let plugin = session.start(manifest, launch(script, Path::new("/"))?)?;
    let id = plugin.id();
    let mut told = Vec::new();
    let measured = loop {
        let report = next(reports, script, &told)?;
        if let Some(measured) = frozen(&report, id) {
            break measured;
        }
        told.push(report);
    };
    session.end(plugin)?;
    while !matches!(next(reports, script, &told)?, Report::Forgotten { sandbox } if sandbox == id) {
    }
    Ok(measured)
}

/// The next report; a plugin that is not frozen is an error that tells what was said about it.
fn next(
    reports: &mut Receiver<Report>,
    script: &str,
    told: &[Report],
) -> Result<Report, Box<dyn Error>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match reports.try_recv() {
            Ok(report) => return Ok(report),
            Err(TryRecvError::Disconnected) => return Err("the watch loop ended".into()),
            Err(TryRecvError::Empty) if deadline < Instant::now() => {
                return Err(format!("{script}: nothing more after {told:?}").into());
            }
            // The measured times are the watch loop's own; how soon we learn of them is no part of them.
            Err(TryRecvError::Empty) => thread::park_timeout(Duration::from_millis(1)),
        }
    }
}

fn frozen(report: &Report, id: SandboxId) -> Option<(Duration, Duration)> {
    match report {
        Report::Receipt { contain, outcome: Outcome::Done, decided, confirmed }
            if contain.sandbox == id && contain.step == Step::Freeze =>
        {
            Some((contain.latency(*decided), contain.latency(*confirmed)))
        }
        _ => None,
    }
}

/// A process that takes all the time it is given; ends with the benchmark, however that ends.
struct Hog(Child);

impl Drop for Hog {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn hogs() -> Result<Vec<Hog>, Box<dyn Error>> {
    let processors = thread::available_parallelism()?.get();
    let hog = || Command::new("/bin/bash").args(["-c", "while :; do :; done"]).spawn();
    Ok((0..processors).map(|_| hog().map(Hog)).collect::<Result<_, _>>()?)
}

fn print_row(host: &str, kind: &str, measured: &[(Duration, Duration)]) {
    let column = |which: fn(&(Duration, Duration)) -> Duration| {
        let mut sorted: Vec<Duration> = measured.iter().map(which).collect();
        sorted.sort_unstable();
        let at = |share: usize| {
            let index = (sorted.len() * share).div_ceil(100).saturating_sub(1);
            sorted.get(index).map_or(0, Duration::as_micros)
        };
        format!("{:>8} {:>8} {:>8}", at(50), at(99), at(100))
    };
    println!("{host:<8} {kind:<10} {} {}", column(|one| one.0), column(|one| one.1));
}
