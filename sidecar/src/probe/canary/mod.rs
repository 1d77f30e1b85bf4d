//! Proves every required hook end to end: known acts go in, exactly they must come out.
//!
//! The verifier checks the *type* of what a probe reads, so an offset that points at another member of the same type
//! passes it. And "attached" is not "working". Therefore a process of ours does one act per hook in a self-test cgroup
//! of its own, and each fact it gives rise to is compared with what we know about ourselves: process id and start,
//! the running program's inode, device and path, the destination, the child, its exit code, the cgroup. One difference
//! and Picket refuses to run.

mod act;
mod calls;
mod expect;
mod objects;

use std::{
    fmt, fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, UdpSocket},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::Path,
    process::{Child, Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

pub use act::{act, child};
use expect::Expectations;
use picket_engine::SandboxId;

use super::{LoadError, Probe, Rings, SlotError, uring::RING_HOOKS};
use crate::{
    clock, decode,
    supervisor::{CgroupError, CgroupRoot, Sandbox, SandboxError},
};

/// Tells the canary to open a file by io_uring, too.
const RING: &str = "ring";

/// First argument that makes `picket` the canary.
pub const WORD: &str = "__canary";
/// First argument that makes `picket` the canary's child.
pub const CHILD_WORD: &str = "__canary-child";
const CHILD_EXIT: u8 = 7;
/// What the canary says first.
const READY: &str = "ready";

/// A hook that is silent for longer does not work.
const PATIENCE: Duration = Duration::from_secs(2);

/// Every act is over when its records are looked for, so they are there already: this is a margin, not a wait.
const SILENCE: Duration = Duration::from_millis(200);

/// Why Picket does not trust its own eyes.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// The self-test cgroup could not be made.
    #[error("the self-test cgroup: {0}")]
    Cgroup(#[from] CgroupError),
    /// The same.
    #[error("the self-test cgroup: {0}")]
    Sandbox(#[from] SandboxError),
    /// The kernel side refused the self-test sandbox.
    #[error("watching the self-test cgroup: {0}")]
    Slot(#[from] SlotError),
    /// The same.
    #[error("watching the self-test cgroup: {0}")]
    Load(#[from] LoadError),
    /// The canary process could not be run.
    #[error("the self-test process: {step}: {source}")]
    Process {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Somebody has taken the rings already.
    #[error("the rings are in use: the self-test must come first")]
    NoRings,
    /// A record of our own probes could not be understood.
    #[error("the self-test received a record it cannot read: {0}")]
    Decode(#[from] decode::DecodeError),
    /// Expected facts did not arrive.
    #[error("the self-test saw nothing of: {missing} ; other records: {others}")]
    Silent {
        /// The acts that no hook reported.
        missing: String,
        /// What arrived instead.
        others: usize,
    },
    /// A fact differs from what we know about ourselves.
    #[error(
        "the self-test read {what} as {read}, it is {truth}: the kernel's structures are not what its type information says; Picket does not run like this"
    )]
    Mismatch {
        /// Which fact.
        what: &'static str,
        /// What the probes read.
        read: String,
        /// What it is.
        truth: String,
    },
    /// The kernel did not refuse what it was told to refuse.
    #[error("the self-test connected, or made a socket, where the kernel should have refused it")]
    NotRefused,
}

/// What the canary says it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    v4: bool,
    v6: bool,
    refused: bool,
    /// Picket could be looked into.
    looked: bool,
    ring: bool,
    child: u32,
    done: calls::Done,
}

/// The hook that counts what the canary sends.
const SENT: &str = "packet_egress";

impl CanaryError {
    /// Everything works but the LSM programs, which are attached and never run: `bpf` is not among the active security
    /// modules. Debian's kernels boot like that.
    #[must_use]
    pub(crate) fn is_idle_lsm(&self) -> bool {
        matches!(self, Self::Silent { missing, .. } if expect::are_lsm(missing))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls::Done { socket, code, namespace } = self.done;
        let asked = calls::Asked::ALL.iter().find(|(asked, _)| *asked == socket);
        let socket = asked.map_or("", |(_, word)| word);
        write!(f, "{} {} {} {} ", self.v4, self.v6, self.refused, self.looked)?;
        write!(f, "{} {}", self.ring, self.child)?;
        write!(f, " {socket} {code} {namespace}")
    }
}

impl FromStr for Told {
    type Err = io::Error;

    fn from_str(line: &str) -> io::Result<Self> {
        let unreadable = || unreadable(line);
        let mut words = line.split_whitespace();
        let mut flag = || words.next().and_then(|word| word.parse().ok()).ok_or_else(unreadable);
        let (v4, v6, refused) = (flag()?, flag()?, flag()?);
        let (looked, ring) = (flag()?, flag()?);
        let child = words.next().and_then(|word| word.parse().ok()).ok_or_else(unreadable)?;
        let word = words.next().ok_or_else(unreadable)?;
        let asked = calls::Asked::ALL.iter().find(|(_, known)| *known == word);
        let (socket, _) = *asked.ok_or_else(unreadable)?;
        let mut flag = || words.next().and_then(|word| word.parse().ok()).ok_or_else(unreadable);
        let done = calls::Done { socket, code: flag()?, namespace: flag()? };
        Ok(Self { v4, v6, refused, looked, ring, child, done })
    }
}

/// What the self-test proved.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Hooks that reported their act.
    pub hooks: Vec<&'static str>,
    /// How long it took.
    pub took: Duration,
}

/// Runs the self-test with `program`, the `picket` binary, as canary.
///
/// # Errors
/// [`CanaryError`]: what could not be done, or which fact is wrong.
pub fn run(
    probe: &mut Probe,
    rings: &mut Rings,
    root: &CgroupRoot,
    program: &Path,
) -> Result<Proof, CanaryError> {
    let begun = Instant::now();
    let sandbox = Sandbox::create(root, "self-test")?;
    sandbox.thaw()?;
    // Somebody has to be there, or the datagram's answer would be an error on the next send.
    let process = |step| move |source| CanaryError::Process { step, source };
    let sink = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(process("binding a socket"))?;
    let declared = sink.local_addr().map_err(process("reading its port"))?.port();
    let undeclared = declared ^ 1;

    let guard = probe.guard_network(sandbox_directory(&sandbox)?)?;
    let namespace = own_mount_namespace().map_err(process("reading the mount namespace"))?;
    let policy = expect::policy(declared);
    let watched = probe.slots().watch(sandbox.id(), &policy, namespace, clock::now())?;
    let outcome = observe(probe, rings, &sandbox, root, program, watched, (declared, undeclared));
    let sent = probe.losses().traffic(watched.slot).map_or(0, |traffic| traffic.sent_packets);
    probe.slots().unwatch(watched)?;
    let (mut hooks, own) = outcome?;
    // It has sent a datagram, which leaves before the call that sends it is over.
    if sent == 0 {
        return Err(CanaryError::Silent { missing: SENT.to_owned(), others: 0 });
    }
    hooks.push(SENT);
    probe.introduce(own)?;
    probe.release_network(guard)?;
    sandbox.destroy(PATIENCE)?;
    Ok(Proof { hooks, took: begun.elapsed() })
}

fn observe(
    probe: &Probe,
    rings: &mut Rings,
    sandbox: &Sandbox,
    root: &CgroupRoot,
    program: &Path,
    watched: SandboxId,
    (declared, undeclared): (u16, u16),
) -> Result<(Vec<&'static str>, u32), CanaryError> {
    let process = |step| move |source| CanaryError::Process { step, source };
    let mut canary = Command::new(program)
        .arg(WORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(process("starting it"))?;
    let result = (|| {
        match hear(&mut canary).map_err(process("hearing it"))?.as_str() {
            READY => {}
            other => return Err(process("hearing it")(unreadable(other))),
        }
        let truth = expect::Truth::of(&canary, program, root, sandbox.path())
            .map_err(process("looking at it"))?;
        let outside = objects::Outside::open().map_err(process("opening sockets for it"))?;
        place(&canary, sandbox.path()).map_err(process("moving it in"))?;
        let (socket, directory) = (outside.name(), sandbox.path().display());
        let sees_rings = probe.attached().contains(&RING_HOOKS[0]);
        let ring = if sees_rings { RING } else { "-" };
        say(&mut canary, &format!("{declared} {undeclared} {socket} {ring} {directory}\n"))
            .map_err(process("telling it to act"))?;
        let told = hear(&mut canary).and_then(|line| line.parse::<Told>());
        let told = told.map_err(process("hearing it"))?;
        place(&canary, &root.outside()).map_err(process("moving it out"))?;
        if !told.refused || told.done.socket == calls::Asked::Given {
            return Err(CanaryError::NotRefused);
        }
        let objects = objects::Expected::new(&outside);
        let sight = (probe.tier().tier, probe.lacking());
        let mut expectations = Expectations::new(truth, told, declared, sight, objects);
        if told.ring {
            expectations.expect_rings();
        }
        collect(rings, watched, expectations)
    })();
    // Closing its input is the second word; it ends by itself.
    drop(canary.stdin.take());
    let ended = canary.wait().map_err(process("waiting for its end"));
    let proven = result?;
    ended?;
    Ok(proven)
}

/// Reads the rings until everything expected was there.
fn collect(
    rings: &mut Rings,
    watched: SandboxId,
    mut expected: Expectations,
) -> Result<(Vec<&'static str>, u32), CanaryError> {
    let deadline = Instant::now() + SILENCE;
    let mut others = 0;
    loop {
        let mut failure = None;
        let mut take = |bytes: &[u8]| match decode::record(bytes) {
            Ok(decoded) if decoded.sandbox == watched => match expected.meet(&decoded) {
                Ok(true) => {}
                Ok(false) => others += 1,
                Err(mismatch) => failure = failure.take().or(Some(mismatch)),
            },
            Ok(_) => {}
            Err(error) => failure = failure.take().or(Some(error.into())),
        };
        rings.drain(usize::MAX, &mut take);
        if let Some(error) = failure {
            return Err(error);
        }
        if expected.all_met() {
            return Ok((expected.hooks(), expected.own_number()));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(CanaryError::Silent { missing: expected.missing(), others });
        }
        crate::poll::readable(&rings.descriptors(), left.min(Duration::from_millis(20)))
            .map_err(|source| CanaryError::Process { step: "waiting for records", source })?;
    }
}

/// The number the kernel calls our mount namespace by.
fn own_mount_namespace() -> io::Result<u32> {
    let number = fs::metadata("/proc/self/ns/mnt")?.ino();
    u32::try_from(number)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no 32-bit number"))
}

fn sandbox_directory(sandbox: &Sandbox) -> Result<fs::File, CanaryError> {
    fs::File::open(sandbox.path())
        .map_err(|source| CanaryError::Process { step: "opening its cgroup", source })
}

fn place(canary: &Child, cgroup: &Path) -> io::Result<()> {
    fs::write(cgroup.join("cgroup.procs"), canary.id().to_string())
}

fn say(canary: &mut Child, word: &str) -> io::Result<()> {
    canary.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(word.as_bytes())
}

/// One line of the canary's; an error when it says nothing for too long.
fn hear(canary: &mut Child) -> io::Result<String> {
    let out = canary.stdout.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
    let deadline = Instant::now() + PATIENCE;
    let mut line = Vec::new();
    // Byte by byte, so that nothing of the next line is taken along.
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !crate::poll::readable(&[out.as_raw_fd()], left)? {
            continue;
        }
        let mut byte = [0];
        match out.read(&mut byte)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if byte == *b"\n" => return Ok(String::from_utf8_lossy(&line).into_owned()),
            _ => line.extend_from_slice(&byte),
        }
    }
}

fn unreadable(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it said {line:?}"))
}
