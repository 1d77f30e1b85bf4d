//! Series by sandbox: what its hooks did and what became of its records. Kept within a budget, gone with the sandbox.
//!
//! The only label that is not a closed list is `plugin`: the operator's own name for the sandbox, from manifest or
//! configuration. It is nothing that the watched code says.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use picket_abi::{Counts, hook};
use prometheus::{IntCounterVec, IntGauge, Registry};

use super::{counters, gauge};

/// Sandboxes that have series of their own at a time. With all of them a scrape holds 5 760 such series, about 700 kB.
pub(super) const BUDGET: usize = 64;

/// Plugin and slot of the series that all others share.
const OTHER: &str = "_other";

const OUTCOMES: [&str; 6] = ["fired", "filtered", "aggregated", "submitted", "dropped", "error"];
const FATES: [&str; 3] = ["consumed", "scored", "shed"];

/// Records of one hook by what became of them in user space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Read from a ring.
    pub consumed: u64,
    /// Handed to the engine.
    pub scored: u64,
    /// Undecodable, or of a sandbox that is not judged.
    pub shed: u64,
}

/// The families.
#[derive(Clone, Debug)]
pub(super) struct Families {
    kernel: IntCounterVec,
    records: IntCounterVec,
    folded: IntGauge,
    taken: Arc<AtomicUsize>,
}

impl Families {
    pub(super) fn new() -> Self {
        Self {
            kernel: counters(
                "picket_kernel_events_total",
                "What became of the firings of a hook in a sandbox.",
                &["plugin", "slot", "hook", "outcome"],
            ),
            records: counters(
                "picket_records_total",
                "Records of a sandbox that were read, and what became of them.",
                &["plugin", "slot", "hook", "outcome"],
            ),
            folded: gauge(
                "picket_metric_series_folded",
                "Sandboxes without series of their own, because the budget is spent.",
            ),
            taken: Arc::new(AtomicUsize::new(0)),
        }
    }

    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.kernel.clone()))?;
        registry.register(Box::new(self.records.clone()))?;
        registry.register(Box::new(self.folded.clone()))
    }

    pub(super) fn open(&self, plugin: &str, slot: u32) -> SandboxSeries {
        let within = |taken| (taken < BUDGET).then_some(taken + 1);
        let own = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok();
        let labels = if own {
            [plugin.to_owned(), slot.to_string()]
        } else {
            self.folded.inc();
            [OTHER.to_owned(), OTHER.to_owned()]
        };
        let series =
            SandboxSeries { families: self.clone(), own, labels, told: Default::default() };
        // A counter exists before it counts, or its first loss is no increase to whoever scrapes it.
        for name in hook::NAMES {
            series.add(name, &[0; 6], &[0; 3]);
        }
        series
    }
}

/// The series of one sandbox. Dropping it removes them.
#[derive(Debug)]
pub struct SandboxSeries {
    families: Families,
    own: bool,
    labels: [String; 2],
    /// What was told already, in the order of the hooks.
    told: [([u64; 6], [u64; 3]); hook::NAMES.len()],
}

impl SandboxSeries {
    /// What was counted of a hook since the sandbox began.
    pub fn tell(&mut self, hook: &'static str, counts: &Counts, records: Records) {
        let Counts { fired, filtered, aggregated, submitted, dropped, error } = *counts;
        let now = (
            [fired, filtered, aggregated, submitted, dropped, error],
            [records.consumed, records.scored, records.shed],
        );
        let told = self.told.iter_mut().zip(hook::NAMES).find(|(_, name)| *name == hook);
        let Some((told, _)) = told else { return };
        let then = *told;
        *told = (most(now.0, then.0), most(now.1, then.1));
        if then != *told {
            let new = (less(told.0, then.0), less(told.1, then.1));
            self.add(hook, &new.0, &new.1);
        }
    }

    fn add(&self, hook: &'static str, kernel: &[u64; 6], records: &[u64; 3]) {
        let [plugin, slot] = &self.labels;
        for (outcome, count) in OUTCOMES.into_iter().zip(kernel) {
            let labels = [plugin.as_str(), slot.as_str(), hook, outcome];
            self.families.kernel.with_label_values(&labels).inc_by(*count);
        }
        for (outcome, count) in FATES.into_iter().zip(records) {
            let labels = [plugin.as_str(), slot.as_str(), hook, outcome];
            self.families.records.with_label_values(&labels).inc_by(*count);
        }
    }
}

impl Drop for SandboxSeries {
    fn drop(&mut self) {
        if !self.own {
            self.families.folded.dec();
            return;
        }
        let [plugin, slot] = &self.labels;
        for hook in hook::NAMES {
            // Not there would be fine: then they are gone.
            for outcome in OUTCOMES {
                let labels = [plugin.as_str(), slot.as_str(), hook, outcome];
                drop(self.families.kernel.remove_label_values(&labels));
            }
            for outcome in FATES {
                let labels = [plugin.as_str(), slot.as_str(), hook, outcome];
                drop(self.families.records.remove_label_values(&labels));
            }
        }
        self.families.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A counter of Prometheus that is told of less keeps what it has.
fn most<const N: usize>(now: [u64; N], then: [u64; N]) -> [u64; N] {
    let mut most = now;
    most.iter_mut().zip(then).for_each(|(now, then)| *now = then.max(*now));
    most
}

fn less<const N: usize>(now: [u64; N], then: [u64; N]) -> [u64; N] {
    let mut new = now;
    new.iter_mut().zip(then).for_each(|(now, then)| *now -= then);
    new
}

#[cfg(test)]
mod tests;
