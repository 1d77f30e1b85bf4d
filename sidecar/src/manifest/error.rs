//! Why there is no policy from a manifest.

use std::{io, path::PathBuf};

use crate::document::Report;

/// Why a manifest has no policy on this machine.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// What the manifest says does not hold here; the report says where and why.
    #[error("{report}")]
    Invalid {
        /// Everything that was found.
        report: Report,
    },
    /// Without the mount table, no file has an identity.
    #[error("/proc/self/mountinfo: cannot be read: {cause}")]
    Mounts {
        /// What the system said.
        cause: io::Error,
    },
    /// There is no entry point to start.
    #[error("{}: cannot be started: {cause}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file that is protected everywhere cannot be looked at.
    #[error("{}: is protected, and cannot be looked at: {cause}", path.display())]
    Protected {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}
