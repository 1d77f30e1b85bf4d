//! Whether this kernel can hold and report calls.

use std::io;

use super::super::sys::seccomp;

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

/// The version of Landlock's interface, if the kernel has it switched on.
#[must_use]
pub fn landlock_version() -> Option<u32> {
    seccomp::landlock_version()
}
