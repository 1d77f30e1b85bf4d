//! Scored runs as blocks, in the order of time: what certifies a plugin that is judged by its runs, and what is evidence
//! about it afterwards.
//!
//! One function for both, so that a run is never weighed differently from those that it is compared with.

use alloc::vec::Vec;

use super::{Baseline, Run};
use crate::learned::{Block, PluginTime, Scores};

/// What is kept of a scored run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Seconds since 1970.
    pub began: u64,
    /// For how long it was watched.
    pub lasted: PluginTime,
    /// Whether its start was seen.
    pub started: bool,
    /// What the lanes made of it.
    pub scores: Scores,
}

impl Mark {
    /// Of a run with these scores.
    pub const fn of(run: &Run, scores: Scores) -> Self {
        let (began, lasted, started) = (run.began(), run.lasted(), run.started());
        Self { began, lasted, started, scores }
    }

    const fn ended(&self) -> u64 {
        self.began.saturating_add(self.lasted.as_millis() / 1000)
    }
}

/// From when on runs may calibrate: not before the last one that was learned had ended, and not before something was last
/// accepted, because what came before is what prompted that. In seconds since 1970.
pub fn frozen_at(baseline: &Baseline) -> u64 {
    let learned = baseline.usable().map(Run::ended).max();
    let accepted = baseline.accepted().map(|one| one.at).max();
    learned.max(accepted).unwrap_or_default()
}

/// Runs as blocks, each with when it began, in seconds since 1970. `after`: when the block before the first of them began.
///
/// * Runs that overlap are one block, with the larger score of each lane: they are not independent.
/// * A pause of more than a day counts as a day. Nobody knows whether the plugin did not run or was not recorded; and a
///   clock that was set forward by years makes neither a calibration nor evidence.
/// * Every block begins with a start, so that starting tells nothing: only the first of a calibration says it.
pub fn blocks(marks: impl IntoIterator<Item = Mark>, after: Option<u64>) -> Vec<(u64, Block)> {
    let mut marks: Vec<Mark> = marks.into_iter().collect();
    marks.sort_by_key(|mark| (mark.began, mark.ended()));
    let mut merged: Vec<Mark> = Vec::new();
    let mut busy_until = 0;
    for mark in marks {
        match merged.last_mut() {
            Some(open) if mark.began < busy_until => {
                open.scores = open.scores.merged(mark.scores);
                open.started |= mark.started;
                busy_until = busy_until.max(mark.ended());
            }
            _ => {
                busy_until = mark.ended();
                merged.push(mark);
            }
        }
    }
    let mut may_start = after.is_none();
    let mut before = after;
    let block = |mark: &Mark| {
        let elapsed = elapsed(before.replace(mark.began), mark.began);
        let starting = may_start && mark.started;
        may_start &= !starting;
        let hour = hour(mark.began);
        (mark.began, Block { elapsed, hour, starting, scores: mark.scores })
    };
    merged.iter().map(block).collect()
}

/// From the beginning of the block before to that of a block.
pub(super) fn elapsed(before: Option<u64>, began: u64) -> PluginTime {
    let pause = began.saturating_sub(before.unwrap_or(began)).saturating_mul(1000);
    PluginTime::from_millis(pause).min(PluginTime::DAY)
}

/// Of the day, in UTC.
pub(super) fn hour(unix_s: u64) -> u8 {
    u8::try_from(unix_s / 3600 % 24).unwrap_or_default()
}
