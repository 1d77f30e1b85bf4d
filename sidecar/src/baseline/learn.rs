//! From a recording to runs.

use std::path::{Path, PathBuf};

use picket_engine::baseline::{Fault, Observer, Run, RunId};
use sha2::{Digest as _, Sha256};

use crate::trace::{Reader, TraceError};

/// What one recording teaches.
#[derive(Debug)]
pub struct Lesson {
    /// Name of the plugin when it was recorded.
    pub plugin: String,
    /// Its runs: usually one.
    pub runs: Vec<(RunId, Run)>,
}

/// Why a recording teaches nothing.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// It cannot be read to its end.
    #[error("{0}")]
    Trace(#[from] TraceError),
    /// Its words were replaced.
    #[error("{}: is redacted: its paths are not those of the plugin; learn from the trace it was made from", path.display())]
    Redacted {
        /// The file.
        path: PathBuf,
    },
    /// It is of several plugins.
    #[error("{}: is of {count} plugins: record each by itself", path.display())]
    Several {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// The plugin's entry point never ran in it.
    #[error("{}: nothing of the plugin ran in it: record a run that starts", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a recording.
///
/// # Errors
/// [`LearnError`].
pub fn lesson(path: &Path) -> Result<Lesson, LearnError> {
    let mut reader = Reader::open(path)?;
    let path = || path.to_owned();
    if reader.header().redacted {
        return Err(LearnError::Redacted { path: path() });
    }
    let [plugin] = reader.header().plugins.as_slice() else {
        return Err(LearnError::Several { path: path(), count: reader.header().plugins.len() });
    };
    let plugin = plugin.clone();
    let clock = reader.header().clock;
    let mut observer = Observer::new(clock.boot(), clock.unix_seconds());
    for input in reader.by_ref() {
        observer.hear(&input?);
    }
    let end = reader.end();
    let (missed, digest) = end.map_or((1, ""), |end| (end.missed, end.digest()));
    let mut runs = Vec::new();
    for mut observed in observer.finish() {
        if 0 < missed {
            observed.run.fail(Fault::Gaps, missed);
        }
        let sandbox = observed.sandbox;
        let mut hasher = Sha256::new();
        hasher.update(b"picket run 1");
        hasher.update(digest);
        hasher.update(sandbox.slot.to_le_bytes());
        hasher.update(sandbox.generation.to_le_bytes());
        let digest: [u8; 32] = hasher.finalize().into();
        let mut id = RunId([0; 16]);
        id.0.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
        runs.push((id, observed.run));
    }
    if runs.is_empty() {
        Err(LearnError::Empty { path: path() })
    } else {
        Ok(Lesson { plugin, runs })
    }
}
