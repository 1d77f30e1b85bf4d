//! Whether this kernel can hold and report calls.

use std::{fmt, io};

use picket_engine::SyscallSet;

use super::super::sys::seccomp;
use super::landlock;
use super::wall::Wall;

/// Why `confinement: strict` cannot be had here.
#[derive(Debug, thiserror::Error)]
pub enum StrictError {
    /// No filters, none that ask, or none for Picket.
    #[error(
        "`confinement: strict` cannot be had here: {what}: {source}; boot Linux 6.1 or later built \
         with CONFIG_SECCOMP_FILTER, start Picket outside a filter that forbids seccomp(2), or \
         write `confinement: standard` if it suffices"
    )]
    Unavailable {
        /// What was asked.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl StrictError {
    /// What was found, without the way out.
    #[must_use]
    pub fn found(&self) -> String {
        let Self::Unavailable { what, source } = self;
        format!("{what}: {source}")
    }
}

/// Whether this kernel has filters that ask, and this process may have one. Nothing is changed.
///
/// # Errors
/// [`StrictError`], with the remedy.
pub fn strict_support() -> Result<(), StrictError> {
    let missing = |what| move |source| StrictError::Unavailable { what, source };
    seccomp::can_notify().map_err(missing("the kernel has no seccomp user notification"))?;
    seccomp::can_listen().map_err(missing("a seccomp filter with a listener is not accepted"))
}

/// Which version of Landlock's interface a wall is built with; `None` where the kernel has none, or one that is too old.
pub(in super::super) fn landlock_interface() -> Option<u32> {
    landlock::interface(landlock_version())
}

/// What becomes of undeclared files under `confinement: strict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrictFiles {
    /// Landlock refuses what is surely undeclared.
    Refused {
        /// The version of its interface that is used.
        interface: u32,
    },
    /// They are seen and answered as under `standard`: no Landlock here.
    NoLandlock,
    /// The same: Landlock would also refuse calls that are declared.
    Mounting,
}

impl StrictFiles {
    /// For a plugin with these calls, on this kernel.
    #[must_use]
    pub fn of(calls: SyscallSet) -> Self {
        Self::with(calls, landlock_version())
    }

    /// The same, for a kernel with this version of Landlock's interface.
    #[must_use]
    pub fn with(calls: SyscallSet, kernel: Option<u32>) -> Self {
        match landlock::interface(kernel) {
            _ if !Wall::can_stand(calls) => Self::Mounting,
            Some(interface) => Self::Refused { interface },
            None => Self::NoLandlock,
        }
    }
}

impl fmt::Display for StrictFiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { interface } => {
                write!(out, "files that are surely undeclared are refused (Landlock, interface {interface})")
            }
            Self::NoLandlock => out.write_str(
                "files are NOT refused, only seen: this kernel has no Landlock with interface 2 or later \
                 (add landlock to the kernel's lsm= list)",
            ),
            Self::Mounting => out.write_str(
                "files are NOT refused, only seen: Landlock would refuse the calls that are declared for \
                 mounting as well",
            ),
        }
    }
}

/// The version of Landlock's interface, if the kernel has it switched on.
#[must_use]
pub fn landlock_version() -> Option<u32> {
    seccomp::landlock_version()
}
