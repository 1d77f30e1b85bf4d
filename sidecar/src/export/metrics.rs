//! The metrics, under `picket_`. Labels are closed enums and the operator's names for sandboxes; nothing here takes a
//! path, argument, address or name of the watched code.

mod series;

use std::time::Duration;

use picket_engine::{Contain, Fact, FindingLabels, KernelTime, Trigger};
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

pub use series::{Records, SandboxSeries};

use super::Fate;
use crate::{
    probe::Tier,
    watch::{act::Confirmed, balance::Equation},
};

/// From 20 µs to 5 s: a freeze takes a tenth of a millisecond on a quiet host and seconds on one that thrashes.
const LATENCY_BUCKETS: [f64; 14] = [
    20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, 100e-3, 500e-3, 1.0, 5.0,
];

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events: IntCounterVec,
    undecodable: IntCounter,
    findings: IntCounterVec,
    incidents_open: IntGauge,
    incidents: IntCounter,
    containments: IntCounterVec,
    lost: IntCounterVec,
    reports_lost: IntCounter,
    exports_queued: IntCounterVec,
    exports: IntCounterVec,
    backlog: IntGaugeVec,
    imbalance: IntGaugeVec,
    violations: IntCounterVec,
    series: series::Families,
    sandboxes: IntGauge,
    to_decision: Histogram,
    to_receipt: HistogramVec,
}

impl Metrics {
    /// A registry of its own, with what is known at start.
    #[must_use]
    pub fn new(tier: Tier) -> Self {
        let build = IntGaugeVec::new(
            Opts::new("picket_build_info", "Version of this Picket; always 1."),
            &["version"],
        )
        .expect(VALID);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let tiers = IntGaugeVec::new(
            Opts::new(
                "picket_tier_info",
                "What this kernel lets Picket see and deny; 1 for the tier that runs.",
            ),
            &["tier"],
        )
        .expect(VALID);
        for one in [Tier::Lsm, Tier::Trace] {
            tiers.with_label_values(&[one.as_str()]).set(i64::from(one == tier));
        }
        let metrics = Self {
            registry: Registry::new(),
            events: counters("picket_events_total", "Facts received from the kernel.", &["event"]),
            undecodable: counter("picket_records_undecodable_total", "Records that could not be understood."),
            findings: counters(
                "picket_findings_total",
                "Departures from a manifest.",
                &["capability", "reason", "action"],
            ),
            incidents_open: gauge("picket_incidents_open", "Incidents that are not closed."),
            incidents: counter("picket_incidents_total", "Incidents opened."),
            containments: counters(
                "picket_containments_total",
                "Containment steps by what the kernel confirmed.",
                &["step", "outcome"],
            ),
            lost: counters(
                "picket_events_lost_total",
                "Records and entries the kernel side lost since it was loaded.",
                &["reason"],
            ),
            reports_lost: counter(
                "picket_reports_lost_total",
                "Reports to terminals and exporters that found their queue full; verdicts are not affected.",
            ),
            exports_queued: counters(
                "picket_exports_queued_total",
                "Messages handed to an output, to be compared with those it has dealt with.",
                &["output"],
            ),
            exports: counters(
                "picket_exports_total",
                "Messages that an output has dealt with, by what came of them.",
                &["output", "outcome"],
            ),
            backlog: gauges(
                "picket_ring_backlog_bytes",
                "Most that waited in a ring at once, in the last second.",
                &["ring"],
            ),
            imbalance: gauges(
                "picket_conservation_imbalance",
                "Worst standing difference between the two sides of an equation of loss; 0 is the normal state.",
                &["equation"],
            ),
            violations: counters(
                "picket_conservation_violations_total",
                "Times that an equation of loss came to stand open.",
                &["equation"],
            ),
            series: series::Families::new(),
            sandboxes: gauge("picket_sandboxes", "Sandboxes being watched."),
            to_decision: Histogram::with_opts(
                HistogramOpts::new(
                    "picket_event_to_decision_seconds",
                    "From the kernel's timestamp of the offending event to the decision to contain.",
                )
                .buckets(LATENCY_BUCKETS.to_vec()),
            )
            .expect(VALID),
            to_receipt: HistogramVec::new(
                HistogramOpts::new(
                    "picket_decision_to_receipt_seconds",
                    "From the decision to the kernel's confirmation.",
                )
                .buckets(LATENCY_BUCKETS.to_vec()),
                &["step"],
            )
            .expect(VALID),
        };
        for equation in Equation::ALL {
            metrics.imbalance(equation, 0);
            // A counter exists before it counts.
            drop(metrics.violations.with_label_values(&[equation.as_str()]));
        }
        metrics.register(build, tiers);
        metrics
    }

    fn register(&self, build: IntGaugeVec, tiers: IntGaugeVec) {
        let all: [Box<dyn prometheus::core::Collector>; 18] = [
            Box::new(build),
            Box::new(tiers),
            Box::new(self.events.clone()),
            Box::new(self.undecodable.clone()),
            Box::new(self.findings.clone()),
            Box::new(self.incidents_open.clone()),
            Box::new(self.incidents.clone()),
            Box::new(self.containments.clone()),
            Box::new(self.lost.clone()),
            Box::new(self.reports_lost.clone()),
            Box::new(self.exports_queued.clone()),
            Box::new(self.exports.clone()),
            Box::new(self.backlog.clone()),
            Box::new(self.imbalance.clone()),
            Box::new(self.violations.clone()),
            Box::new(self.sandboxes.clone()),
            Box::new(self.to_decision.clone()),
            Box::new(self.to_receipt.clone()),
        ];
        for collector in all {
            self.registry.register(collector).expect(ONCE);
        }
        self.series.register(&self.registry).expect(ONCE);
    }

    /// Where more is registered that only some roles of Picket count.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The scrape, in text format 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("writing to memory");
        String::from_utf8(text).expect("names and labels are our own")
    }

    /// A fact arrived.
    pub fn event(&self, fact: &Fact) {
        self.events.with_label_values(&[fact.as_str()]).inc();
    }

    /// A record made no sense.
    pub fn undecodable(&self) {
        self.undecodable.inc();
    }

    /// A departure was found.
    pub fn finding(&self, labels: FindingLabels) {
        let FindingLabels { capability, reason, action } = labels;
        self.findings
            .with_label_values(&[capability.as_str(), reason.as_str(), action.as_str()])
            .inc();
    }

    /// An incident began.
    pub fn incident_opened(&self) {
        self.incidents.inc();
        self.incidents_open.inc();
    }

    /// An incident ended.
    pub fn incident_closed(&self) {
        self.incidents_open.dec();
    }

    /// A step was decided.
    pub fn decided(&self, contain: &Contain, decided: KernelTime) {
        // A step that follows from a lease or a repetition has no offence of its own to be measured from.
        if contain.trigger == Trigger::Finding && contain.attempt == 1 {
            self.to_decision.observe(seconds(contain.latency(decided)));
        }
    }

    /// A step was confirmed, or was not.
    pub(crate) fn receipt(&self, receipt: &Confirmed) {
        let step = receipt.contain.step.as_str();
        self.containments.with_label_values(&[step, receipt.outcome.as_str()]).inc();
        let took = receipt.confirmed.duration_since(receipt.decided);
        self.to_receipt.with_label_values(&[step]).observe(seconds(took));
    }

    /// What the kernel side has lost so far.
    pub fn lost(&self, reasons: &[(&'static str, u64)]) {
        for (reason, count) in reasons {
            let lost = self.lost.with_label_values(&[*reason]);
            // The kernel keeps the sum, the counter takes what is new; touching it makes the series exist at zero.
            lost.inc_by(count.saturating_sub(lost.get()));
        }
    }

    /// A report found its queue full.
    pub fn report_lost(&self) {
        self.reports_lost.inc();
    }

    /// Messages handed to an output. `output`: `otlp`, or the configured name of a target.
    #[must_use]
    pub fn queued(&self, output: &str) -> IntCounter {
        self.exports_queued.with_label_values(&[output])
    }

    /// Messages that an output has dealt with.
    #[must_use]
    pub fn exported(&self, output: &str, fate: Fate) -> IntCounter {
        self.exports.with_label_values(&[output, fate.as_str()])
    }

    /// The series of a sandbox, under the operator's name for it. Dropping them removes them.
    #[must_use]
    pub fn sandbox(&self, plugin: &str, slot: u32) -> SandboxSeries {
        self.series.open(plugin, slot)
    }

    /// How much had to wait in a ring.
    pub fn backlog(&self, ring: &'static str, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.backlog.with_label_values(&[ring]).set(bytes);
    }

    /// The worst difference that stands between the sides of an equation.
    pub(crate) fn imbalance(&self, equation: Equation, worst: u64) {
        let worst = i64::try_from(worst).unwrap_or(i64::MAX);
        self.imbalance.with_label_values(&[equation.as_str()]).set(worst);
    }

    /// An equation came to stand open.
    pub(crate) fn violation(&self, equation: Equation) {
        self.violations.with_label_values(&[equation.as_str()]).inc();
    }

    /// How many sandboxes are watched.
    pub fn sandboxes(&self, count: usize) {
        self.sandboxes.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

pub(super) const VALID: &str = "names and labels follow Prometheus' rules";
const ONCE: &str = "each name once";

fn counter(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect(VALID)
}

pub(super) fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help), labels).expect(VALID)
}

pub(super) fn gauge(name: &str, help: &str) -> IntGauge {
    IntGauge::new(name, help).expect(VALID)
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    IntGaugeVec::new(Opts::new(name, help), labels).expect(VALID)
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
