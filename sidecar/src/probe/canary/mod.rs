//! Proves every required hook end to end: known acts go in, exactly they must come out.
//!
//! The verifier checks the *type* of what a probe reads, so an offset that points at another member of the same type
//! passes it. And "attached" is not "working". Therefore a process of ours does one act per hook in a self-test cgroup
//! of its own, and each fact it gives rise to is compared with what we know about ourselves: process id and start,
//! the running program's inode, device and path, the destination, the child, its exit code, the cgroup. One difference
//! and Picket refuses to run.
//!
//! The canary lives on and goes in again each second ([`Round`]).

mod act;
mod calls;
mod expect;
mod live;
mod objects;
mod opens;

use std::{
    fmt, io,
    path::Path,
    str::FromStr,
    time::{Duration, Instant},
};

pub use act::{act, child};
use expect::Expectations;
pub(crate) use expect::is_repeated;
pub use live::Canary;
pub(crate) use live::hook_of;
use picket_engine::SandboxId;

use super::{LoadError, Probe, Rings, SlotError};
use crate::{
    decode,
    supervisor::{CgroupError, CgroupRoot, SandboxError},
};

/// Tells the canary to open a file by io_uring, too.
const RING: &str = "ring";
/// Tells its child to leave for a user namespace of its own.
const NAMESPACE: &str = "namespace";

/// First argument that makes `picket` the canary.
pub const WORD: &str = "__canary";
/// First argument that makes `picket` the canary's child.
pub const CHILD_WORD: &str = "__canary-child";
const CHILD_EXIT: u8 = 7;
/// What the canary says first.
const READY: &str = "ready";

/// A canary that has not acted by then cannot.
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

/// What the canary is sent in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// One act for every hook: before anything else is trusted.
    First,
    /// Each second: whatever can be switched off without a trace at its link, and one act at least of every kind. Left to
    /// the first round is what a hardened host may write to its audit log (looking into another process, memory that
    /// becomes executable, a user namespace), what starts threads in the kernel (io_uring), and LSM programs that differ
    /// from those that have an act only by their hook.
    Next,
}

/// What the canary says it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    v4: bool,
    v6: bool,
    /// Ports that it listened at, one for each kind of address; 0 where it could not.
    ports: [u16; 2],
    refused: bool,
    /// Picket could be looked into.
    looked: bool,
    ring: bool,
    child: u32,
    /// Which calls of the open family could be made: bits in the order of [`opens::WAYS`].
    opens: u8,
    done: calls::Done,
}

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
        write!(f, "{} {} {}", self.ring, self.child, self.opens)?;
        let [v4, v6] = self.ports;
        write!(f, " {socket} {code} {namespace} {v4} {v6}")
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
        let opens = words.next().and_then(|word| word.parse().ok()).ok_or_else(unreadable)?;
        let word = words.next().ok_or_else(unreadable)?;
        let asked = calls::Asked::ALL.iter().find(|(_, known)| *known == word);
        let (socket, _) = *asked.ok_or_else(unreadable)?;
        let mut flag = || words.next().and_then(|word| word.parse().ok()).ok_or_else(unreadable);
        let done = calls::Done { socket, code: flag()?, namespace: flag()? };
        let mut port = || words.next().and_then(|word| word.parse().ok()).ok_or_else(unreadable);
        let ports = [port()?, port()?];
        Ok(Self { v4, v6, ports, refused, looked, ring, child, opens, done })
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

/// Runs the self-test with `program`, the `picket` binary, as canary. The canary lives on, for more rounds.
///
/// # Errors
/// [`CanaryError`]: what could not be done, or which fact is wrong.
pub fn run(
    probe: &Probe,
    rings: &mut Rings,
    root: &CgroupRoot,
    program: &Path,
) -> Result<(Proof, Canary), CanaryError> {
    let begun = Instant::now();
    let mut canary = Canary::enter(probe, root, program)?;
    canary.begin(Round::First)?;
    let Some(told) = canary.answer(PATIENCE)? else {
        return Err(CanaryError::Process {
            step: "hearing it",
            source: io::ErrorKind::TimedOut.into(),
        });
    };
    let expected = canary.end_round(told)?;
    let (hooks, own) = collect(rings, canary.id(), expected)?;
    probe.introduce(own)?;
    canary.introduced(own);
    Ok((Proof { hooks, took: begun.elapsed() }, canary))
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

fn unreadable(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it said {line:?}"))
}
