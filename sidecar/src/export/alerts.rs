//! What only the sender of alerts counts.

use prometheus::IntGauge;

use super::{
    OperatorWord,
    metrics::{Gauges, Metrics, gauge},
    registry::metric,
};

/// The sender's part of the scrape.
#[derive(Clone, Debug)]
pub struct AlertMetrics {
    pending: Gauges<1>,
    dead: Gauges<1>,
    up: Gauges<1>,
    durable: IntGauge,
}

impl AlertMetrics {
    /// Adds the sender's part, once.
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        let registry = metrics.registry();
        Self {
            pending: Gauges::new(registry, &metric::ALERTS_PENDING),
            dead: Gauges::new(registry, &metric::ALERTS_DEAD),
            up: Gauges::new(registry, &metric::ALERT_TARGET_UP),
            durable: gauge(registry, &metric::ALERTS_OUTBOX_DURABLE),
        }
    }

    /// What waits for a target, and what was given up.
    pub fn waiting(&self, target: &OperatorWord, pending: i64, dead: i64) {
        self.pending.of([target.into()]).set(pending);
        self.dead.of([target.into()]).set(dead);
    }

    /// Whether a target takes what it is sent.
    pub fn up(&self, target: &OperatorWord, is_up: bool) {
        self.up.of([target.into()]).set(i64::from(is_up));
    }

    /// A target is not one any more.
    pub fn forget(&self, target: &OperatorWord) {
        for family in [&self.pending, &self.dead, &self.up] {
            family.remove([target.into()]);
        }
    }

    /// Whether messages are on disk before they are sent.
    pub fn durable(&self, is_durable: bool) {
        self.durable.set(i64::from(is_durable));
    }
}
