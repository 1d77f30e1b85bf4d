//! Evidence over blocks: when has it become too much to be an accident?
//!
//! For a block b, a lane and a share Λ: `E_b = 1 − Λ + (Λ ÷ K) · Σ_k 1{S_b > t_k} ÷ q_k(z_b)`, whose
//! expectation is at most 1 while the plugin behaves as when it was calibrated; and `R_b = (R_{b−1} + w_b) · E_b`
//! with `w_b` the plugin-time since the block before began. `R` minus the time that went by is expected not to
//! grow, so whoever acts and starts over when `R` reaches `D` acts, on average, at most once in the time `D`. Each
//! lane and the average of the lanes keep one `R` for each Λ; the mean of all is compared with `D`. The mean is
//! taken of `R`, not of `E`: averaging Λ inside `E` would be one Λ more and nothing else.
//!
//! Scores only grow within a block, and `E` with them: what has crossed before the block ends would also have
//! crossed at its end. So nothing waits for the end.

mod stored;
mod wealth;

use alloc::vec::Vec;

use super::block::{Block, Lane, Surprise};
use super::track::Track;
use super::{Budget, Certificate, PluginTime, Rung, Severity};
use crate::Mode;
use wealth::{Growth, Wealth};

closed_enum! {
    /// Whether learned evidence may act.
    pub enum Standing {
        /// It may.
        Active = "active",
        /// It contained, so the plugin no longer behaves by itself: what it does now is no evidence.
        Suspended = "suspended",
        /// A containment was released as benign: until another certificate, it only alerts.
        Disabled = "disabled",
    }
}

closed_enum! {
    /// What a person, or a policy, found a containment to be.
    pub enum Ruling {
        /// Nothing was wrong.
        Benign = "benign",
        /// It was right; the plugin goes on from a known state.
        Deserved = "deserved",
    }
}

/// What the evidence asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// The severest of the rungs that were reached.
    pub severity: Severity,
    /// The lane that holds most of the evidence.
    pub lane: Lane,
    /// How much there is, in plugin-time.
    pub evidence: PluginTime,
    /// The budget that it has reached.
    pub budget: Budget,
    rungs: u8,
}

impl Act {
    /// Whether the rung at this place of the list was reached by this block.
    pub const fn reached(&self, rung: usize) -> bool {
        rung < Detector::MOST_RUNGS && self.rungs >> rung & 1 == 1
    }
}

/// The evidence of one baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detector {
    certificate: Certificate,
    mode: Mode,
    standing: Standing,
    track: Track,
    ladder: Vec<Step>,
}

/// A rung with evidence of its own, so that the bound holds for each of them whatever the others do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    rung: Rung,
    /// Before the open block.
    wealth: Wealth,
    /// In the open block.
    reached: bool,
}

impl Detector {
    /// Rungs beyond are not looked at.
    pub const MOST_RUNGS: usize = 8;

    /// Begins without evidence. `mode` says whether the plugin is really contained (`enforce`) or goes on as
    /// it was (`observe`, `shadow`), which decides what its behaviour is evidence of afterwards.
    pub fn new(certificate: Certificate, rungs: &[Rung], mode: Mode) -> Self {
        let step = |rung: &Rung| Step { rung: *rung, wealth: Wealth::NONE, reached: false };
        let ladder = rungs.iter().take(Self::MOST_RUNGS).map(step).collect();
        let track = Track::new(certificate.scale());
        Self { certificate, mode, standing: Standing::Active, track, ladder }
    }

    /// The bounds it works with.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Bytes of memory, certificate and heap included. It does not grow with what is observed.
    pub fn memory(&self) -> usize {
        let own = size_of::<Self>() - size_of::<Certificate>();
        own + size_of_val(self.ladder.as_slice()) + self.certificate.memory()
    }

    /// Whether what it asks for is done from now on: the mode of the plugin's rule may change while it runs.
    pub const fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Whether it may act.
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// A block of the shortest scale begins, and the one before ends; the scores of `block` count at once.
    ///
    /// Blocks that are known beforehand not to be scored (Picket was not running, the plugin is suspended)
    /// are not told: they leave the evidence as it is, and their time does not count.
    pub fn observe(&mut self, block: &Block) -> Option<Act> {
        if self.standing == Standing::Suspended {
            return None;
        }
        if self.track.is_full() {
            self.close();
        }
        let opened = self.track.begin(block);
        let raised = self.track.raise_all(&block.scores);
        if opened || raised { self.decide() } else { None }
    }

    /// A lane's score of the open block has grown.
    pub fn raise(&mut self, lane: Lane, score: Surprise) -> Option<Act> {
        if self.standing == Standing::Suspended || !self.track.raise(lane, score) {
            return None;
        }
        self.decide()
    }

    /// A containment is over. A benign one costs the certificate its right to contain: at most one released
    /// containment for each certification, however the plugin has drifted.
    pub fn rule(&mut self, ruling: Ruling) {
        self.standing = match (ruling, self.standing) {
            (Ruling::Deserved, Standing::Suspended) => Standing::Active,
            (Ruling::Deserved, standing) => standing,
            (Ruling::Benign, _) => Standing::Disabled,
        };
    }

    /// Mean evidence of a rung before the open block, in milliseconds of plugin-time: acted on when it
    /// reaches the budget's.
    pub fn evidence_millis(&self, rung: usize) -> Option<u64> {
        self.ladder.get(rung).map(|step| step.wealth.mean_millis(step.rung.severity))
    }

    /// As [`Detector::evidence_millis`], with what the open block has shown so far.
    pub fn evidence_now_millis(&self, rung: usize) -> Option<u64> {
        let growth = Growth::of(&self.certificate, &self.track);
        let now = |step: &Step| step.wealth.grown(self.track.weight(), &growth);
        self.ladder.get(rung).map(|step| now(step).mean_millis(step.rung.severity))
    }

    fn decide(&mut self) -> Option<Act> {
        let growth = Growth::of(&self.certificate, &self.track);
        let weight = self.track.weight();
        let may_contain = self.standing == Standing::Active;
        let mut act: Option<Act> = None;
        for (place, step) in self.ladder.iter_mut().enumerate() {
            let severity = step.rung.severity;
            if step.reached || (severity == Severity::Contain && !may_contain) {
                continue;
            }
            // Evidence grows with time alone, too, which the bound allows for. Whoever does nothing unusual is not
            // accused for it: acting later than one may only makes false acts rarer.
            if !self.track.exceeds_any(severity.heard()) {
                continue;
            }
            let grown = step.wealth.grown(weight, &growth);
            if !grown.reaches(step.rung.budget, severity) {
                continue;
            }
            step.reached = true;
            let others = act.map_or(0, |act| act.rungs);
            let rungs = others | 1 << place;
            act = Some(match act {
                Some(severer) if severity <= severer.severity => Act { rungs, ..severer },
                _ => Act {
                    severity,
                    lane: grown.leading(severity),
                    evidence: PluginTime::from_millis(grown.mean_millis(severity)),
                    budget: step.rung.budget,
                    rungs,
                },
            });
        }
        if self.mode == Mode::Enforce && act.is_some_and(|act| act.severity == Severity::Contain) {
            self.suspend();
        }
        act
    }

    /// All evidence has served: what comes after a containment begins anew.
    fn suspend(&mut self) {
        self.standing = Standing::Suspended;
        for step in &mut self.ladder {
            step.wealth = Wealth::NONE;
            step.reached = false;
        }
        self.track.close();
    }

    fn close(&mut self) {
        let growth = Growth::of(&self.certificate, &self.track);
        for step in &mut self.ladder {
            let reached = core::mem::take(&mut step.reached);
            let weight = self.track.weight();
            step.wealth = if reached { Wealth::NONE } else { step.wealth.grown(weight, &growth) };
        }
        self.track.close();
    }
}
