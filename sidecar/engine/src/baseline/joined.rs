//! The baseline: runs joined by their identity, and what was accepted besides.

use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;

use super::{Acceptance, Family, MOST_ACCEPTED, Run, RunId};
use crate::learned::Subject;

/// What one build of a plugin does in one deployment.
///
/// A set of runs, not a sum of counts: sums cannot be joined twice without counting twice. What two stores know of one
/// plugin is joined in any order, any number of times, with the same result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    subject: Subject,
    runs: BTreeMap<RunId, Run>,
    sampled: bool,
    accepted: BTreeSet<Acceptance>,
}

/// Two baselines that are not of the same plugin, build, manifest and deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherSubject;

impl fmt::Display for OtherSubject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "not of the same plugin, build, manifest and deployment")
    }
}

impl core::error::Error for OtherSubject {}

/// What is known of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyState {
    /// Which.
    pub family: Family,
    /// Different deeds. None of a family that is full.
    pub kinds: usize,
    /// How often they arrived, all runs together.
    pub seen: u64,
    /// Too many kinds: forgotten, without a vote.
    pub full: bool,
}

impl Baseline {
    /// As many runs as are kept. Of more a fair sample is: those with the smallest identities, which are digests.
    pub const MOST_RUNS: usize = 2048;

    /// Nothing learned yet.
    pub const fn new(subject: Subject) -> Self {
        Self { subject, runs: BTreeMap::new(), sampled: false, accepted: BTreeSet::new() }
    }

    /// Whose it is.
    pub const fn subject(&self) -> Subject {
        self.subject
    }

    /// Learns a run. One that is known already is joined with what is known of it, which changes nothing when it is
    /// the same.
    pub fn learn(&mut self, id: RunId, run: &Run) {
        match self.runs.get_mut(&id) {
            Some(known) => known.join(run),
            None => drop(self.runs.insert(id, run.clone())),
        }
        self.settle();
    }

    /// Takes something for harmless. What is more than [`MOST_ACCEPTED`] is not kept, the latest first.
    pub fn accept(&mut self, acceptance: Acceptance) {
        self.accepted.insert(acceptance);
        self.settle();
    }

    /// There were more runs than are kept.
    pub fn set_sampled(&mut self) {
        self.sampled = true;
    }

    /// Takes over what another one knows.
    ///
    /// # Errors
    /// The other one is not of the same subject; nothing was changed.
    pub fn join(&mut self, other: &Self) -> Result<(), OtherSubject> {
        if self.subject != other.subject {
            return Err(OtherSubject);
        }
        for (id, run) in &other.runs {
            self.learn(*id, run);
        }
        self.sampled |= other.sampled;
        self.accepted.extend(other.accepted.iter().cloned());
        self.settle();
        Ok(())
    }

    /// What it would be if it had not learned these runs.
    #[must_use]
    pub fn without(&self, left_out: &BTreeSet<RunId>) -> Self {
        let mut other = self.clone();
        other.runs.retain(|id, _| !left_out.contains(id));
        other
    }

    /// All runs by identity, also those that teach nothing.
    pub fn runs(&self) -> impl Iterator<Item = (RunId, &Run)> {
        self.runs.iter().map(|(id, run)| (*id, run))
    }

    /// The run of this identity.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// Runs that may be learned from.
    pub fn usable(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().filter(|run| run.is_usable())
    }

    /// Whether there were more runs than are kept.
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// What was accepted, oldest first.
    pub fn accepted(&self) -> impl Iterator<Item = &Acceptance> {
        self.accepted.iter()
    }

    /// Deeds of a family: how often each arrived, and in how many runs. Empty when it is full.
    pub fn kinds(&self, family: Family) -> BTreeMap<&str, (u64, u64)> {
        let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        if self.usable().any(|run| run.full().contains(&family)) {
            return kinds;
        }
        for run in self.usable() {
            for (template, times) in run.of(family) {
                let known = kinds.entry(template).or_default();
                *known = (known.0.saturating_add(times.into()), known.1 + 1);
            }
        }
        if family.limit() < kinds.len() {
            kinds.clear();
        }
        kinds
    }

    /// Whether a family has too many kinds, in one run or in all together.
    pub fn is_full(&self, family: Family) -> bool {
        self.usable().any(|run| run.full().contains(&family))
            || (self.kinds(family).is_empty()
                && self.usable().any(|run| run.of(family).next().is_some()))
    }

    /// Every family, in order.
    pub fn families(&self) -> impl Iterator<Item = FamilyState> + '_ {
        Family::ALL.iter().map(|family| {
            let kinds = self.kinds(*family);
            let seen = kinds.values().fold(0_u64, |sum, (seen, _)| sum.saturating_add(*seen));
            let full = self.is_full(*family);
            FamilyState { family: *family, kinds: kinds.len(), seen, full }
        })
    }

    /// Keeps the bounds, by an order that does not depend on who came first.
    fn settle(&mut self) {
        while Self::MOST_RUNS < self.runs.len() {
            self.runs.pop_last();
            self.sampled = true;
        }
        while MOST_ACCEPTED < self.accepted.len() {
            self.accepted.pop_last();
        }
    }
}
