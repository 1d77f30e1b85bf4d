//! Recorded runs that are scored by a baseline.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use picket_engine::baseline::{Counts, Key, Mark, RunId, Scored};

use super::{Refusal, learn, words};
use crate::{
    baseline::{Entry, Scores, score},
    manifest,
};

/// Which recordings, and what they have to be of.
#[derive(Debug, clap::Args)]
pub(super) struct Recorded {
    /// A trace of the plugin (`picket exec --record`): one run. May be given more than once.
    #[arg(long, value_name = "TRACE", required = true, num_args = 1..)]
    from: Vec<PathBuf>,
    /// The manifest that the plugin ran under. Refused if the baseline is of another one.
    #[arg(short, long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The build that ran: its file, or sha256: and the digits of it. Refused if the baseline is of another one.
    #[arg(long, value_name = "FILE|DIGEST")]
    artifact: Option<String>,
    /// What the plugin was called when it was recorded, if not as in its manifest.
    #[arg(long, value_name = "NAME")]
    recorded_as: Option<String>,
}

/// A recorded run with its scores.
pub(super) struct Run {
    /// Of which recording, as it is printed.
    pub(super) trace: String,
    pub(super) id: RunId,
    /// It is part of the baseline, so the others scored it.
    pub(super) learned: bool,
    /// How many runs scored it.
    pub(super) by_runs: u64,
    pub(super) scored: Scored,
}

impl Run {
    /// What is kept of it.
    pub(super) fn mark(&self) -> Mark {
        Mark::of(&self.scored.observed.run, self.scored.scores())
    }
}

impl Recorded {
    /// Scores the runs of all recordings, each by what the baseline learned of others, in the order of time. A run that is
    /// in two of the recordings is one.
    pub(super) fn runs(&self, entry: &Entry, key: Key) -> Result<Vec<Run>, Refusal> {
        self.check(entry)?;
        let name = self.recorded_as.as_deref().unwrap_or(&entry.identity.plugin);
        let counts = Counts::of(&entry.baseline, key);
        let mut runs: Vec<Run> = Vec::new();
        for path in &self.from {
            let mut scores = read(path, counts.clone())?;
            learn::is_of(path, &scores.plugin, name)?;
            let mut by_runs = counts.runs();
            let learned = known(entry, &scores);
            if !learned.is_empty() {
                let others = Counts::of(&entry.baseline.without(&learned), key);
                by_runs = others.runs();
                scores = read(path, others)?;
            }
            let trace = words::text(path.as_os_str().as_encoded_bytes());
            for (id, scored) in scores.runs {
                if runs.iter().all(|run| run.id != id) {
                    let (trace, learned) = (trace.clone(), learned.contains(&id));
                    runs.push(Run { trace, id, learned, by_runs, scored });
                }
            }
        }
        runs.sort_by_key(|run| (run.scored.observed.run.began(), run.id));
        Ok(runs)
    }

    /// What the recordings are said to be of is what the baseline is of.
    fn check(&self, entry: &Entry) -> Result<(), Refusal> {
        let identity = &entry.identity;
        let other = |what: &str, option: &str, given: String, known: String| {
            Refusal::Configuration(format!(
                "{option} has the digest {given}, and the baseline {} is of the {what} {known}: another {what} has another \
                 baseline; `picket baseline list` shows them",
                identity.short()
            ))
        };
        if let Some(path) = &self.manifest {
            let given = manifest::load(path).map_err(Refusal::configuration)?.digest();
            if given != identity.manifest {
                let known = identity.manifest.to_string();
                return Err(other("manifest", "--manifest", given.to_string(), known));
            }
        }
        if let Some(text) = &self.artifact {
            let given = learn::digest(text)?;
            if given != identity.artifact {
                let known = identity.artifact.to_string();
                return Err(other("build", "--artifact", given.to_string(), known));
            }
        }
        Ok(())
    }
}

fn read(path: &Path, counts: Counts) -> Result<Scores, Refusal> {
    score(path, counts).map_err(Refusal::configuration)
}

/// Those that the baseline holds, usable or not.
fn known(entry: &Entry, scores: &Scores) -> BTreeSet<RunId> {
    let ids = scores.runs.iter().map(|(id, _)| *id);
    ids.filter(|id| entry.baseline.run(*id).is_some()).collect()
}
