//! What can be wrong with an exported file.

use std::{io, path::PathBuf};

use super::VERSION;

/// Why a file of baselines is of no use. Nothing of it was taken.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// It cannot be read.
    #[error("{}: cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Something else.
    #[error("{}: is no export of baselines; `picket baseline export` writes one", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later Picket.
    #[error(
        "{}: has format {version}, this Picket reads format {VERSION}: use Picket {picket} or later, which wrote it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
        /// Who wrote it.
        picket: String,
    },
    /// It breaks off.
    #[error("{}: breaks off after {lines} lines: copy it again, or export again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Whole lines.
        lines: u64,
    },
    /// A line says nothing that an export can say.
    #[error("{}:{line}:{column}: {why}; export it again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// In bytes, counted from 1.
        column: usize,
        /// What is wrong there.
        why: String,
    },
}
