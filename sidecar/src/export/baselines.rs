//! What only the learning of baselines counts.

use prometheus::{IntCounter, IntGauge};

use super::{
    OperatorWord,
    metrics::{Counters, Gauges, Metrics, counter, gauge},
    registry::metric,
};

/// What became of a run of a plugin that is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnOutcome {
    /// It is part of the baseline.
    Learned,
    /// It is kept with its reason, and teaches nothing.
    Unusable,
    /// Enough is known: it was left out.
    Ready,
    /// The baseline is a sample of more runs than it holds, and this one is not part of it.
    NoRoom,
    /// The store could not be used for too long.
    NotStored,
}

impl LearnOutcome {
    const ALL: [Self; 5] =
        [Self::Learned, Self::Unusable, Self::Ready, Self::NoRoom, Self::NotStored];

    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Unusable => "unusable",
            Self::Ready => "ready",
            Self::NoRoom => "no_room",
            Self::NotStored => "not_stored",
        }
    }
}

/// The part of the scrape that is about learning.
#[derive(Clone, Debug)]
pub struct BaselineMetrics {
    runs: Counters<2>,
    ready: Gauges<1>,
    missed: IntCounter,
    usable: IntGauge,
}

impl BaselineMetrics {
    /// Adds the part, once.
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        let registry = metrics.registry();
        Self {
            runs: Counters::new(registry, &metric::BASELINE_RUNS_TOTAL),
            ready: Gauges::new(registry, &metric::BASELINE_READY),
            missed: counter(registry, &metric::BASELINE_INPUTS_MISSED_TOTAL),
            usable: gauge(registry, &metric::BASELINE_STORE_USABLE),
        }
    }

    /// A run of this plugin is over.
    pub fn run(&self, plugin: &OperatorWord, outcome: LearnOutcome) {
        self.runs.of([plugin.into(), outcome.as_str().into()]).inc();
    }

    /// Whether enough is known of this plugin. Its counters exist from then on.
    pub fn ready(&self, plugin: &OperatorWord, is_ready: bool) {
        self.ready.of([plugin.into()]).set(i64::from(is_ready));
        for outcome in LearnOutcome::ALL {
            drop(self.runs.of([plugin.into(), outcome.as_str().into()]));
        }
    }

    /// So many inputs more found the queue full.
    pub fn missed(&self, inputs: u64) {
        self.missed.inc_by(inputs);
    }

    /// Whether the store can be used.
    pub fn store_usable(&self, is_usable: bool) {
        self.usable.set(i64::from(is_usable));
    }
}
