//! Puts labels to the counts of plugins and sandboxes, when somebody asks for them.
//!
//! Between two scrapes a sandbox costs its integers and nothing else.

use std::sync::{
    PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use picket_engine::{FactKind, Mode, Outcome, Step};
use prometheus::{
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::{
    budget::Table,
    counts::{FATES, Hooks, OUTCOMES, Release},
    series::Sandboxes,
    typed::{Family, Value, description},
    usage,
};
use crate::export::registry::{Counter, Gauge, metric};

/// In the place of everybody who has no series of their own.
const OTHER: &str = "_other";

/// All families that have a label for a plugin or a sandbox, and how much of their budget is used.
pub(super) struct Collected {
    sandboxes: Sandboxes,
    limit: usize,
    descriptions: Vec<Desc>,
}

impl Collected {
    pub(super) fn new(sandboxes: Sandboxes, limit: usize) -> Self {
        let descriptions = [
            description(&metric::SANDBOXES),
            description(&metric::EVENTS_TOTAL),
            description(&metric::FINDINGS_TOTAL),
            description(&metric::INCIDENTS_TOTAL),
            description(&metric::INCIDENTS_OPEN),
            description(&metric::CONTAINMENTS_TOTAL),
            description(&metric::KERNEL_EVENTS_TOTAL),
            description(&metric::RECORDS_TOTAL),
            description(&metric::SANDBOX_INFO),
            description(&metric::METRIC_SERIES),
            description(&metric::METRIC_SERIES_LIMIT),
            description(&metric::METRIC_SERIES_FOLDED),
        ];
        let mut descriptions = Vec::from(descriptions);
        descriptions.extend(usage::Families::descriptions());
        Self { sandboxes, limit, descriptions }
    }
}

impl Collector for Collected {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut table = self.sandboxes.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.tidy();
        let mut releases = Releases::new();
        let mut slots = Slots::new();
        let mut usage = usage::Families::new();
        for ([plugin, version, digest], owner) in &table.releases {
            releases.add([plugin.into(), version.into(), digest.into()], &owner.release);
        }
        for (slot, seated) in &table.seated {
            let subject = &seated.subject;
            let who = [(&subject.plugin).into(), (*slot).into()];
            slots.add(who, &seated.counted.hooks);
            usage.add(who, &seated.counted.used);
            let place = subject.place.as_ref();
            let of_place = [
                place.map_or(Value::Closed(""), |place| (&place.namespace).into()),
                place.map_or(Value::Closed(""), |place| (&place.workload).into()),
                place.map_or(Value::Closed(""), |place| (&place.container).into()),
            ];
            let [namespace, workload, container] = of_place;
            let (plugin, version) = ((&subject.plugin).into(), (&subject.version).into());
            let digest = (&subject.digest).into();
            let values = [plugin, (*slot).into(), version, digest, namespace, workload, container];
            slots.info.add(values, 1);
        }
        let shared = &table.shared;
        if shared.is_there() {
            releases.add([OTHER.into(); 3], &shared.release);
            slots.add([OTHER.into(); 2], &shared.counted.hooks);
        }
        let mut families = releases.done();
        families.extend(slots.done());
        families.extend(usage.done());
        families.extend(of_budget(&table, self.limit));
        families
    }
}

fn of_budget(table: &Table, limit: usize) -> [MetricFamily; 3] {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let mut series = Family::new(&metric::METRIC_SERIES);
    series.add([], number(table.n_series()));
    let mut most = Family::new(&metric::METRIC_SERIES_LIMIT);
    most.add([], number(limit));
    let mut folded = Family::new(&metric::METRIC_SERIES_FOLDED);
    folded.add([], number(table.n_folded()));
    [series.done(), most.done(), folded.done()]
}

/// Families by release.
struct Releases {
    sandboxes: Family<Gauge, 4>,
    events: Family<Counter, 4>,
    findings: Family<Counter, 6>,
    incidents: Family<Counter, 3>,
    open: Family<Gauge, 3>,
    containments: Family<Counter, 5>,
}

impl Releases {
    fn new() -> Self {
        Self {
            sandboxes: Family::new(&metric::SANDBOXES),
            events: Family::new(&metric::EVENTS_TOTAL),
            findings: Family::new(&metric::FINDINGS_TOTAL),
            incidents: Family::new(&metric::INCIDENTS_TOTAL),
            open: Family::new(&metric::INCIDENTS_OPEN),
            containments: Family::new(&metric::CONTAINMENTS_TOTAL),
        }
    }

    fn add(&mut self, who: [Value<'_>; 3], counts: &Release) {
        let [plugin, version, digest] = who;
        for (mode, count) in Mode::ALL.iter().zip(&counts.modes) {
            self.sandboxes.add([plugin, version, digest, mode.as_str().into()], level(count));
        }
        for (kind, count) in FactKind::ALL.iter().zip(&counts.events) {
            self.events.add([plugin, version, digest, kind.as_str().into()], count.show());
        }
        for (labels, count) in counts.findings() {
            let capability = labels.capability.as_str().into();
            let (reason, action) = (labels.reason.as_str().into(), labels.action.as_str().into());
            let values = [plugin, version, digest, capability, reason, action];
            self.findings.add(values, count.show());
        }
        self.incidents.add(who, counts.incidents.show());
        self.open.add(who, level(&counts.open));
        let steps = Step::ALL
            .iter()
            .flat_map(|step| Outcome::ALL.iter().map(move |outcome| (step, outcome)));
        for ((step, outcome), count) in steps.zip(&counts.steps) {
            let (step, outcome) = (step.as_str().into(), outcome.as_str().into());
            self.containments.add([plugin, version, digest, step, outcome], count.show());
        }
    }

    fn done(self) -> Vec<MetricFamily> {
        vec![
            self.sandboxes.done(),
            self.events.done(),
            self.findings.done(),
            self.incidents.done(),
            self.open.done(),
            self.containments.done(),
        ]
    }
}

/// Families by slot.
struct Slots {
    kernel: Family<Counter, 4>,
    records: Family<Counter, 4>,
    info: Family<Gauge, 7>,
}

impl Slots {
    fn new() -> Self {
        Self {
            kernel: Family::new(&metric::KERNEL_EVENTS_TOTAL),
            records: Family::new(&metric::RECORDS_TOTAL),
            info: Family::new(&metric::SANDBOX_INFO),
        }
    }

    fn add(&mut self, who: [Value<'_>; 2], hooks: &Hooks) {
        let [plugin, slot] = who;
        let add =
            |family: &mut Family<Counter, 4>, hook: &'static str, words, counts: &[AtomicU64]| {
                let words: &[&'static str] = words;
                for (outcome, count) in words.iter().zip(counts) {
                    let values = [plugin, slot, hook.into(), (*outcome).into()];
                    family.add(values, count.load(Relaxed));
                }
            };
        for (hook, (outcomes, fates)) in hooks.lines() {
            add(&mut self.kernel, hook, &OUTCOMES, outcomes);
            add(&mut self.records, hook, &FATES, fates);
        }
    }

    fn done(self) -> Vec<MetricFamily> {
        vec![self.kernel.done(), self.records.done(), self.info.done()]
    }
}

/// How many there are; while one moves from name to name it may be counted in neither.
fn level(count: &AtomicI64) -> u64 {
    u64::try_from(count.load(Relaxed)).unwrap_or(0)
}
