//! What only the daemon counts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, Histogram, IntGauge};

use super::{
    metrics::{Counters, Gauges, Metrics, gauge, histogram, seconds},
    registry::metric,
};

/// From 100 µs to 10 s: told by the kernel it takes a fraction of a millisecond, found by the periodic walk seconds.
const BUCKETS: [f64; 12] =
    [100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, 100e-3, 500e-3, 1.0, 10.0];

/// What came of reading the configuration again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// It is in force.
    Applied,
    /// It is no good; the former one is in force.
    Refused,
}

impl ReloadOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }
}

/// What becomes of a container of Kubernetes that is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// What it does is kept until its name is known.
    Held,
    /// No manifest is bound to it.
    Unbound,
    /// It has no name.
    Unnamed,
}

impl ContainerState {
    const ALL: [Self; 3] = [Self::Held, Self::Unbound, Self::Unnamed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Unbound => "unbound",
            Self::Unnamed => "unnamed",
        }
    }
}

/// The daemon's part of the scrape.
#[derive(Clone, Debug)]
pub struct DaemonMetrics {
    to_watched: Histogram,
    unwatched: IntGauge,
    containers: Gauges<1>,
    last_successful: IntGauge,
    last_success: Gauge,
    reloads: Counters<1>,
}

impl DaemonMetrics {
    /// Adds the daemon's part. The configuration that it starts with counts as a success.
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        let registry = metrics.registry();
        let new = Self {
            to_watched: histogram(registry, &metric::CGROUP_TO_WATCHED_SECONDS, &BUCKETS),
            unwatched: gauge(registry, &metric::SANDBOXES_UNWATCHED),
            containers: Gauges::new(registry, &metric::CONTAINERS_NOT_JUDGED),
            last_successful: gauge(registry, &metric::CONFIG_LAST_RELOAD_SUCCESSFUL),
            last_success: seconds(registry, &metric::CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS),
            reloads: Counters::new(registry, &metric::CONFIG_RELOADS_TOTAL),
        };
        // A series exists before it counts.
        for state in ContainerState::ALL {
            new.containers(state, 0);
        }
        for outcome in [ReloadOutcome::Applied, ReloadOutcome::Refused] {
            drop(new.reloads.of([outcome.as_str().into()]));
        }
        new.in_force();
        new
    }

    /// A cgroup that the kernel told of became a member.
    pub fn watched_after(&self, took: Duration) {
        self.to_watched.observe(took.as_secs_f64());
    }

    /// How many are meant and not watched.
    pub fn unwatched(&self, count: usize) {
        self.unwatched.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many containers of Kubernetes are in this state.
    pub fn containers(&self, state: ContainerState, count: usize) {
        let gauge = self.containers.of([state.as_str().into()]);
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The configuration was read again.
    pub fn reloaded(&self, outcome: ReloadOutcome) {
        self.reloads.of([outcome.as_str().into()]).inc();
        match outcome {
            ReloadOutcome::Applied => self.in_force(),
            ReloadOutcome::Refused => self.last_successful.set(0),
        }
    }

    fn in_force(&self) {
        self.last_successful.set(1);
        // A clock before 1970 is no time worth telling.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_success.set(now.as_secs_f64().floor());
    }
}
