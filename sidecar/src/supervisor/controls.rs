//! Freeze, thaw, kill and state of one cgroup, through files opened once.
//!
//! Opened beforehand, because the moment they are needed may be the one in which a plugin has
//! eaten the host's descriptors or memory. Picket holds them, and so does each launcher.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::pulse::Pulse;
use super::sys;

/// What the kernel says about the processes in a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxState {
    /// Whether a living process is in it or below it.
    pub populated: bool,
    /// Whether every process in it and below it is frozen. Also true of an empty frozen sandbox.
    pub frozen: bool,
}

/// The control files of one cgroup.
#[derive(Debug)]
pub(super) struct Controls {
    freeze: File,
    kill: File,
    events: File,
}

impl Controls {
    pub(super) fn open(cgroup: &Path) -> io::Result<Self> {
        // Readable too: the gate reads back what the freezer was told.
        let both = |name| OpenOptions::new().read(true).write(true).open(cgroup.join(name));
        Ok(Self {
            freeze: both("cgroup.freeze")?,
            kill: OpenOptions::new().write(true).open(cgroup.join("cgroup.kill"))?,
            events: File::open(cgroup.join("cgroup.events"))?,
        })
    }

    /// The files in the order in which `from_descriptors` takes them.
    pub(super) fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [self.freeze.as_fd(), self.kill.as_fd(), self.events.as_fd()]
    }

    pub(super) fn from_descriptors([freeze, kill, events]: [OwnedFd; 3]) -> Self {
        Self { freeze: freeze.into(), kill: kill.into(), events: events.into() }
    }

    pub(super) fn freeze(&self) -> io::Result<()> {
        self.freeze.write_all_at(b"1", 0)
    }

    pub(super) fn thaw(&self) -> io::Result<()> {
        self.freeze.write_all_at(b"0", 0)
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        self.kill.write_all_at(b"1", 0)
    }

    /// What the freezer was last told; whether it has finished is in [`Controls::state`].
    pub(super) fn is_told_to_freeze(&self) -> io::Result<bool> {
        Ok(read_small(&self.freeze)?.trim_ascii() == b"1")
    }

    pub(super) fn state(&self) -> io::Result<SandboxState> {
        let text = read_small(&self.events)?;
        let has = |line: &[u8]| text.split(|&byte| byte == b'\n').any(|found| found == line);
        Ok(SandboxState { populated: has(b"populated 1"), frozen: has(b"frozen 1") })
    }

    /// Becomes ready (`POLLPRI`) when the state differs from the one read last.
    pub(super) fn events(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// Waits for a state; `None` when the deadline came first.
    pub(super) fn wait(
        &self,
        deadline: Instant,
        wanted: impl Fn(SandboxState) -> bool,
    ) -> io::Result<Option<SandboxState>> {
        loop {
            let state = self.state()?;
            if wanted(state) {
                return Ok(Some(state));
            }
            if deadline <= Instant::now() {
                return Ok(None);
            }
            sys::poll(&[(self.events(), libc::POLLPRI)], Some(deadline))?;
        }
    }
}

/// What the watch loop may do to a sandbox that somebody else owns: contain it, never loosen it.
///
/// After the sandbox is removed every call says so with an error.
#[derive(Clone, Debug)]
pub struct Containment {
    controls: Arc<Controls>,
    /// Where the sandbox's guard listens, if it has one.
    pulse: Option<Arc<Pulse>>,
}

impl Containment {
    pub(super) fn new(controls: Arc<Controls>, pulse: Option<Arc<Pulse>>) -> Self {
        Self { controls, pulse }
    }

    /// Says that somebody judges the sandbox: to be said every [`super::BEAT`], and to its guard it is the difference
    /// between a Picket that is stopped and one that has nothing to do.
    pub fn beat(&self) {
        if let Some(pulse) = &self.pulse {
            pulse.beat();
        }
    }

    /// Tells the kernel to freeze every process. Done when [`Containment::state`] says so.
    pub fn freeze(&self) -> io::Result<()> {
        self.controls.freeze()
    }

    /// Kills every process, frozen ones too. Done when the state is no longer populated.
    pub fn kill(&self) -> io::Result<()> {
        self.controls.kill()
    }

    /// What the kernel says now.
    pub fn state(&self) -> io::Result<SandboxState> {
        self.controls.state()
    }

    /// To be polled for `POLLPRI`: ready when the state differs from the one read last.
    pub fn events_fd(&self) -> BorrowedFd<'_> {
        self.controls.events()
    }
}

fn read_small(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 256];
    let length = file.read_at(&mut bytes, 0)?;
    bytes.truncate(length);
    Ok(bytes)
}
