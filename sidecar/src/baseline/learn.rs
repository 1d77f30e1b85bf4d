//! From a recording to runs.

use std::path::Path;

use picket_engine::baseline::{Run, RunId};

use super::recording::{Recording, RecordingError};

/// What one recording teaches.
#[derive(Debug)]
pub struct Lesson {
    /// Name of the plugin when it was recorded.
    pub plugin: String,
    /// Its runs: usually one.
    pub runs: Vec<(RunId, Run)>,
}

/// Reads a recording.
///
/// # Errors
/// [`RecordingError`].
pub fn lesson(path: &Path) -> Result<Lesson, RecordingError> {
    let mut recording = Recording::open(path)?;
    let mut observer = recording.observer();
    recording.each(|input| observer.hear(input))?;
    let (plugin, runs) = recording.named(observer.finish(), |observed| observed)?;
    let runs = runs.into_iter().map(|(id, observed)| (id, observed.run)).collect();
    Ok(Lesson { plugin, runs })
}
