//! Who judges which sandbox: the judges of baselines that are known well enough, each while a run of its plugin lives.

use std::{collections::BTreeMap, sync::Arc};

use picket_engine::{
    Mode, SandboxId,
    baseline::{Anomaly, Family, Observed, RunId},
};

use super::{
    Progress, Pupil,
    judge::{Judge, Opened},
};
use crate::baseline::{Identity, Store, StoreError};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Bench {
    judges: BTreeMap<Identity, Judge>,
    seats: BTreeMap<SandboxId, Seat>,
    /// In which mode each sandbox is.
    modes: BTreeMap<SandboxId, Mode>,
    changed: bool,
}

/// What becomes of a sandbox's run.
#[derive(Debug)]
enum Seat {
    /// Nothing: its start was not seen, or not enough is known.
    Passed,
    Judged(Arc<Pupil>),
}

/// What a run has done since it was last asked.
pub(super) struct Deeds<'a> {
    pub(super) run: &'a picket_engine::baseline::Run,
    /// In seconds since 1970.
    pub(super) began: u64,
    /// Whether its start was seen.
    pub(super) started: bool,
    pub(super) deeds: &'a [(Family, String)],
}

impl Bench {
    /// The mode of a sandbox's rule.
    pub(super) fn set_mode(&mut self, sandbox: SandboxId, mode: Mode) {
        self.modes.insert(sandbox, mode);
    }

    /// Whether deeds of this sandbox may matter: it is judged, or that is not decided.
    pub(super) fn hears(&self, sandbox: SandboxId) -> bool {
        !matches!(self.seats.get(&sandbox), Some(Seat::Passed))
    }

    /// Whether it is decided what becomes of the run in a sandbox.
    pub(super) fn is_decided(&self, sandbox: SandboxId) -> bool {
        self.seats.contains_key(&sandbox)
    }

    /// What a run has shown, and what follows. Whose it is, and whether enough is `known` of that one, matters until it is
    /// decided what becomes of it.
    pub(super) fn hear(
        &mut self,
        store: Option<&Store>,
        sandbox: SandboxId,
        pupil: Option<&Arc<Pupil>>,
        known: bool,
        shown: &Deeds<'_>,
    ) -> Result<(Vec<Anomaly>, Option<String>), StoreError> {
        let mut news = None;
        let mut anomalies = Vec::new();
        if !self.is_decided(sandbox) {
            let judged = pupil.filter(|pupil| known && shown.started && !pupil.continuous);
            let (Some(pupil), Some(store)) = (judged, store) else {
                self.seats.insert(sandbox, Seat::Passed);
                return Ok((anomalies, None));
            };
            news = self.call(store, pupil)?;
            self.seats.insert(sandbox, Seat::Judged(Arc::clone(pupil)));
            self.changed = true;
        }
        let Some(Seat::Judged(pupil)) = self.seats.get(&sandbox) else {
            return Ok((anomalies, news));
        };
        if let Some(judge) = self.judges.get_mut(&pupil.identity) {
            if !judge.has(sandbox) {
                anomalies.extend(judge.begin(sandbox, shown.began));
            }
            let mode = self.modes.get(&sandbox).copied().unwrap_or(Mode::Observe);
            anomalies.extend(judge.hear(sandbox, mode, shown.deeds, shown.run));
        }
        Ok((anomalies, news))
    }

    /// Makes the judge of a baseline, if there is none, or none that nobody needs and that may know less than the store.
    fn call(&mut self, store: &Store, pupil: &Pupil) -> Result<Option<String>, StoreError> {
        let present = self.judges.get(&pupil.identity);
        if present.is_some_and(|judge| !judge.is_idle() && judge.is_for(pupil.budgets)) {
            return Ok(None);
        }
        let Opened { judge, news } = Judge::open(store, pupil)?;
        self.judges.insert(pupil.identity.clone(), judge);
        Ok(news)
    }

    /// The sandboxes whose runs are judged.
    pub(super) fn judged(&self) -> Vec<SandboxId> {
        let judged = self.seats.iter().filter(|(_, seat)| matches!(seat, Seat::Judged(_)));
        judged.map(|(sandbox, _)| *sandbox).collect()
    }

    /// A run is over; answers what there is to say. Whoever is in the sandbox next is decided on anew.
    pub(super) fn end(
        &mut self,
        store: Option<&mut Store>,
        id: RunId,
        observed: &Observed,
        now: u64,
    ) -> Result<Option<String>, StoreError> {
        let Some(Seat::Judged(pupil)) = self.seats.remove(&observed.sandbox) else {
            return Ok(None);
        };
        let (Some(judge), Some(store)) = (self.judges.get_mut(&pupil.identity), store) else {
            return Ok(None);
        };
        self.changed = true;
        judge.end(store, &pupil, observed.sandbox, (id, &observed.run), now)
    }

    /// Puts all evidence into the store.
    pub(super) fn keep(&mut self, store: &mut Store) -> Result<(), StoreError> {
        for pupil in self.pupils() {
            if let Some(judge) = self.judges.get_mut(&pupil.identity) {
                judge.keep(store, &pupil)?;
            }
        }
        Ok(())
    }

    /// Hears what was ruled on those that may not act until then, and if asked to on everybody: a ruling may be changed.
    /// Answers whether anything was.
    pub(super) fn hear_rulings(
        &mut self,
        store: &Store,
        everybody: bool,
    ) -> Result<bool, StoreError> {
        let mut heard = false;
        for pupil in self.pupils() {
            if let Some(judge) = self.judges.get_mut(&pupil.identity)
                && (everybody || judge.is_suspended())
            {
                heard |= judge.hear_rulings(store, &pupil)?;
            }
        }
        self.changed |= heard;
        Ok(heard)
    }

    /// Forgets sandboxes that are gone.
    pub(super) fn forget(&mut self, gone: impl Fn(SandboxId) -> bool) {
        self.seats.retain(|sandbox, _| !gone(*sandbox));
        self.modes.retain(|sandbox, _| !gone(*sandbox));
    }

    /// Fills in how far the judges are, if that has changed since it was last asked.
    pub(super) fn show(&mut self, progress: &mut BTreeMap<Identity, Progress>) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        for (identity, judge) in &self.judges {
            if let Some(progress) = progress.get_mut(identity) {
                progress.stage = judge.stage();
                progress.evidence = judge.evidence();
            }
        }
    }

    /// What was shown has changed.
    pub(super) fn note(&mut self) {
        self.changed = true;
    }

    /// Those of whom a run lives.
    fn pupils(&self) -> Vec<Arc<Pupil>> {
        let mut pupils: BTreeMap<&Identity, &Arc<Pupil>> = BTreeMap::new();
        for seat in self.seats.values() {
            if let Seat::Judged(pupil) = seat {
                pupils.insert(&pupil.identity, pupil);
            }
        }
        pupils.into_values().map(Arc::clone).collect()
    }
}
