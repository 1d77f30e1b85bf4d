//! Runs of one baseline as evidence while they go on: the live twin of [`blocks`](super::blocks).
//!
//! A block begins with a run that no other one overlaps, and is open while any of its runs lives. What a run shows counts
//! at once: scores only grow within a block.

use alloc::collections::BTreeSet;

use super::blocks::{elapsed, hour};
use crate::SandboxId;
use crate::learned::{Act, Block, Detector, Lane, Ruling, Scores};

/// A detector, and the runs that it is told of.
#[derive(Clone, Debug)]
pub struct Ongoing {
    detector: Detector,
    before: Option<u64>,
    busy_until: u64,
    living: BTreeSet<SandboxId>,
    /// The detector knows of the open block.
    told: bool,
}

impl Ongoing {
    /// Goes on where `before`, in seconds since 1970, the block before began.
    pub const fn new(detector: Detector, before: Option<u64>) -> Self {
        let living = BTreeSet::new();
        Self { detector, before, busy_until: 0, living, told: false }
    }

    /// The evidence.
    pub const fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The evidence, to be told in which mode its plugin is.
    pub const fn detector_mut(&mut self) -> &mut Detector {
        &mut self.detector
    }

    /// When the open block began, or else the last one, in seconds since 1970.
    pub const fn before(&self) -> Option<u64> {
        self.before
    }

    /// A run began, in seconds since 1970. Joins the open block if there is one.
    pub fn begin(&mut self, sandbox: SandboxId, began: u64) -> Option<Act> {
        let joins = !self.living.is_empty() || began < self.busy_until;
        self.living.insert(sandbox);
        if joins {
            return None;
        }
        let elapsed = elapsed(self.before.replace(began), began);
        self.busy_until = began;
        self.told = self.detector.standing() != crate::learned::Standing::Suspended;
        // Every run begins with a start, so that starting tells nothing.
        let (hour, starting, scores) = (hour(began), false, Scores::default());
        self.detector.observe(&Block { elapsed, hour, starting, scores })
    }

    /// A run has these scores by now.
    pub fn score(&mut self, scores: &Scores) -> Option<Act> {
        if !self.told {
            return None;
        }
        // The severest: what one lane has reached the next does not ask for again.
        let acts = Lane::ALL.iter().filter_map(|lane| self.detector.raise(*lane, scores.of(*lane)));
        acts.max_by_key(|act| act.severity)
    }

    /// A run is over, in seconds since 1970.
    pub fn end(&mut self, sandbox: SandboxId, ended: u64) {
        self.living.remove(&sandbox);
        self.busy_until = self.busy_until.max(ended);
    }

    /// A containment was judged. What the open block still shows is no evidence: it is of the time before.
    pub fn rule(&mut self, ruling: Ruling) {
        self.detector.rule(ruling);
        self.told = false;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::Mode;
    use crate::baseline::{Mark, blocks};
    use crate::learned::{
        Budget, Cadence, Certificate, PluginTime, Rung, Severity, Standing, Subject, Surprise,
        certify,
    };

    const DAY: u64 = 86_400;
    const CALIBRATED: u64 = 40 * DAY;

    fn run(began: u64, lasted: u64, bits: u32) -> Mark {
        let scores = Scores::default().with(Lane::Novelty, Surprise::from_bits(bits));
        let lasted = PluginTime::from_millis(lasted * 1000);
        Mark { began, lasted, started: true, scores }
    }

    /// Forty days of eight quiet runs each.
    fn certificate() -> Certificate {
        let marks = (0..320).map(|number| run(number * DAY / 8, 60, 0));
        let blocks: Vec<Block> = blocks(marks, None).into_iter().map(|(_, block)| block).collect();
        certify(Subject([7; 32]), Cadence::Runs { per_day: 8 }, &blocks).unwrap()
    }

    fn detector(days: u64, mode: Mode) -> Detector {
        let budget = Budget::one_per_days(days).unwrap();
        let rung = Rung { severity: Severity::Contain, budget };
        Detector::new(certificate(), &[rung], mode)
    }

    fn id(slot: u32) -> SandboxId {
        SandboxId { slot, generation: 1 }
    }

    /// Some overlap, some touch, some follow at once, one after a month; some are surprising.
    fn later() -> Vec<Mark> {
        let mut runs = Vec::new();
        for number in 0..200 {
            let began = CALIBRATED + number * DAY / 8;
            runs.push(run(began, 600, if number % 7 == 0 { 9 } else { 0 }));
            if number % 3 == 0 {
                runs.push(run(began + 300, 900, if number % 2 == 0 { 5 } else { 0 }));
            }
            if number % 5 == 0 {
                runs.push(run(began + 1_300, 10, 2));
            }
        }
        runs.push(run(CALIBRATED + 60 * DAY, 10, 40));
        runs
    }

    #[test]
    fn live_runs_amount_to_what_they_amount_to_afterwards() {
        let mut after = detector(1_000, Mode::Shadow);
        for (_, block) in blocks(later(), Some(CALIBRATED)) {
            after.observe(&block);
        }
        let mut live = Ongoing::new(detector(1_000, Mode::Shadow), Some(CALIBRATED));
        // As they happen: (second, ends before others begin, run).
        let mut steps: Vec<(u64, u8, u32, Mark)> = Vec::new();
        for (slot, mark) in (0..).zip(later()) {
            let ends = mark.began + mark.lasted.as_millis() / 1000;
            steps.push((mark.began, 1, slot, mark));
            steps.push((ends, 0, slot, mark));
        }
        steps.sort_by_key(|(at, what, slot, _)| (*at, *what, *slot));
        for (at, what, slot, mark) in steps {
            if what == 0 {
                live.score(&mark.scores);
                live.end(id(slot), at);
            } else {
                live.begin(id(slot), at);
            }
        }
        assert_eq!(live.detector().evidence_now_millis(0), after.evidence_now_millis(0));
        assert_eq!(live.detector().to_bytes(), after.to_bytes());
    }

    #[test]
    fn what_a_run_shows_counts_before_it_is_over_and_a_freeze_suspends() {
        let mut live = Ongoing::new(detector(30, Mode::Enforce), Some(CALIBRATED));
        let scores = run(0, 0, 40).scores;
        let mut acted = None;
        for number in 1..100 {
            live.begin(id(1), CALIBRATED + number * DAY / 2);
            if let Some(act) = live.score(&scores) {
                acted = Some((number, act.severity, act.lane));
                break;
            }
            live.end(id(1), CALIBRATED + number * DAY / 2 + 60);
        }
        let (_, severity, lane) = acted.expect("a strong attack in every run is contained");
        assert_eq!((severity, lane), (Severity::Contain, Lane::Novelty));
        assert_eq!(live.detector().standing(), Standing::Suspended);
        assert_eq!(live.score(&scores), None);
        live.rule(Ruling::Deserved);
        assert_eq!(live.detector().standing(), Standing::Active);
        // The block in which it was ruled is over for the detector.
        assert_eq!(live.score(&run(0, 0, 60).scores), None);
        assert_eq!(live.detector().evidence_millis(0), Some(0));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_time() {
        let mut live = Ongoing::new(detector(30, Mode::Enforce), Some(CALIBRATED));
        live.begin(id(1), 5);
        live.end(id(1), 6);
        assert_eq!(live.before(), Some(5));
        assert_eq!(live.detector().evidence_now_millis(0), Some(0));
    }
}
