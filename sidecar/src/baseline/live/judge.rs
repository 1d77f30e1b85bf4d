//! One frozen baseline at work on the runs of its plugin: they calibrate it, or they are evidence.
//!
//! A judge is made when a run of its plugin begins and no other one lives, from what the store holds at that moment, and
//! is kept in the store again whenever a run ends: what was accepted, ruled or certified meanwhile holds from then on.

use std::collections::BTreeMap;

use picket_engine::{
    Mode, SandboxId,
    baseline::{Anomaly, Counts, Family, Key, Mark, Ongoing, Run, RunId, Votes},
    learned::{Act, Certificate, Detector, PluginTime, Rung, Scores, Standing},
};

use super::{Evidence, Pupil, Stage};
use crate::baseline::{
    Budgets, Calibration, Certified, Entry, Frozen, Store, StoreError, store::KeptEvidence,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Judge {
    budgets: Budgets,
    counts: Counts,
    frozen: Frozen,
    work: Work,
    runs: BTreeMap<SandboxId, Heard>,
}

/// A run that lives.
#[derive(Debug)]
struct Heard {
    votes: Votes,
    /// It began after the certificate was made.
    counts: bool,
}

/// What the runs are for.
#[derive(Debug)]
enum Work {
    /// For nothing: the certificate is stale, or there is no budget.
    Idle(Stage),
    Calibrating,
    Evidence {
        ongoing: Box<Ongoing>,
        /// When the certificate was made: a run that began before is no evidence.
        since: u64,
        /// The last ruling that was heard.
        ruled: i64,
    },
}

/// What a look into the store has brought.
pub(super) struct Opened {
    pub(super) judge: Judge,
    /// What there is to say about it.
    pub(super) news: Option<String>,
}

impl Judge {
    /// By what the store holds of the pupil's baseline, which is known well enough.
    pub(super) fn open(store: &Store, pupil: &Pupil) -> Result<Opened, StoreError> {
        let Entry { identity, baseline } = store.find(&pupil.identity.key())?;
        let counts = Counts::of(&baseline, store.key()?);
        let mut news = None;
        let calibration = match store.calibration(&identity) {
            // Damage there is no damage to what was learned.
            Err(error @ StoreError::Calibration { .. }) => {
                news = Some(format!(
                    "{}: nothing is judged by what was learned: {error}",
                    pupil.identity.plugin
                ));
                Err(Stage::Stale)
            }
            found => Ok(found?),
        };
        let work = match &calibration {
            Err(stage) => Work::Idle(*stage),
            Ok(Some(known)) if known.is_stale(&baseline) => Work::Idle(Stage::Stale),
            Ok(None | Some(Calibration { certified: None, .. })) => Work::Calibrating,
            Ok(Some(Calibration { certified: Some(_), .. }))
                if pupil.budgets.rungs().is_empty() =>
            {
                Work::Idle(Stage::Certified)
            }
            Ok(Some(known @ Calibration { certified: Some(certified), .. })) => {
                let (work, said) = evidence(store, pupil, certified, known.last())?;
                news = said;
                work
            }
        };
        let frozen = Frozen::of(&baseline);
        let budgets = pupil.budgets;
        let judge = Self { budgets, counts, frozen, work, runs: BTreeMap::new() };
        Ok(Opened { judge, news })
    }

    /// By a certificate, with no evidence yet, as it was when its calibration was complete.
    pub(super) fn from_nothing(
        entry: &Entry,
        key: Key,
        (certificate, calibrated_until): (Certificate, Option<u64>),
        budgets: Budgets,
    ) -> Self {
        let detector = Detector::new(certificate, &budgets.rungs(), Mode::Observe);
        let ongoing = Box::new(Ongoing::new(detector, calibrated_until));
        Self {
            budgets,
            counts: Counts::of(&entry.baseline, key),
            frozen: Frozen::of(&entry.baseline),
            // What began before was learned, or calibrated it.
            work: Work::Evidence { ongoing, since: calibrated_until.unwrap_or_default(), ruled: 0 },
            runs: BTreeMap::new(),
        }
    }

    /// Whether it was made for these budgets.
    pub(super) fn is_for(&self, budgets: Budgets) -> bool {
        self.budgets == budgets
    }

    /// Whether no run of its lives.
    pub(super) fn is_idle(&self) -> bool {
        self.runs.is_empty()
    }

    pub(super) fn stage(&self) -> Stage {
        match &self.work {
            Work::Idle(stage) => *stage,
            Work::Calibrating => Stage::Calibrating,
            Work::Evidence { .. } => Stage::Certified,
        }
    }

    /// A run begins, in seconds since 1970.
    pub(super) fn begin(&mut self, sandbox: SandboxId, began: u64) -> Option<Anomaly> {
        let counts = match &self.work {
            Work::Evidence { since, .. } => *since <= began,
            Work::Idle(_) | Work::Calibrating => true,
        };
        self.runs.insert(sandbox, Heard { votes: Votes::default(), counts });
        let Work::Evidence { ongoing, .. } = &mut self.work else { return None };
        let act = if counts { ongoing.begin(sandbox, began)? } else { return None };
        self.anomaly(act, sandbox)
    }

    pub(super) fn has(&self, sandbox: SandboxId) -> bool {
        self.runs.contains_key(&sandbox)
    }

    /// A run shows these deeds, and so far this.
    pub(super) fn hear(
        &mut self,
        sandbox: SandboxId,
        mode: Mode,
        deeds: &[(Family, String)],
        run: &Run,
    ) -> Option<Anomaly> {
        let Heard { votes, counts } = self.runs.get_mut(&sandbox)?;
        for (family, template) in deeds {
            votes.hear(&self.counts, *family, template);
        }
        let scores = votes.scores(run);
        let Work::Evidence { ongoing, .. } = &mut self.work else { return None };
        if !*counts {
            return None;
        }
        ongoing.detector_mut().set_mode(mode);
        let act = ongoing.score(&scores)?;
        self.anomaly(act, sandbox)
    }

    /// What an act of the detector says.
    fn anomaly(&self, act: Act, sandbox: SandboxId) -> Option<Anomaly> {
        let Work::Evidence { ongoing, .. } = &self.work else { return None };
        let certificate = ongoing.detector().certificate();
        let why = self.runs.get(&sandbox).and_then(|heard| heard.votes.why(act.lane));
        let items = why.map(|why| why.items.into_iter().cloned().collect()).unwrap_or_default();
        Some(Anomaly {
            severity: act.severity,
            lane: act.lane,
            evidence: act.evidence,
            budget: act.budget,
            calibrated: certificate.calibrated(),
            certificate: certificate.fingerprint(),
            baseline: self.frozen.digest(),
            items,
        })
    }

    /// A run is over. Answers what became of the calibration, if that was made or completed by it.
    pub(super) fn end(
        &mut self,
        store: &mut Store,
        pupil: &Pupil,
        sandbox: SandboxId,
        (id, run): (RunId, &Run),
        now: u64,
    ) -> Result<Option<String>, StoreError> {
        let Some(Heard { votes, .. }) = self.runs.remove(&sandbox) else { return Ok(None) };
        match &mut self.work {
            Work::Idle(_) => Ok(None),
            Work::Calibrating => {
                let scores = votes.scores(run);
                let certified = self.calibrate(store, pupil, (id, run, scores), now)?;
                Ok(certified.map(|certificate| {
                    format!(
                        "{}: its baseline {} has a certificate over {} plugin-days; what comes now is evidence",
                        pupil.identity.plugin,
                        pupil.identity.short(),
                        certificate.calibrated().whole_days()
                    )
                }))
            }
            Work::Evidence { ongoing, .. } => {
                ongoing.end(sandbox, run.ended());
                self.keep(store, pupil)?;
                Ok(None)
            }
        }
    }

    /// A run is over that nothing is kept of.
    pub(super) fn over(&mut self, sandbox: SandboxId, ended: u64) {
        self.runs.remove(&sandbox);
        if let Work::Evidence { ongoing, .. } = &mut self.work {
            ongoing.end(sandbox, ended);
        }
    }

    /// How much evidence there is for the first rung, the open block included.
    pub(super) fn evidence_now(&self) -> PluginTime {
        let Work::Evidence { ongoing, .. } = &self.work else { return PluginTime::default() };
        PluginTime::from_millis(ongoing.detector().evidence_now_millis(0).unwrap_or_default())
    }

    /// Answers the certificate if this run completed it.
    fn calibrate(
        &self,
        store: &mut Store,
        pupil: &Pupil,
        (id, run, scores): (RunId, &Run, Scores),
        now: u64,
    ) -> Result<Option<Certificate>, StoreError> {
        let subject = pupil.identity.subject();
        store.calibrate(&pupil.identity, false, |baseline, known| {
            // Whoever taught it something meanwhile has made the scores useless.
            if Frozen::of(baseline) != self.frozen {
                return None;
            }
            let mut calibration = known.take().unwrap_or_else(|| Calibration::new(baseline));
            let had = calibration.certified().is_some();
            if calibration.is_stale(baseline) {
                *known = Some(calibration);
                return None;
            }
            calibration.take(baseline, id, run, Mark::of(run, scores));
            // What is missing is said by `picket baseline status`.
            let made = !had && calibration.certify(subject, baseline, now).is_ok();
            let certificate = calibration.certified().map(|it| it.certificate.clone());
            *known = Some(calibration);
            certificate.filter(|_| made)
        })
    }

    /// Puts the evidence into the store, so that it survives whatever happens.
    pub(super) fn keep(&self, store: &mut Store, pupil: &Pupil) -> Result<(), StoreError> {
        let Work::Evidence { ongoing, ruled, .. } = &self.work else { return Ok(()) };
        let detector = ongoing.detector();
        let kept = KeptEvidence {
            detector: detector.to_bytes(),
            standing: detector.standing(),
            before: ongoing.before(),
            ruled: *ruled,
        };
        store.keep_evidence(&pupil.identity, &kept)
    }

    /// Whether it may not act until a person has ruled.
    pub(super) fn is_suspended(&self) -> bool {
        matches!(&self.work, Work::Evidence { ongoing, .. }
            if ongoing.detector().standing() == Standing::Suspended)
    }

    /// Hears what was ruled since.
    pub(super) fn hear_rulings(
        &mut self,
        store: &Store,
        pupil: &Pupil,
    ) -> Result<bool, StoreError> {
        let Work::Evidence { ongoing, ruled, .. } = &mut self.work else { return Ok(false) };
        let rulings = store.rulings(&pupil.identity, *ruled)?;
        for ruling in &rulings {
            ongoing.rule(ruling.ruling);
            *ruled = ruling.number;
        }
        Ok(!rulings.is_empty())
    }

    /// How much evidence there is.
    pub(super) fn evidence(&self) -> Option<Evidence> {
        let ongoing = match &self.work {
            Work::Evidence { ongoing, .. } => ongoing,
            Work::Idle(Stage::Certified) => return Some(Evidence::WITHOUT_BUDGET),
            Work::Idle(_) | Work::Calibrating => return None,
        };
        let detector = ongoing.detector();
        let of = |(place, rung): (usize, &Rung)| {
            (*rung, PluginTime::from_millis(detector.evidence_millis(place).unwrap_or_default()))
        };
        let rungs = self.budgets.rungs();
        Some(Evidence {
            standing: detector.standing(),
            rungs: rungs.iter().enumerate().map(of).collect(),
            calibrated: detector.certificate().calibrated(),
        })
    }
}

/// The evidence that was kept, or else none yet.
fn evidence(
    store: &Store,
    pupil: &Pupil,
    certified: &Certified,
    calibrated_until: Option<u64>,
) -> Result<(Work, Option<String>), StoreError> {
    let rungs = pupil.budgets.rungs();
    let certificate = || certified.certificate.clone();
    // The mode is told before each score.
    let mode = Mode::Observe;
    let kept = store.evidence(&pupil.identity)?;
    let found = kept.map(|kept| {
        let detector = Detector::from_bytes(&kept.detector, certificate(), &rungs, mode);
        (kept, detector)
    });
    let (detector, before, ruled, news) = match found {
        Some((kept, Ok(detector))) => (detector, kept.before, kept.ruled, None),
        found => {
            let heard = store.rulings(&pupil.identity, 0)?.last().map_or(0, |last| last.number);
            let news = found.map(|(_, error)| {
                let why = error.err().map(|error| error.to_string()).unwrap_or_default();
                format!("{}: its evidence begins anew: what was kept {why}", pupil.identity.plugin)
            });
            (Detector::new(certificate(), &rungs, mode), calibrated_until, heard, news)
        }
    };
    let mut ongoing = Box::new(Ongoing::new(detector, before));
    let mut ruled = ruled;
    for ruling in store.rulings(&pupil.identity, ruled)? {
        ongoing.rule(ruling.ruling);
        ruled = ruling.number;
    }
    Ok((Work::Evidence { ongoing, since: certified.at, ruled }, news))
}
