//! From inputs to scored runs: the reduction that learns is the one that scores.
//!
//! A [`Scorer`] has an [`Observer`] and hears through it, so that a deed is never called one thing while it is learned and
//! another while it is judged. The baseline is frozen: nothing that is heard changes it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Counts, Observed, Observer, Votes};
use crate::learned::Scores;
use crate::{Input, SandboxId};

/// A run, and what a baseline made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    /// The run as it would be learned.
    pub observed: Observed,
    /// What was surprising in it. Of a run with a loss, what arrived.
    pub votes: Votes,
}

impl Scored {
    /// One score for each lane.
    pub fn scores(&self) -> Scores {
        self.votes.scores(&self.observed.run)
    }
}

/// Hears inputs, and scores the runs that they tell of by one baseline.
#[derive(Debug)]
pub struct Scorer {
    counts: Counts,
    observer: Observer,
    open: BTreeMap<SandboxId, Votes>,
    over: Vec<Scored>,
}

impl Scorer {
    /// Scores what `observer` hears from now on.
    pub const fn new(counts: Counts, observer: Observer) -> Self {
        Self { counts, observer, open: BTreeMap::new(), over: Vec::new() }
    }

    /// Hears the next input.
    pub fn hear(&mut self, input: &Input) {
        let Self { counts, observer, open, .. } = self;
        if let Input::Event { sandbox, .. } = input {
            observer.hear_deeds(input, |family, template| {
                open.entry(*sandbox).or_default().hear(counts, family, template);
            });
        } else {
            observer.hear(input);
        }
        self.collect();
    }

    /// The scores of a run so far: none can fall until it ends.
    pub fn scores(&self, sandbox: SandboxId) -> Option<Scores> {
        let (_, run, _) = self.observer.running().find(|(id, ..)| *id == sandbox)?;
        Some(self.open.get(&sandbox).cloned().unwrap_or_default().scores(run))
    }

    /// Every run in the order in which they ended, those that were not seen to end last.
    pub fn finish(mut self) -> Vec<Scored> {
        self.collect();
        for observed in self.observer.finish() {
            let votes = self.open.remove(&observed.sandbox).unwrap_or_default();
            self.over.push(Scored { observed, votes });
        }
        self.over
    }

    fn collect(&mut self) {
        for observed in self.observer.take() {
            let votes = self.open.remove(&observed.sandbox).unwrap_or_default();
            self.over.push(Scored { observed, votes });
        }
    }
}
