//! Calibration of a plugin that is judged by its runs: runs that a frozen baseline scored, and the certificate that comes of
//! them.
//!
//! A calibration is of one frozen baseline. Once that has learned more it is *stale*: its scores are those of other
//! counts, and nobody can score the runs again without their recordings. Accepting a deed lowers scores and raises none,
//! so that a certificate keeps; but runs from before an acceptance count no longer towards a new one.

use std::{collections::BTreeMap, fmt};

use picket_engine::{
    baseline::{Baseline, Fault, Mark, Run, RunId, blocks, cadence, frozen_at},
    learned::{Block, Certificate, Missing, Subject, certify},
};
use sha2::{Digest as _, Sha256};

/// What a baseline had learned when it was frozen: a digest of all that its counts are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen(pub(super) [u8; 32]);

impl Frozen {
    /// Of a baseline as it is now. Runs that teach nothing and what was accepted are no part of it.
    #[must_use]
    pub fn of(baseline: &Baseline) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"picket frozen 1");
        let mut word = |bytes: &[u8]| {
            hasher.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(bytes);
        };
        for (id, run) in baseline.runs().filter(|(_, run)| run.is_usable()) {
            word(&id.0);
            for (family, template, _) in run.counts() {
                word(family.as_str().as_bytes());
                word(template.as_bytes());
            }
            for family in run.full() {
                word(b"full");
                word(family.as_str().as_bytes());
            }
        }
        Self(hasher.finalize().into())
    }
}

impl Frozen {
    /// The digest.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for Frozen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&crate::trace::to_hex(&self.0))
    }
}

/// Scored runs of one frozen baseline, and its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calibration {
    pub(super) frozen: Frozen,
    pub(super) marks: BTreeMap<RunId, Mark>,
    pub(super) certified: Option<Certified>,
}

/// A certificate, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// Seconds since 1970.
    pub at: u64,
    /// What is certified.
    pub certificate: Certificate,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It counts.
    New,
    /// It counted already.
    Known,
    /// The baseline learned it: it would certify itself.
    Learned,
    /// It began before the baseline was frozen, or before something was accepted.
    Early,
    /// It was contained: nobody knows what it would have done.
    Contained,
    /// There are [`Calibration::MOST_RUNS`] already.
    NoRoom,
    /// There is a certificate already, which nothing changes.
    Certified,
}

impl Calibration {
    /// As many runs as one calibration holds: two weeks of 2,000 a day.
    pub const MOST_RUNS: usize = 1 << 15;

    /// Nothing was scored yet by this baseline.
    #[must_use]
    pub fn new(baseline: &Baseline) -> Self {
        Self { frozen: Frozen::of(baseline), marks: BTreeMap::new(), certified: None }
    }

    /// Whether the baseline has learned since.
    #[must_use]
    pub fn is_stale(&self, baseline: &Baseline) -> bool {
        self.frozen != Frozen::of(baseline)
    }

    /// What the baseline had learned.
    #[must_use]
    pub const fn frozen(&self) -> Frozen {
        self.frozen
    }

    /// Its runs.
    pub fn marks(&self) -> impl Iterator<Item = (RunId, &Mark)> {
        self.marks.iter().map(|(id, mark)| (*id, mark))
    }

    /// Whether a run is one of its.
    #[must_use]
    pub fn has(&self, id: RunId) -> bool {
        self.marks.contains_key(&id)
    }

    /// The certificate, once there is one.
    #[must_use]
    pub const fn certified(&self) -> Option<&Certified> {
        self.certified.as_ref()
    }

    /// Takes a run that this baseline scored.
    pub fn take(&mut self, baseline: &Baseline, id: RunId, run: &Run, mark: Mark) -> Taken {
        if self.has(id) {
            return Taken::Known;
        }
        if self.certified.is_some() {
            return Taken::Certified;
        }
        if baseline.run(id).is_some() {
            return Taken::Learned;
        }
        if mark.began < frozen_at(baseline) {
            return Taken::Early;
        }
        if run.faults().contains_key(&Fault::Contained) {
            return Taken::Contained;
        }
        if Self::MOST_RUNS <= self.marks.len() {
            return Taken::NoRoom;
        }
        self.marks.insert(id, mark);
        Taken::New
    }

    /// Its runs as blocks: those that began after everything that was learned or accepted.
    #[must_use]
    pub fn blocks(&self, baseline: &Baseline) -> Vec<Block> {
        let since = frozen_at(baseline);
        let marks = self.marks.values().filter(|mark| since <= mark.began).copied();
        blocks(marks, None).into_iter().map(|(_, block)| block).collect()
    }

    /// When the last of its blocks began, in seconds since 1970.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.marks.values().map(|mark| mark.began).max()
    }

    /// What a certificate wants that is not there; empty once there is one.
    #[must_use]
    pub fn missing(&self, subject: Subject, baseline: &Baseline) -> Vec<Missing> {
        if self.certified.is_some() {
            return Vec::new();
        }
        certify(subject, cadence(baseline), &self.blocks(baseline)).err().unwrap_or_default()
    }

    /// Makes the certificate, if there is none and it can be made.
    ///
    /// # Errors
    /// What is missing.
    pub fn certify(
        &mut self,
        subject: Subject,
        baseline: &Baseline,
        at: u64,
    ) -> Result<(), Vec<Missing>> {
        if self.certified.is_none() {
            let certificate = certify(subject, cadence(baseline), &self.blocks(baseline))?;
            self.certified = Some(Certified { at, certificate });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
