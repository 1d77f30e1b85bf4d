//! What learned evidence asks for: the verdict of a [`Detector`](crate::learned::Detector) as the engine is told of it.

use alloc::vec::Vec;
use core::fmt;

use super::Item;
use crate::Action;
use crate::learned::{Budget, Claim, Lane, PluginTime, Severity};

/// Evidence that has reached a budget, and what it rests on.
#[derive(Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// What was reached.
    pub severity: Severity,
    /// The lane that holds most of the evidence.
    pub lane: Lane,
    /// The evidence: plugin-time, acted on when it reaches the budget's.
    pub evidence: PluginTime,
    /// One false action is expected in this time at most.
    pub budget: Budget,
    /// The plugin-time of the calibration behind the certificate: the part of the budget that was tried.
    pub calibrated: PluginTime,
    /// Which certificate, as [`Certificate::fingerprint`](crate::learned::Certificate::fingerprint) says it.
    pub certificate: u64,
    /// Digest of what the baseline had learned.
    pub baseline: [u8; 32],
    /// The fewest deeds of the block that crossed which take the lane above its highest level, the most surprising first.
    /// None where that block was not surprising in this lane and earlier ones had been.
    pub items: Vec<Item>,
}

impl Anomaly {
    /// No lane has more voices than that, and each has one deed in it.
    pub const MOST_ITEMS: usize = 9;

    /// What follows: never a kill, because what is unusual is not therefore forbidden.
    pub const fn action(&self) -> Action {
        match self.severity {
            Severity::Alert => Action::Alert,
            Severity::Contain => Action::Freeze,
        }
    }

    /// What may be claimed of it.
    pub fn claim(&self) -> Claim {
        self.budget.claim(self.calibrated)
    }
}

/// Templates are words of the watched code.
impl fmt::Debug for Anomaly {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Anomaly({} by {}, redacted)", self.severity.as_str(), self.lane.as_str())
    }
}
