//! What can be wrong with a trace.

use std::{io, path::PathBuf};

use super::VERSION;

/// Why a trace is of no use, or not of all.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Not a trace at all.
    #[error(
        "{}: is no Picket trace, but {looks}; record one with `picket exec --record FILE`",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        looks: &'static str,
    },
    /// Written by a later Picket.
    #[error(
        "{}: has trace format {version}, this Picket reads format {VERSION}: use Picket {picket} or later, \
         which wrote it",
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
    #[error(
        "{}: breaks off: the recording was cut short{}",
        path.display(),
        usable(*whole)
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// How many inputs can be used.
        whole: u64,
    },
    /// A line says nothing that a trace can say.
    #[error("{}:{line}:{column}: {why}; the file was damaged or changed after it was written", path.display())]
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

fn usable(whole: u64) -> String {
    match whole {
        0 => " before its first input".to_owned(),
        1 => "; it has 1 whole input, which `--incomplete` uses".to_owned(),
        whole => format!("; it has {whole} whole inputs, which `--incomplete` uses"),
    }
}
