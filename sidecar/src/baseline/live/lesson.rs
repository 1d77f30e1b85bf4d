//! One run that is over, and what becomes of it in the store.

use std::{collections::BTreeSet, sync::Arc};

use picket_engine::{
    SandboxId,
    baseline::{Baseline, Check, Observed, Run, RunId, cadence, gate},
    learned::Cadence,
};
use sha2::{Digest as _, Sha256};

use super::{Progress, Pupil, Stage};
use crate::{
    baseline::{Identity, Store, StoreError},
    export::LearnOutcome,
};

/// A run that is over.
#[derive(Debug)]
pub(super) struct Lesson {
    pub(super) pupil: Arc<Pupil>,
    pub(super) id: RunId,
    pub(super) run: Run,
}

impl Lesson {
    /// `boot` is the kernel's number of this boot.
    pub(super) fn new(pupil: Arc<Pupil>, boot: &str, observed: Observed) -> Self {
        let Observed { sandbox, at, run } = observed;
        Self { pupil, id: run_id(boot, sandbox, at.as_nanos()), run }
    }

    /// Learns it, unless enough is known; answers what became of it and what is known now.
    pub(super) fn learn(&self, store: &mut Store) -> Result<(LearnOutcome, Progress), StoreError> {
        let Pupil { identity, continuous, .. } = &*self.pupil;
        let mut was_ready = false;
        let (_, now) = store.change(identity, |baseline| {
            was_ready = checks(baseline, *continuous).iter().all(Check::is_met);
            if !was_ready {
                baseline.learn(self.id, &self.run);
            }
        })?;
        let outcome = match now.run(self.id) {
            _ if was_ready => LearnOutcome::Ready,
            None => LearnOutcome::NoRoom,
            Some(run) if run.is_usable() => LearnOutcome::Learned,
            Some(_) => LearnOutcome::Unusable,
        };
        Ok((outcome, progress(store, identity, &now, *continuous)?))
    }
}

/// What is known of a pupil before a run of it is over.
pub(super) fn known(store: &Store, pupil: &Pupil) -> Result<Progress, StoreError> {
    match store.find(&pupil.identity.key()) {
        Ok(entry) => progress(store, &pupil.identity, &entry.baseline, pupil.continuous),
        Err(StoreError::NoSuch { .. }) => {
            let nothing = Baseline::new(pupil.identity.subject());
            progress(store, &pupil.identity, &nothing, pupil.continuous)
        }
        Err(error) => Err(error),
    }
}

fn checks(baseline: &Baseline, continuous: bool) -> Vec<Check> {
    let cadence = if continuous { Cadence::Continuous } else { cadence(baseline) };
    gate(baseline, cadence)
}

fn progress(
    store: &Store,
    identity: &Identity,
    baseline: &Baseline,
    continuous: bool,
) -> Result<Progress, StoreError> {
    let checks = checks(baseline, continuous);
    let missing = checks.iter().filter(|check| !check.is_met()).map(|check| check.condition);
    let (usable, unusable): (Vec<_>, Vec<_>) =
        baseline.runs().partition(|(_, run)| run.is_usable());
    let count = |runs: Vec<_>| u64::try_from(runs.len()).unwrap_or(u64::MAX);
    let missing: BTreeSet<_> = missing.collect();
    let stage = match store.calibration(identity) {
        // Damage there is no damage to what was learned.
        Err(StoreError::Calibration { .. }) => Stage::Stale,
        Err(error) => return Err(error),
        Ok(Some(known)) if known.is_stale(baseline) => Stage::Stale,
        Ok(Some(known)) if known.certified().is_some() => Stage::Certified,
        _ if missing.is_empty() => Stage::Calibrating,
        _ => Stage::Learning,
    };
    Ok(Progress {
        identity: identity.clone(),
        usable: count(usable),
        unusable: count(unusable),
        missing,
        stage,
        evidence: None,
    })
}

/// Unique on every machine: a sandbox has its slot and generation once while one Picket runs, and no two of them begin a
/// run in the same slot in the same nanosecond of one boot.
pub(super) fn run_id(boot: &str, sandbox: SandboxId, began: u64) -> RunId {
    let mut hasher = Sha256::new();
    hasher.update(b"picket live run 1");
    hasher.update(boot);
    hasher.update(sandbox.slot.to_le_bytes());
    hasher.update(sandbox.generation.to_le_bytes());
    hasher.update(began.to_le_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let mut id = RunId([0; 16]);
    id.0.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
    id
}
