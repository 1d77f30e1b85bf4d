//! Why a document was not accepted.

use std::{io, path::PathBuf};

use super::{
    Kind, MAX_BYTES,
    source::{Fault, Position, Report, Source},
};

/// Why a document was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The file cannot be read; there is no text to point into.
    #[error("{}: cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The text is not what it should be; the report says where and why.
    #[error("{report}")]
    Invalid {
        /// Everything that was found.
        report: Report,
    },
}

impl DocumentError {
    /// No text is kept of a file over the limit.
    pub(crate) fn too_large(kind: &Kind, name: String) -> Self {
        let fault = Fault::new(
            Position::START,
            format!("is larger than {} KiB", MAX_BYTES >> 10),
            format!("{} is a page of text; {}", kind.one, kind.shorter),
        );
        Self::invalid(&Source::new(name, String::new()), fault)
    }

    pub(crate) fn invalid(source: &Source, fault: Fault) -> Self {
        Self::from_faults(source, vec![fault])
    }

    pub(crate) fn from_faults(source: &Source, faults: Vec<Fault>) -> Self {
        Self::Invalid { report: source.report(faults) }
    }
}
