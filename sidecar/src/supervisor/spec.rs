//! What to start, and with what: everything a plugin gets is in here, nothing else reaches it.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use super::capabilities::CapabilitySet;
use super::confine::{CallFilter, Wall};
use super::sys;

/// The first argument that makes the `picket` binary a launcher.
pub const LAUNCHER_ARGUMENT: &str = "__launch";

/// A plugin's start, in full.
pub struct LaunchSpec {
    /// What to run as the launcher.
    pub launcher: LauncherProgram,
    /// Absolute path of the plugin's entry point.
    pub program: PathBuf,
    /// Its arguments, the program's own name first.
    pub arguments: Vec<OsString>,
    /// Its whole environment. Nothing of Picket's own is added.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it starts, entered with the plugin's own rights.
    pub working_directory: PathBuf,
    /// The descriptors it gets. Of the standard three, those not in here are `/dev/null`, because
    /// a program whose first opened file becomes its standard output corrupts that file.
    pub descriptors: Vec<PassedDescriptor>,
    /// The capabilities it keeps; normally none.
    pub capabilities: CapabilitySet,
    /// How tightly it is confined beyond that.
    pub confinement: Confinement,
    /// Which files it is kept from besides.
    pub wall: Option<Wall>,
    /// How long each step may take.
    pub deadlines: Deadlines,
}

impl fmt::Debug for LaunchSpec {
    /// Names the program only: arguments and environment may hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LaunchSpec").field("program", &self.program).finish_non_exhaustive()
    }
}

/// What to run as the launcher.
#[derive(Clone, Debug)]
pub struct LauncherProgram {
    /// The program.
    pub path: PathBuf,
    /// Arguments that make it one.
    pub arguments: Vec<OsString>,
}

impl LauncherProgram {
    /// The running binary itself, also when the file it was started from is gone or replaced.
    pub fn this_binary() -> Self {
        Self { path: "/proc/self/exe".into(), arguments: vec![LAUNCHER_ARGUMENT.into()] }
    }
}

/// How tightly a plugin is confined, beyond what always holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Confinement {
    /// No new privileges, no capabilities, no undeclared descriptors, no way to the kernel's
    /// controls. Nothing that would hide an attempt from the hooks.
    Standard,
    /// Besides, a filter that refuses every other system call and reports it first.
    Strict(CallFilter),
}

/// How long each step of a start may take before it counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From starting the launcher to the frozen child.
    pub launch: Duration,
    /// For Picket's own preparation.
    pub prepare: Duration,
    /// From thawing the child to its exec.
    pub exec: Duration,
    /// How long a frozen sandbox waits for a successor when Picket has died, before it is killed.
    pub orphan: Duration,
}

impl Deadlines {
    /// What the design promises.
    pub const STANDARD: Self = Self {
        launch: Duration::from_secs(10),
        prepare: Duration::from_secs(2),
        exec: Duration::from_secs(10),
        orphan: Duration::from_mins(1),
    };
}

/// A descriptor that a plugin gets.
#[derive(Debug)]
pub struct PassedDescriptor {
    number: RawFd,
    file: OwnedFd,
}

/// Why a descriptor cannot be passed on.
#[derive(Debug, thiserror::Error)]
pub enum DescriptorError {
    /// It is not open.
    #[error("descriptor {number} is declared but Picket was started without it: {source}")]
    NotOpen {
        /// Its number.
        number: RawFd,
        /// What the kernel said.
        source: io::Error,
    },
    /// It is one that Picket opened for itself.
    #[error(
        "descriptor {number} is declared but Picket was started without it; \
         the number now belongs to a file of Picket's own"
    )]
    Own {
        /// Its number.
        number: RawFd,
    },
    /// No plugin gets a descriptor of this number.
    #[error("descriptor {number} cannot be passed on; 0 to {max} can", max = PassedDescriptor::MAX)]
    OutOfRange {
        /// Its number.
        number: RawFd,
    },
}

impl PassedDescriptor {
    /// The highest number a plugin can be given.
    pub const MAX: RawFd = 255;

    /// Gives the plugin `file` under this number.
    pub fn new(number: RawFd, file: OwnedFd) -> Result<Self, DescriptorError> {
        if (0..=Self::MAX).contains(&number) {
            Ok(Self { number, file })
        } else {
            Err(DescriptorError::OutOfRange { number })
        }
    }

    /// Passes on a descriptor that Picket itself was started with, under its own number.
    ///
    /// Whatever Picket opens closes itself at exec and whatever it was started with does not, so
    /// one of Picket's own files (a map, the ring) cannot be handed out by its number.
    pub fn inherited(number: RawFd) -> Result<Self, DescriptorError> {
        let not_open = |source| DescriptorError::NotOpen { number, source };
        if sys::closes_at_exec(number).map_err(not_open)? {
            return Err(DescriptorError::Own { number });
        }
        let file = sys::duplicate(number, 3).map_err(not_open)?;
        Self::new(number, file)
    }

    /// Its number in the plugin.
    pub fn number(&self) -> RawFd {
        self.number
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
