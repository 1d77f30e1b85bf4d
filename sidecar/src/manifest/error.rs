//! Why there is no manifest, or no policy from one.

use std::{io, path::PathBuf};

use super::{
    MAX_BYTES,
    source::{Fault, Position, Report, Source},
};

/// Why a manifest was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read; there is no text to point into.
    #[error("{}: cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The text is not a manifest; the report says where and why.
    #[error("{report}")]
    Invalid {
        /// Everything that was found.
        report: Report,
    },
}

impl ManifestError {
    /// No text is kept of a file over the limit.
    pub(super) fn too_large(name: String) -> Self {
        let fault = Fault::new(
            Position::START,
            format!("is larger than {} KiB", MAX_BYTES >> 10),
            "a manifest is a page of text; replace lists of single files by patterns such as \
             /data/**",
        );
        Self::invalid(&Source::new(name, String::new()), fault)
    }

    pub(super) fn invalid(source: &Source, fault: Fault) -> Self {
        Self::from_faults(source, vec![fault])
    }

    pub(super) fn from_faults(source: &Source, faults: Vec<Fault>) -> Self {
        Self::Invalid { report: source.report(faults) }
    }
}

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
