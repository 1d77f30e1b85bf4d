//! From a recording to scored runs.

use std::path::Path;

use picket_engine::baseline::{Counts, RunId, Scored, Scorer};

use super::recording::{Recording, RecordingError};

/// What a baseline made of one recording.
#[derive(Debug)]
pub struct Scores {
    /// Name of the plugin when it was recorded.
    pub plugin: String,
    /// Its runs: usually one.
    pub runs: Vec<(RunId, Scored)>,
}

/// Scores the runs of a recording by a frozen baseline. A run that the baseline learned is scored by itself, too: leave it
/// out before ([`Baseline::without`](picket_engine::baseline::Baseline::without)), or its score says nothing.
///
/// # Errors
/// [`RecordingError`].
pub fn score(path: &Path, counts: Counts) -> Result<Scores, RecordingError> {
    let mut recording = Recording::open(path)?;
    let mut scorer = Scorer::new(counts, recording.observer());
    recording.each(|input| scorer.hear(input))?;
    let (plugin, runs) = recording.named(scorer.finish(), |scored| &mut scored.observed)?;
    Ok(Scores { plugin, runs })
}
