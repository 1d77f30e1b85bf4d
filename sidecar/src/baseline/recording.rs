//! A recording as what baselines hear: who it is of, its inputs, and what its runs are called.

use std::path::{Path, PathBuf};

use picket_engine::{
    Input, SandboxId,
    baseline::{Fault, Observed, Observer, RunId},
};
use sha2::{Digest as _, Sha256};

use crate::trace::{Reader, TraceError};

/// Why a recording is of no use to a baseline.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be read to its end.
    #[error("{0}")]
    Trace(#[from] TraceError),
    /// Its words were replaced.
    #[error("{}: is redacted: its paths are not those of the plugin; use the trace it was made from", path.display())]
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

/// A recording that is being read.
#[derive(Debug)]
pub(super) struct Recording {
    reader: Reader,
    path: PathBuf,
    plugin: String,
}

impl Recording {
    pub(super) fn open(path: &Path) -> Result<Self, RecordingError> {
        let reader = Reader::open(path)?;
        let path = path.to_owned();
        if reader.header().redacted {
            return Err(RecordingError::Redacted { path });
        }
        let [plugin] = reader.header().plugins.as_slice() else {
            return Err(RecordingError::Several { path, count: reader.header().plugins.len() });
        };
        let plugin = plugin.clone();
        Ok(Self { reader, path, plugin })
    }

    /// Whoever hears its inputs, on its clock.
    pub(super) fn observer(&self) -> Observer {
        let clock = self.reader.header().clock;
        Observer::new(clock.boot(), clock.unix_seconds())
    }

    /// Its inputs, to its end.
    pub(super) fn each(&mut self, mut hear: impl FnMut(&Input)) -> Result<(), RecordingError> {
        for input in self.reader.by_ref() {
            hear(&input?);
        }
        Ok(())
    }

    /// What is to be said of its runs, once it was read to its end: what each is called, and what the recorder missed.
    pub(super) fn named<T>(
        self,
        runs: Vec<T>,
        observed: impl Fn(&mut T) -> &mut Observed,
    ) -> Result<(String, Vec<(RunId, T)>), RecordingError> {
        if runs.is_empty() {
            return Err(RecordingError::Empty { path: self.path });
        }
        let (missed, digest) = self.reader.end().map_or((1, ""), |end| (end.missed, end.digest()));
        let name = |mut run| {
            let observed = observed(&mut run);
            if 0 < missed {
                observed.run.fail(Fault::Gaps, missed);
            }
            (identity(digest, observed.sandbox), run)
        };
        let runs = runs.into_iter().map(name).collect();
        Ok((self.plugin, runs))
    }
}

fn identity(digest: &str, sandbox: SandboxId) -> RunId {
    let mut hasher = Sha256::new();
    hasher.update(b"picket run 1");
    hasher.update(digest);
    hasher.update(sandbox.slot.to_le_bytes());
    hasher.update(sandbox.generation.to_le_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let mut id = RunId([0; 16]);
    id.0.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
    id
}
