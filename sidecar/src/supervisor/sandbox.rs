//! One running plugin's cgroup: made frozen, owned by whoever holds its lock, removed at the end.
//!
//! The lock (`flock` on the directory) is how another Picket knows that somebody still answers for
//! the sandbox. It is shared with the sandbox's launcher and with nobody else, so it goes exactly
//! when both are gone, and what they left behind is swept (see [`super::sweep_stale`]).

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cgroup::{self, CgroupError, CgroupRoot};
use super::controls::{Containment, Controls, SandboxState};
use super::legacy::LegacyCgroups;
use super::meter::Meter;
use super::pulse::Pulse;
use super::{sweep, sys};

/// How long a dropped sandbox may take to die. Killing 300 churning processes was measured at
/// under 20 ms; the rest is for a loaded host.
const DESTROY_WITHIN: Duration = Duration::from_secs(5);
/// How often a new sandbox may be swept away by another Picket between its creation and its lock.
const ATTEMPTS: usize = 16;
/// Longest part of the plugin's name that is shown in the directory's name.
const NAME_LENGTH: usize = 64;

/// Why an operation on a sandbox failed.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Sandboxes cannot live here.
    #[error(transparent)]
    Host(#[from] CgroupError),
    /// The kernel refused an operation.
    #[error("sandbox {path}: {operation}: {source}")]
    Refused {
        /// The sandbox's cgroup directory.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// Every new directory was removed by somebody else before it could be locked.
    #[error("no sandbox could be kept below {home}: something removes new cgroups there at once")]
    SweptAway {
        /// The directory for sandboxes.
        home: PathBuf,
    },
    /// Processes outlived their kill.
    #[error(
        "sandbox {path} still has processes {waited:?} after they were killed; \
         one may be stuck in the kernel (state D in ps)"
    )]
    StillPopulated {
        /// The sandbox's cgroup directory.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
}

/// One sandbox, owned. Dropping it kills what is in it and removes it.
#[derive(Debug)]
pub struct Sandbox {
    path: PathBuf,
    name_in_proc: PathBuf,
    id: u64,
    lock: File,
    controls: Arc<Controls>,
    pulse: Arc<Pulse>,
    legacy: LegacyCgroups,
    removed: bool,
}

impl Sandbox {
    /// Makes a sandbox for a plugin, frozen before anything can be in it.
    pub fn create(root: &CgroupRoot, plugin: &str) -> Result<Self, SandboxError> {
        let home = root.home();
        for _ in 0..ATTEMPTS {
            // Each time: whoever ends the last sandbox removes it.
            root.make_home()?;
            let name = unique_name(plugin).map_err(refused(&home, "choosing a name"))?;
            if let Some(sandbox) = Self::claim(root, &name)? {
                return Ok(sandbox);
            }
        }
        Err(SandboxError::SweptAway { home })
    }

    /// `None` when another Picket took the new directory for an abandoned one.
    fn claim(root: &CgroupRoot, name: &str) -> Result<Option<Self>, SandboxError> {
        let path = root.home().join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            outcome => outcome.map_err(refused(&path, "making the cgroup"))?,
        }
        let Some(lock) = lock(&path).map_err(refused(&path, "locking the cgroup"))? else {
            return Ok(None);
        };
        let id = lock.metadata().map_err(refused(&path, "reading the cgroup's id"))?.ino();
        cgroup::check_controls(&path)?;
        let controls = Controls::open(&path).map_err(refused(&path, "opening its controls"))?;
        let controls = Arc::new(controls);
        let pulse = Pulse::new().map_err(refused(&path, "making its pulse"))?;
        let sandbox = Self {
            name_in_proc: root.name_in_proc(name),
            path,
            id,
            lock,
            controls,
            pulse: Arc::new(pulse),
            legacy: LegacyCgroups::create(name),
            removed: false,
        };
        sandbox.freeze()?;
        Ok(Some(sandbox))
    }

    /// The sandbox's cgroup directory. For people and logs: [`Sandbox::id`] is its identity.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kernel's id of the cgroup, which no other cgroup gets while the host is up.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Tells the kernel to freeze every process. Done when [`Sandbox::state`] says so.
    pub fn freeze(&self) -> Result<(), SandboxError> {
        self.controls.freeze().map_err(refused(&self.path, "freezing"))
    }

    /// Lets the processes run. Never for a suspect: see the design on approvals.
    pub fn thaw(&self) -> Result<(), SandboxError> {
        self.controls.thaw().map_err(refused(&self.path, "thawing"))
    }

    /// Kills every process, frozen ones too. Done when the state is no longer populated.
    pub fn kill(&self) -> Result<(), SandboxError> {
        self.controls.kill().map_err(refused(&self.path, "killing"))
    }

    /// What the kernel says now.
    pub fn state(&self) -> Result<SandboxState, SandboxError> {
        self.controls.state().map_err(refused(&self.path, "reading its state"))
    }

    /// To be polled for `POLLPRI` and `POLLERR`: ready when the state differs from the one read
    /// last. Read the state, then poll.
    pub fn events_fd(&self) -> BorrowedFd<'_> {
        self.controls.events()
    }

    /// The means to contain it, for the watch loop. They outlive the sandbox harmlessly.
    pub fn containment(&self) -> Containment {
        Containment::new(Arc::clone(&self.controls), Some(Arc::clone(&self.pulse)))
    }

    /// What counts what is used in it. To be opened once its first process is in it.
    pub fn meter(&self) -> Meter {
        Meter::open(&self.path, Some(self.legacy.places()))
    }

    /// Puts its first process where controllers count that have hierarchies of their own.
    pub(super) fn enrol(&mut self, process: u32) {
        self.legacy.enrol(process);
    }

    /// Waits until the kernel confirms a state; `None` when the deadline came first.
    pub fn wait(
        &self,
        deadline: Instant,
        wanted: impl Fn(SandboxState) -> bool,
    ) -> Result<Option<SandboxState>, SandboxError> {
        self.controls.wait(deadline, wanted).map_err(refused(&self.path, "reading its state"))
    }

    /// Kills what is in the sandbox, waits until it is empty, and removes it with whatever the
    /// plugin made below it.
    pub fn destroy(mut self, within: Duration) -> Result<(), SandboxError> {
        self.remove(within)
    }

    fn remove(&mut self, within: Duration) -> Result<(), SandboxError> {
        // Once only: a sandbox that could not be removed in time is the sweeper's.
        if std::mem::replace(&mut self.removed, true) {
            return Ok(());
        }
        let emptied = sweep::empty_and_remove(&self.path, &self.controls, Instant::now() + within)
            .map_err(refused(&self.path, "removing"))?;
        if emptied {
            Ok(())
        } else {
            Err(SandboxError::StillPopulated { path: self.path.clone(), waited: within })
        }
    }

    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    pub(super) fn controls(&self) -> &Controls {
        &self.controls
    }

    /// The descriptor that carries the lock. Only for the launcher, which owns with us.
    pub(super) fn lock(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }

    /// The directory without the lock, to clone into: the frozen child inherits it, and a child
    /// that is left behind must not look like an owner.
    pub(super) fn open_directory(&self) -> Result<File, SandboxError> {
        File::open(&self.path).map_err(refused(&self.path, "opening the cgroup"))
    }

    pub(super) fn name_in_proc(&self) -> &Path {
        &self.name_in_proc
    }

    /// The processes in the sandbox itself, by number.
    pub(super) fn members(&self) -> Result<Vec<u32>, SandboxError> {
        let text = fs::read_to_string(self.path.join("cgroup.procs"))
            .map_err(refused(&self.path, "listing its processes"))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Nobody is left to tell. What stays behind has no owner any more, so the next Picket
        // sweeps it and reports it.
        drop(self.remove(DESTROY_WITHIN));
    }
}

/// Opens and locks a sandbox's directory; `None` when somebody else holds it or it is gone.
pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
    let gone = |error: &io::Error| {
        error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
    };
    let directory = match File::open(path) {
        Err(error) if gone(&error) => return Ok(None),
        outcome => outcome?,
    };
    match directory.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    // The lock may be on a directory that was removed while we waited for its number.
    let locked = directory.metadata()?.ino();
    match fs::metadata(path) {
        Ok(found) if found.ino() == locked => Ok(Some(directory)),
        Ok(_) => Ok(None),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn refused(path: &Path, operation: &'static str) -> impl FnOnce(io::Error) -> SandboxError {
    let path = path.to_owned();
    move |source| SandboxError::Refused { path, operation, source }
}

/// A directory name: readable for people, and never the same twice.
fn unique_name(plugin: &str) -> io::Result<String> {
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let readable: String = plugin
        .chars()
        .take(NAME_LENGTH)
        .map(|letter| if harmless(letter) { letter } else { '_' })
        .collect();
    Ok(format!("{readable}.{:016x}", u64::from_ne_bytes(sys::random()?)))
}

/// Whether a directory name is one that `unique_name` gives.
pub(super) fn is_sandbox_name(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, random)| {
        random.len() == 16 && random.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}
