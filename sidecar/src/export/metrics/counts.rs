//! What is counted of one release of a plugin, and of one sandbox: plain integers, at fixed places.
//!
//! The watch loop adds to them without a lock and without a look at a label. Labels are put to them when somebody
//! asks, in [`super::render`].

use std::sync::{
    OnceLock,
    atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use picket_abi::hook;
use picket_engine::{Action, Capability, FactKind, FindingLabels, Mode, Outcome, Reason, Step};

/// What becomes of the firings of a hook, as `picket_abi::Counts` has it.
pub(super) const OUTCOMES: [&str; 6] =
    ["fired", "filtered", "aggregated", "submitted", "dropped", "error"];
/// What becomes of a record that was read.
pub(super) const FATES: [&str; 3] = ["consumed", "scored", "shed"];

const EVENTS: usize = FactKind::ALL.len();
const STEPS: usize = Step::ALL.len() * Outcome::ALL.len();
/// Every finding there can be, likely or not.
pub(super) const FINDINGS: usize = Capability::ALL.len() * Reason::ALL.len() * Action::ALL.len();

/// Series that a release has from its first sandbox on.
pub(super) const OF_RELEASE: usize = EVENTS + STEPS + 1 + 1 + Mode::ALL.len();
/// Series of a sandbox's hooks.
pub(super) const OF_HOOKS: usize = hook::NAMES.len() * (OUTCOMES.len() + FATES.len());

/// A count, and how much of it was in an answer.
#[derive(Debug, Default)]
pub(super) struct Count {
    counted: AtomicU64,
    shown: AtomicU64,
}

impl Count {
    fn add(&self, more: u64) -> u64 {
        self.counted.fetch_add(more, Relaxed)
    }

    /// What an answer says.
    pub(super) fn show(&self) -> u64 {
        let counted = self.counted.load(Relaxed);
        self.shown.store(counted, Relaxed);
        counted
    }

    /// What no answer has said.
    fn unseen(&self) -> u64 {
        self.counted.load(Relaxed).saturating_sub(self.shown.load(Relaxed))
    }
}

/// Of one release of a plugin, or of all that share.
#[derive(Debug, Default)]
pub(super) struct Release {
    pub(super) events: [Count; EVENTS],
    pub(super) incidents: Count,
    pub(super) steps: [Count; STEPS],
    pub(super) open: AtomicI64,
    pub(super) modes: [AtomicI64; Mode::ALL.len()],
    /// Most releases never have one.
    findings: OnceLock<Box<[Count]>>,
    /// Different findings that have series here.
    pub(super) n_findings: AtomicUsize,
}

impl Release {
    pub(super) fn event(&self, kind: FactKind) {
        if let Some(count) = self.events.get(kind as usize) {
            count.add(1);
        }
    }

    pub(super) fn incident(&self) {
        self.incidents.add(1);
    }

    pub(super) fn step(&self, step: Step, outcome: Outcome) {
        let place = step as usize * Outcome::ALL.len() + outcome as usize;
        if let Some(count) = self.steps.get(place) {
            count.add(1);
        }
    }

    /// Counts a finding if it has a series here already.
    pub(super) fn finding_again(&self, labels: FindingLabels) -> bool {
        let known = self.findings.get().and_then(|all| all.get(place(labels)));
        let Some(count) = known.filter(|count| 0 < count.counted.load(Relaxed)) else {
            return false;
        };
        count.add(1);
        true
    }

    /// Counts findings, which may be the first of their kind.
    pub(super) fn findings_more(&self, labels: FindingLabels, more: u64) {
        let all = self.findings.get_or_init(|| (0..FINDINGS).map(|_| Count::default()).collect());
        if all.get(place(labels)).is_some_and(|count| 0 < more && count.add(more) == 0) {
            self.n_findings.fetch_add(1, Relaxed);
        }
    }

    /// Every finding that was counted.
    pub(super) fn findings(&self) -> impl Iterator<Item = (FindingLabels, &Count)> {
        let counts = self.findings.get().into_iter().flatten();
        let labels = Capability::ALL.iter().flat_map(|&capability| {
            Reason::ALL.iter().flat_map(move |&reason| {
                Action::ALL.iter().map(move |&action| FindingLabels { capability, reason, action })
            })
        });
        labels.zip(counts).filter(|(_, count)| 0 < count.counted.load(Relaxed))
    }

    /// Whether anything was ever counted here.
    pub(super) fn is_used(&self) -> bool {
        let counts = self.events.iter().chain(&self.steps).chain([&self.incidents]);
        let mut counts = counts.map(|count| count.counted.load(Relaxed));
        counts.any(|count| 0 < count) || 0 < self.n_findings.load(Relaxed)
    }

    /// Hands over all that no answer has said, so that a sum over all series misses nothing.
    pub(super) fn move_unseen(&self, to: &Self) {
        let steps = self.steps.iter().zip(&to.steps);
        let counts = self.events.iter().zip(&to.events).chain(steps);
        for (own, to) in counts.chain([(&self.incidents, &to.incidents)]) {
            to.add(own.unseen());
        }
        for (labels, count) in self.findings() {
            to.findings_more(labels, count.unseen());
        }
    }
}

/// In the order of [`Release::findings`].
fn place(labels: FindingLabels) -> usize {
    let FindingLabels { capability, reason, action } = labels;
    let reasons = capability as usize * Reason::ALL.len() + reason as usize;
    reasons * Action::ALL.len() + action as usize
}

/// Numbers of one hook: its firings by outcome, its records by fate.
pub(super) type Line<T> = ([T; OUTCOMES.len()], [T; FATES.len()]);

/// Of one sandbox, or of all that share.
#[derive(Debug, Default)]
pub(super) struct Hooks([Line<AtomicU64>; hook::NAMES.len()]);

impl Hooks {
    pub(super) fn add(&self, hook: usize, new: &Line<u64>) {
        let Some((outcomes, fates)) = self.0.get(hook) else { return };
        for (count, new) in outcomes.iter().zip(new.0).chain(fates.iter().zip(new.1)) {
            if 0 < new {
                count.fetch_add(new, Relaxed);
            }
        }
    }

    /// Whether anything was ever counted here.
    pub(super) fn is_used(&self) -> bool {
        let mut counts = self.0.iter().flat_map(|(outcomes, fates)| outcomes.iter().chain(fates));
        counts.any(|count| 0 < count.load(Relaxed))
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (&'static str, &Line<AtomicU64>)> {
        hook::NAMES.into_iter().zip(&self.0)
    }
}
