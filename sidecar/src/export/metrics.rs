//! Everything that is counted. Names, help and labels come from the [registry](super::registry) alone; labels hold words
//! of closed lists, numbers and [words of the operator](OperatorWord). Nothing here takes a path, argument, address or
//! name of the watched code.
//!
//! What is counted for each event is an integer at a known place ([`SandboxSeries`]); names and labels are put to it
//! when somebody asks.

mod budget;
mod counts;
mod render;
mod series;
mod typed;
mod usage;

use std::{collections::HashMap, sync::Arc, time::Duration};

use picket_engine::{Contain, KernelTime, SandboxId, Step, Tampering, Trigger};
use prometheus::{Encoder, Histogram, IntCounter, Registry, TextEncoder};

pub use series::{Records, SandboxSeries};
use typed::Histograms;
pub use typed::Value;
pub(super) use typed::{Counters, Gauges, counter, gauge, histogram, seconds};

use super::{
    Fate, OperatorWord, Subject,
    registry::{label, metric},
};
use crate::{
    probe::Tier,
    session::patrol,
    watch::{act::Confirmed, balance::Equation},
};

/// From 20 µs to 5 s: a freeze takes a tenth of a millisecond on a quiet host and seconds on one that thrashes.
const LATENCY_BUCKETS: [f64; 14] = [
    20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, 100e-3, 500e-3, 1.0, 5.0,
];

/// How many series plugins and sandboxes may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesBudget(u32);

impl SeriesBudget {
    /// Unless the configuration says otherwise: 200 sandboxes, in a scrape of about 2 MB.
    pub const DEFAULT: Self = Self(20_000);
    /// Below that there is hardly room for what all others share.
    pub const LEAST: u32 = 1_000;
    /// Beyond that a scrape takes seconds.
    pub const MOST: u32 = 1_000_000;

    /// `None` when it is out of bounds.
    #[must_use]
    pub const fn new(n_series: u32) -> Option<Self> {
        if n_series < Self::LEAST || Self::MOST < n_series { None } else { Some(Self(n_series)) }
    }

    /// How many.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    sandboxes: series::Sandboxes,
    undecodable: IntCounter,
    lost: Counters<1>,
    reports_lost: IntCounter,
    exports_queued: Counters<1>,
    exports: Counters<2>,
    hooks: Gauges<1>,
    canary_rounds: Counters<1>,
    canary_missed: Counters<1>,
    tampering: Counters<1>,
    backlog: Gauges<1>,
    imbalance: Gauges<1>,
    violations: Counters<1>,
    to_decision: Histogram,
    /// In the order of [`Step::ALL`].
    to_receipt: Vec<Histogram>,
}

impl Metrics {
    /// A registry of its own, with what is known at start.
    #[must_use]
    pub fn new(node: &OperatorWord, tier: Tier, budget: SeriesBudget) -> Self {
        let constant = [(label::NODE, node.as_str()), (label::TIER, tier.as_str())];
        let constant: HashMap<_, _> = constant
            .into_iter()
            .map(|(label, value)| (label.as_str().to_owned(), value.to_owned()))
            .collect();
        let registry = Registry::new_custom(None, Some(constant)).expect("no prefix to be wrong");
        let limit = usize::try_from(budget.get()).unwrap_or(usize::MAX);
        let sandboxes = series::Sandboxes::new(limit);
        let collected = render::Collected::new(sandboxes.clone(), limit);
        registry.register(Box::new(collected)).expect("the first of these names");
        Gauges::new(&registry, &metric::BUILD_INFO).of([env!("CARGO_PKG_VERSION").into()]).set(1);
        gauge(&registry, &metric::TIER_INFO).set(1);
        let to_receipt =
            Histograms::new(&registry, &metric::DECISION_TO_RECEIPT_SECONDS, &LATENCY_BUCKETS);
        let metrics = Self {
            sandboxes,
            undecodable: counter(&registry, &metric::RECORDS_UNDECODABLE_TOTAL),
            lost: Counters::new(&registry, &metric::EVENTS_LOST_TOTAL),
            reports_lost: counter(&registry, &metric::REPORTS_LOST_TOTAL),
            exports_queued: Counters::new(&registry, &metric::EXPORTS_QUEUED_TOTAL),
            exports: Counters::new(&registry, &metric::EXPORTS_TOTAL),
            hooks: Gauges::new(&registry, &metric::HOOK_ATTACHED),
            canary_rounds: Counters::new(&registry, &metric::CANARY_ROUNDS_TOTAL),
            canary_missed: Counters::new(&registry, &metric::CANARY_ACTS_MISSED_TOTAL),
            tampering: Counters::new(&registry, &metric::TAMPERING_TOTAL),
            backlog: Gauges::new(&registry, &metric::RING_BACKLOG_BYTES),
            imbalance: Gauges::new(&registry, &metric::CONSERVATION_IMBALANCE),
            violations: Counters::new(&registry, &metric::CONSERVATION_VIOLATIONS_TOTAL),
            to_decision: histogram(&registry, &metric::EVENT_TO_DECISION_SECONDS, &LATENCY_BUCKETS),
            to_receipt: Step::ALL
                .iter()
                .map(|step| to_receipt.of([step.as_str().into()]))
                .collect(),
            registry,
        };
        for outcome in patrol::Outcome::ALL {
            drop(metrics.canary_rounds.of([outcome.as_str().into()]));
        }
        for tampering in Tampering::ALL {
            drop(metrics.tampering.of([tampering.as_str().into()]));
        }
        for equation in Equation::ALL {
            metrics.imbalance(equation, 0);
            // A counter exists before it counts.
            drop(metrics.violations.of([equation.as_str().into()]));
        }
        metrics
    }

    /// Where more is registered that only some roles of Picket count.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The scrape, still to be written in some format.
    pub(super) fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.registry.gather()
    }

    /// The scrape, in text format 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.gather(), &mut text).expect("writing to memory");
        String::from_utf8(text).expect("names and labels are our own")
    }

    /// Where to count for a sandbox. Asked for again, under another name, it goes on with what it has counted.
    #[must_use]
    pub fn sandbox(&self, sandbox: SandboxId, subject: &Arc<Subject>) -> SandboxSeries {
        self.sandboxes.open(sandbox, subject)
    }

    /// Where to count for whom nobody has named: with all others who have no series of their own.
    #[must_use]
    pub fn nobody(&self) -> SandboxSeries {
        self.sandboxes.nobody()
    }

    /// A record made no sense.
    pub fn undecodable(&self) {
        self.undecodable.inc();
    }

    /// A step was decided.
    pub fn decided(&self, contain: &Contain, decided: KernelTime) {
        // A step that follows from a lease or a repetition has no offence of its own to be measured from.
        if contain.trigger == Trigger::Finding && contain.attempt == 1 {
            self.to_decision.observe(in_seconds(contain.latency(decided)));
        }
    }

    /// A step was confirmed, or was not.
    pub(crate) fn receipt(&self, receipt: &Confirmed) {
        let took = receipt.confirmed.duration_since(receipt.decided);
        if let Some(histogram) = self.to_receipt.get(receipt.contain.step as usize) {
            histogram.observe(in_seconds(took));
        }
    }

    /// What the kernel side has lost so far.
    pub fn lost(&self, reasons: &[(&'static str, u64)]) {
        for (reason, count) in reasons {
            let lost = self.lost.of([(*reason).into()]);
            // The kernel keeps the sum, the counter takes what is new; touching it makes the series exist at zero.
            lost.inc_by(count.saturating_sub(lost.get()));
        }
    }

    /// A report found its queue full.
    pub fn report_lost(&self) {
        self.reports_lost.inc();
    }

    /// Messages handed to an output. `output`: `otlp`, `otlp_traces`, `otlp_metrics`, or the configured name of a target.
    #[must_use]
    pub fn queued<'a>(&self, output: impl Into<Value<'a>>) -> IntCounter {
        self.exports_queued.of([output.into()])
    }

    /// Messages that an output has dealt with.
    #[must_use]
    pub fn exported<'a>(&self, output: impl Into<Value<'a>>, fate: Fate) -> IntCounter {
        self.exports.of([output.into(), fate.as_str().into()])
    }

    /// These kernel programs are attached, and no others.
    pub fn attached(&self, hooks: &[&'static str]) {
        for hook in hooks {
            self.hook(hook, true);
        }
    }

    /// Whether a kernel program is attached everywhere it was.
    pub(crate) fn hook(&self, hook: &'static str, attached: bool) {
        self.hooks.of([hook.into()]).set(i64::from(attached));
    }

    /// A round of the canary is over.
    pub(crate) fn canary_round(&self, outcome: &'static str) {
        self.canary_rounds.of([outcome.into()]).inc();
    }

    /// An act of the canary's did not come out, so often.
    pub(crate) fn canary_missed(&self, act: &'static str, times: u64) {
        self.canary_missed.of([act.into()]).inc_by(times);
    }

    /// Somebody interfered with the kernel side.
    pub(crate) fn tampering(&self, tampering: Tampering) {
        self.tampering.of([tampering.as_str().into()]).inc();
    }

    /// How much had to wait in a ring.
    pub fn backlog(&self, ring: &'static str, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.backlog.of([ring.into()]).set(bytes);
    }

    /// The worst difference that stands between the sides of an equation.
    pub(crate) fn imbalance(&self, equation: Equation, worst: u64) {
        let worst = i64::try_from(worst).unwrap_or(i64::MAX);
        self.imbalance.of([equation.as_str().into()]).set(worst);
    }

    /// An equation came to stand open.
    pub(crate) fn violation(&self, equation: Equation) {
        self.violations.of([equation.as_str().into()]).inc();
    }
}

fn in_seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[cfg(test)]
impl Metrics {
    /// Of a node that is called `node`.
    pub(crate) fn for_tests(budget: SeriesBudget) -> Self {
        Self::new(&OperatorWord::new("node"), Tier::Trace, budget)
    }
}

#[cfg(test)]
mod tests;
