//! When a calibration is enough to certify: a gate, not a timer. Each condition that is not met is named.

use alloc::vec::Vec;
use core::fmt;

use super::block::{Block, Lane, Surprise};
use super::{PluginTime, Trial};

/// How a plugin runs, which decides how long it must be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// All the time: a block is a window of event time.
    Continuous,
    /// From time to time: a block is one run.
    Runs {
        /// As declared or counted.
        per_day: u32,
    },
}

impl Cadence {
    /// Days of calibration: two whole weeks at least, because a dry run of three days passed every plugin
    /// with a weekly job and then broke its bound.
    const fn days(self) -> u64 {
        match self {
            Self::Continuous | Self::Runs { per_day: 500.. } => 14,
            Self::Runs { .. } => 28,
        }
    }

    const fn runs(self) -> u64 {
        match self {
            Self::Continuous => 0,
            Self::Runs { .. } => 28,
        }
    }
}

/// A condition that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Calendar span.
    Days {
        /// Whole days covered.
        have: u64,
        /// Days that this cadence needs.
        need: u64,
    },
    /// Runs of a plugin that is judged by its runs.
    Runs {
        /// Runs seen.
        have: u64,
        /// Runs needed.
        need: u64,
    },
    /// The plugin was never started while it was calibrated, so nobody knows what a start looks like.
    Start,
    /// Picket did not see everything.
    Sight {
        /// Blocks in which something was lost.
        lossy: u64,
    },
    /// Its own calibration would have been contained, at every scale that leaves one step of reserve.
    CalmDryRun {
        /// What was tried.
        trials: Vec<Trial>,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days { have, need } => {
                write!(out, "{have} of {need} days of calibration: go on calibrating")
            }
            Self::Runs { have, need } => {
                write!(out, "{have} of {need} runs: go on calibrating")
            }
            Self::Start => {
                write!(
                    out,
                    "no start of the plugin was seen: restart it once while it is calibrated"
                )
            }
            Self::Sight { lossy } => {
                write!(out, "events were lost in {lossy} blocks: find out why, and calibrate again")
            }
            Self::CalmDryRun { trials } => {
                write!(out, "its own calibration would have been contained: ")?;
                for (index, trial) in trials.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(out, "{comma}at {} {} times", trial.scale, trial.alarms)?;
                }
                write!(
                    out,
                    "; learned evidence can only alert for this plugin: declare more of what it does"
                )
            }
        }
    }
}

/// Plugin-time of these blocks.
pub(super) fn span(blocks: &[Block]) -> PluginTime {
    blocks.iter().fold(PluginTime::default(), |time, block| time.saturating_add(block.elapsed))
}

/// What can be said before the dry run, which is costly.
pub(super) fn missing(cadence: Cadence, blocks: &[Block]) -> Vec<Missing> {
    let mut missing = Vec::new();
    let (days, need) = (span(blocks).whole_days(), cadence.days());
    if days < need {
        missing.push(Missing::Days { have: days, need });
    }
    let (runs, need) = (blocks.len() as u64, cadence.runs());
    if runs < need {
        missing.push(Missing::Runs { have: runs, need });
    }
    if !blocks.iter().any(|block| block.starting) {
        missing.push(Missing::Start);
    }
    let lossy = blocks.iter().filter(|block| block.scores.of(Lane::Loss) != Surprise::NONE).count();
    if lossy > 0 {
        missing.push(Missing::Sight { lossy: lossy as u64 });
    }
    missing
}
