//! From a child that passed the gate to a running plugin: only with Picket's own READY.
//!
//! The order cannot be skipped, because each stage is made from the one before and from nothing
//! else: `launch` → [`super::FrozenChild`] → `inspect` → [`Inspected`] → `admit` → [`Admitted`] →
//! `start` → [`Running`]. Dropping any of them ends the sandbox.

use std::fmt;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::confine::Listener;
use super::gate::{self, GateRefusal};
use super::instance::Instance;
use super::launch::{self, LaunchError};
use super::proc_status::Stat;
use super::running::Running;
use super::sandbox::{Sandbox, SandboxError};
use super::spec::LaunchSpec;
use super::sys;
use super::wire::{Report, Word};

/// A number that answers exactly one request to prepare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// A nonce from its bytes: for a Ready that came over a wire, and for tests of a wrong one.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Nonce({:032x})", u128::from_be_bytes(self.0))
    }
}

/// What a preparation is told about the frozen child.
#[derive(Clone, Debug)]
pub struct FrozenInfo {
    /// The kernel's id of the sandbox's cgroup.
    pub cgroup_id: u64,
    /// The sandbox's cgroup directory.
    pub cgroup_path: PathBuf,
    /// The child's process number.
    pub pid: u32,
    /// When it was cloned, in clock ticks since boot: with the pid, its identity.
    pub start_ticks: u64,
    /// Inode number of its mount namespace.
    pub mount_namespace: u32,
    /// What a Ready must repeat.
    pub nonce: Nonce,
    /// With `confinement: strict`, where its refused calls are heard. A preparation that keeps it
    /// must answer them from the start on; they are refused unheard once nobody has it.
    pub attempts: Option<Listener>,
}

impl FrozenInfo {
    pub(super) fn new(
        instance: &Instance,
        stat: &Stat,
        mount_namespace: u32,
    ) -> Result<Self, GateRefusal> {
        let unreadable = |source| GateRefusal::Unreadable { what: "a nonce".to_owned(), source };
        Ok(Self {
            cgroup_id: instance.sandbox.id(),
            cgroup_path: instance.sandbox.path().to_owned(),
            pid: instance.child,
            start_ticks: stat.start_ticks,
            mount_namespace,
            nonce: Nonce(sys::random().map_err(unreadable)?),
            attempts: instance.listener.clone(),
        })
    }
}

/// Picket's answer: policy and membership are installed and read back, every required hook has
/// seen the canary.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// The nonce of the request that this answers.
    pub nonce: Nonce,
}

/// Why a plugin was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError<E: fmt::Debug + fmt::Display> {
    /// There is no frozen child.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The frozen child is not what was asked for.
    #[error(transparent)]
    Gate(#[from] GateRefusal),
    /// The preparation failed.
    #[error("Picket could not prepare for the plugin, so it was not started: {0}")]
    Prepare(E),
    /// The preparation's answer does not count.
    #[error(transparent)]
    Admission(#[from] AdmissionRefusal),
    /// It could not be set going.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

/// Why a preparation's answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionRefusal {
    /// It came too late to trust what it says.
    #[error("Picket took {took:?} to prepare, {allowed:?} are allowed; the plugin was not started")]
    Late {
        /// How long it took.
        took: Duration,
        /// How long it may take.
        allowed: Duration,
    },
    /// It answers another request.
    #[error("the READY answers another request to prepare; the plugin was not started")]
    WrongNonce,
}

/// Why a plugin that was let go is not running.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The kernel does not execute the program.
    #[error("{program} cannot be executed: {source}")]
    Refused {
        /// The plugin's entry point.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The child died on its way.
    #[error("{program} was killed before it was executed")]
    Killed {
        /// The plugin's entry point.
        program: PathBuf,
    },
    /// The child is still on its way.
    #[error("{program} was not executed within {waited:?}")]
    TooLate {
        /// The plugin's entry point.
        program: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The launcher cannot be talked to.
    #[error("talking with the launcher: {source}")]
    Talk {
        /// What the kernel said.
        source: io::Error,
    },
}

/// A frozen child that passed the gate.
#[derive(Debug)]
pub struct Inspected {
    instance: Instance,
    info: FrozenInfo,
}

impl Inspected {
    pub(super) fn new(instance: Instance, info: FrozenInfo) -> Self {
        Self { instance, info }
    }

    /// What a preparation is told.
    pub fn info(&self) -> &FrozenInfo {
        &self.info
    }

    /// Accepts a preparation's answer, given how long it took.
    pub fn admit(
        self,
        ready: Ready,
        took: Duration,
        allowed: Duration,
    ) -> Result<Admitted, AdmissionRefusal> {
        if allowed < took {
            return Err(AdmissionRefusal::Late { took, allowed });
        }
        if ready.nonce != self.info.nonce {
            return Err(AdmissionRefusal::WrongNonce);
        }
        // From here on whoever prepared is the only one who has it.
        let mut instance = self.instance;
        instance.listener = None;
        Ok(Admitted { instance })
    }
}

/// A frozen child that Picket is ready to watch.
#[derive(Debug)]
pub struct Admitted {
    instance: Instance,
}

impl Admitted {
    /// Thaws the child and waits until it has become the plugin.
    pub fn start(self, spec: &LaunchSpec) -> Result<Running, ExecError> {
        let Self { instance } = self;
        let program = || spec.program.clone();
        let talk = |source| ExecError::Talk { source };
        let deadline = Instant::now() + spec.deadlines.exec;
        instance.launcher.tell(Word::Starting).map_err(talk)?;
        instance.sandbox.thaw()?;
        let watched = [(instance.status.as_fd(), libc::POLLIN)];
        if sys::poll(&watched, Some(deadline)).map_err(talk)? == [0] {
            return Err(ExecError::TooLate { program: program(), waited: spec.deadlines.exec });
        }
        let mut answer = Vec::new();
        let mut status = std::fs::File::from(instance.status.try_clone().map_err(talk)?);
        status.read_to_end(&mut answer).map_err(talk)?;
        if let Ok(errno) = answer.try_into().map(i32::from_le_bytes) {
            let source = io::Error::from_raw_os_error(errno);
            return Err(ExecError::Refused { program: program(), source });
        }
        // Nothing but the end of the pipe: an exec closed it, or a death.
        let (executed, early) = has_executed(&instance, deadline).map_err(talk)?;
        if executed {
            Ok(Running::new(instance, early))
        } else {
            Err(ExecError::Killed { program: program() })
        }
    }
}

/// Whether the child executed its program, and the report of its end if that was needed to know.
fn has_executed(instance: &Instance, deadline: Instant) -> io::Result<(bool, Option<Report>)> {
    if let Some(stat) = instance.child_stat()
        && instance.child_lives()?
    {
        return Ok((stat.has_executed, None));
    }
    // It is gone already; the launcher saw more of it.
    match instance.launcher.await_report(deadline)? {
        Some((report @ Report::Exited { executed, .. }, _)) => Ok((executed, Some(report))),
        _ => Ok((false, None)),
    }
}

/// The whole way: launch, gate, preparation, start. Whatever fails, nothing of the plugin ran
/// before it, and sandbox and launcher are gone when this returns the error.
///
/// `prepare` runs while the child is frozen. It must install and read back what watches the
/// sandbox, and repeat the nonce; an answer later than `spec.deadlines.prepare` does not count.
pub fn start_gated<E: fmt::Debug + fmt::Display>(
    sandbox: Sandbox,
    spec: &LaunchSpec,
    prepare: impl FnOnce(&FrozenInfo) -> Result<Ready, E>,
) -> Result<Running, StartError<E>> {
    let child = launch::launch(sandbox, spec)?;
    let mut inspected = gate::inspect(child, spec)?;
    // Before anybody watches: no move of a task of the sandbox is news then.
    inspected.instance.sandbox.enrol(inspected.info.pid);
    let asked = Instant::now();
    let ready = prepare(inspected.info()).map_err(StartError::Prepare)?;
    let admitted = inspected.admit(ready, asked.elapsed(), spec.deadlines.prepare)?;
    Ok(admitted.start(spec)?)
}
