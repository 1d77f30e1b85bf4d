//! Others that watch system calls, from Debian, doing as much of Picket's work as they can: elapsed time of an operation.
//!
//! Elapsed, not CPU time: what strace does it does in a process of its own, for which the watched one waits. In turn:
//! nobody, Picket, bpftrace, strace, nobody. Each has to show that it did see the calls.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rows::Row;
use crate::stage::{self, Reports, Stage};
use crate::statistics::{Nanos, median};
use crate::worker::Worker;
use crate::{Figures, Outcome};

const MEASURED: [Row; 4] = [Row::Getppid, Row::OpenClose, Row::Connect, Row::Exec];

/// A watcher that does not begin within this time never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts calls by number, opened paths, and connects. The last probe says that the others are attached.
const SCRIPT: &str = "
tracepoint:raw_syscalls:sys_enter /pid == PID/ { @calls[args->id] = count(); }
tracepoint:syscalls:sys_enter_openat /pid == PID/ { @files[str(args->filename)] = count(); }
tracepoint:syscalls:sys_enter_connect /pid == PID/ { @connects = count(); }
interval:ms:200 { printf(\"attached\\n\"); }
";

/// What each round said of an operation.
#[derive(Default)]
struct Line {
    without: Vec<Nanos>,
    noise: Vec<Nanos>,
    watched: [Vec<Nanos>; 3],
}

pub(crate) fn run(rounds: usize) -> Outcome<Figures> {
    let mut worker = Worker::start(0)?;
    let sandbox = stage::sandbox()?;
    worker.enter(sandbox.path())?;
    let mut lines = MEASURED.map(|_| Line::default());
    for _ in 0..rounds {
        let before = measure(&mut worker)?;
        let mut stage = Stage::load()?;
        stage.watch(&sandbox, Reports::First)?;
        let picket = measure(&mut worker)?;
        drop(stage);
        let peer = Bpftrace::attach(worker.pid())?;
        let bpftrace = measure(&mut worker)?;
        peer.end()?;
        let peer = Strace::attach(worker.pid())?;
        let strace = measure(&mut worker)?;
        peer.end()?;
        let after = measure(&mut worker)?;
        for (index, line) in lines.iter_mut().enumerate() {
            let of = |times: &[Nanos]| times.get(index).copied().ok_or("a row is missing");
            let (before, after) = (of(&before)?, of(&after)?);
            line.without.push(f64::midpoint(before, after));
            line.noise.push((before - after).abs());
            for (watched, times) in line.watched.iter_mut().zip([&picket, &bpftrace, &strace]) {
                watched.push(of(times)?);
            }
        }
    }
    table(lines, rounds)
}

fn measure(worker: &mut Worker) -> Outcome<Vec<Nanos>> {
    MEASURED.into_iter().map(|row| Ok(worker.measure(row)?.elapsed)).collect()
}

fn table(lines: [Line; 4], rounds: usize) -> Outcome<Figures> {
    let version = |program: &str| -> Outcome<String> {
        let told = Command::new(program).arg("--version").output()?.stdout;
        Ok(String::from_utf8(told)?.lines().next().unwrap_or_default().to_owned())
    };
    let peers = [version("bpftrace")?, version("strace")?].join("; ");
    let mut text = format!(
        "elapsed time of an operation, ns, and times as long as without; medians of {rounds} rounds; {peers}\n\
         {:<42} {:>9} {:>7} {:>16} {:>16} {:>16}",
        "operation", "without", "noise", "picket", "bpftrace", "strace -f"
    );
    let mut told = Vec::new();
    for (row, line) in MEASURED.into_iter().zip(lines) {
        let (without, noise) = (median(line.without), median(line.noise));
        let watched = line.watched.map(median);
        text.push_str(&format!("\n{:<42} {without:>9.0} {noise:>7.1}", row.name()));
        for time in watched {
            text.push_str(&format!(" {time:>9.0} {:>5.1}×", time / without));
        }
        let [picket, bpftrace, strace] = watched;
        told.push(json!({
            "operation": row.name(), "without_ns": without, "noise_ns": noise,
            "picket_ns": picket, "bpftrace_ns": bpftrace, "strace_ns": strace,
        }));
    }
    Ok(Figures { text, json: Value::from(told) })
}

/// A peer at work. Dropping it ends it.
struct Peer(Child);

impl Peer {
    /// Asks it to end, and waits until it has.
    fn end(&mut self) -> Outcome {
        let interrupt = ["-s", "INT", &self.0.id().to_string()].map(str::to_owned);
        Command::new("kill").args(interrupt).status()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Bpftrace {
    peer: Peer,
    output: BufReader<std::process::ChildStdout>,
}

impl Bpftrace {
    fn attach(pid: u32) -> Outcome<Self> {
        // In a mount namespace of its own: it looks for the tracepoints where not every host has them.
        let mount = "mount -t tracefs tracefs /sys/kernel/tracing && exec bpftrace -e \"$0\"";
        let mut child = Command::new("unshare")
            .args(["--mount", "sh", "-c", mount, &SCRIPT.replace("PID", &pid.to_string())])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut attached = Self { peer: Peer(child), output: BufReader::new(output) };
        let mut line = String::new();
        while attached.output.read_line(&mut line)? != 0 {
            if line == "attached\n" {
                return Ok(attached);
            }
            line.clear();
        }
        let mut complaint = String::new();
        let stderr = attached.peer.0.stderr.take();
        stderr.ok_or("no complaint")?.read_to_string(&mut complaint)?;
        Err(format!("bpftrace does not attach: {complaint}").into())
    }

    /// Ends it, and sees in what it counted that it was there all the time.
    fn end(mut self) -> Outcome {
        self.peer.end()?;
        let mut told = String::new();
        self.output.read_to_string(&mut told)?;
        let counted = format!("@calls[{}]: ", libc::SYS_getppid);
        let count = told.lines().find_map(|line| line.strip_prefix(&counted)?.parse::<u32>().ok());
        if count.is_none_or(|count| count < Row::Getppid.operations()) {
            return Err(format!("bpftrace has counted {count:?} calls").into());
        }
        Ok(())
    }
}

struct Strace {
    peer: Peer,
    output: tempfile::NamedTempFile,
}

impl Strace {
    fn attach(pid: u32) -> Outcome<Self> {
        let output = tempfile::NamedTempFile::new()?;
        let child = Command::new("strace")
            .args(["-f", "-qq", "-p", &pid.to_string(), "-o"])
            .arg(output.path())
            .spawn()?;
        let attached = Self { peer: Peer(child), output };
        let deadline = Instant::now() + PATIENCE;
        while !is_traced(pid)? {
            if deadline < Instant::now() {
                return Err("strace does not attach".into());
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        Ok(attached)
    }

    /// Ends it, and sees in the size of what it wrote that it was there all the time.
    fn end(mut self) -> Outcome {
        self.peer.end()?;
        let written = fs::metadata(self.output.path())?.len();
        if written < u64::from(Row::Getppid.operations()) {
            return Err(format!("strace has written {written} bytes").into());
        }
        Ok(())
    }
}

fn is_traced(pid: u32) -> Outcome<bool> {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
    Ok(!status.lines().any(|line| line == "TracerPid:\t0"))
}
