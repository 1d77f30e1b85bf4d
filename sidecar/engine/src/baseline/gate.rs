//! When a baseline is known well enough to calibrate on: a gate, not a timer. Each condition has a value and a bound.
//!
//! Besides days, runs and starts there are two estimates of what was not seen yet, both over runs and both for each
//! family. Good–Turing: of all that a run does, the share that none before it did, `Q1 ÷ U` with `Q1` the kinds of
//! exactly one run and `U` all kinds of all runs. Good–Toulmin: the kinds that as many runs again would add, `Q1 − Q2 +
//! Q3 − …`, smoothed as Efron and Thisted do: the term of `Qi` counts with P(at least `i` heads of `k`), for `k` of 8 and
//! at most half of the runs. Without that, what every run does would be added or taken away as the runs are odd or even.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Baseline, Family, Run};
use crate::learned::{Cadence, PluginTime};

closed_enum! {
    /// A condition of learning.
    pub enum Condition {
        /// Days, by the calendar; of a plugin that runs all the time, days of watching.
        Days = "days",
        /// Runs that may be learned from.
        Runs = "runs",
        /// Starts that were seen.
        Starts = "starts",
        /// Runs that were not seen whole, among those of the last so many days that are asked for.
        Blind = "blind",
        /// Good–Turing, in hundredths of a percent.
        NewInNextRun = "new_in_next_run",
        /// Good–Toulmin, in kinds.
        NewInAsManyRuns = "new_in_as_many_runs",
    }
}

/// What a value has to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// This much or more.
    AtLeast(u64),
    /// This much or less.
    AtMost(u64),
}

/// A condition and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which.
    pub condition: Condition,
    /// Of which family, for the estimates.
    pub family: Option<Family>,
    /// The value, in the unit that [`Condition`] says.
    pub have: u64,
    /// What is needed.
    pub need: Bound,
}

impl Check {
    /// Whether it is met.
    pub const fn is_met(&self) -> bool {
        match self.need {
            Bound::AtLeast(need) => need <= self.have,
            Bound::AtMost(need) => self.have <= need,
        }
    }
}

/// Of all that a run does, one in a hundred may be new.
const NEW_IN_NEXT_RUN: u64 = 100;
/// One kind in so many may come with as many runs again, and one always.
const NEW_IN_AS_MANY: u64 = 20;
/// Coins of the smoothing: kinds of more runs than that are no rare ones.
const SMOOTH: u64 = 8;
/// A start and a restart.
const STARTS: u64 = 2;
const DAY: u64 = 86_400;

/// How often a plugin runs, as counted: runs that may be learned from, over the calendar days that they span. One that
/// runs all the time cannot be told from one that runs once a day; its owner says so.
pub fn cadence(baseline: &Baseline) -> Cadence {
    let runs = baseline.usable().count() as u64;
    let per_day = runs / calendar_days(baseline).max(1);
    Cadence::Runs { per_day: u32::try_from(per_day).unwrap_or(u32::MAX) }
}

/// Every condition of learning for a plugin that runs like this. All met: calibration may begin.
pub fn gate(baseline: &Baseline, cadence: Cadence) -> Vec<Check> {
    let days_needed = match cadence {
        Cadence::Continuous | Cadence::Runs { per_day: 500.. } => 7,
        Cadence::Runs { .. } => 14,
    };
    let days = match cadence {
        Cadence::Continuous => watched(baseline).whole_days(),
        Cadence::Runs { .. } => calendar_days(baseline),
    };
    let runs = baseline.usable().count() as u64;
    let starts = baseline.usable().filter(|run| run.started()).count() as u64;
    let blind = recently_blind(baseline, days_needed);
    let plain = |condition, have, need| Check { condition, family: None, have, need };
    let mut checks = Vec::from([plain(Condition::Days, days, Bound::AtLeast(days_needed))]);
    if cadence != Cadence::Continuous {
        checks.push(plain(Condition::Runs, runs, Bound::AtLeast(28)));
    }
    checks.push(plain(Condition::Starts, starts, Bound::AtLeast(STARTS)));
    checks.push(plain(Condition::Blind, blind, Bound::AtMost(0)));
    checks.extend(Family::ALL.iter().flat_map(|family| estimates(baseline, *family)));
    checks
}

fn watched(baseline: &Baseline) -> PluginTime {
    let add = |sum: PluginTime, run: &Run| sum.saturating_add(run.lasted());
    baseline.usable().fold(PluginTime::default(), add)
}

fn calendar_days(baseline: &Baseline) -> u64 {
    let first = baseline.usable().map(Run::began).min().unwrap_or_default();
    let last = baseline.usable().map(Run::ended).max().unwrap_or_default();
    last.saturating_sub(first) / DAY
}

/// A loss is held against what came before it for as long as learning takes, and then forgotten: without that one loss
/// would keep a plugin from ever being known.
fn recently_blind(baseline: &Baseline, days: u64) -> u64 {
    let last = baseline.runs().map(|(_, run)| run.ended()).max().unwrap_or_default();
    let since = last.saturating_sub(days.saturating_mul(DAY));
    let is_blind = |run: &Run| run.faults().keys().any(|fault| fault.is_blindness());
    baseline.runs().filter(|(_, run)| is_blind(run) && since <= run.ended()).count() as u64
}

/// Both estimates for a family; none where it has nothing, or no vote.
fn estimates(baseline: &Baseline, family: Family) -> Vec<Check> {
    let kinds = baseline.kinds(family);
    if kinds.is_empty() {
        return Vec::new();
    }
    // How many kinds were seen in so many runs.
    let mut by_runs: BTreeMap<u64, u64> = BTreeMap::new();
    let mut in_all = 0_u64;
    for (_, runs) in kinds.values() {
        *by_runs.entry(*runs).or_default() += 1;
        in_all = in_all.saturating_add(*runs);
    }
    let once = by_runs.get(&1).copied().unwrap_or_default();
    let next = once.saturating_mul(10_000).div_ceil(in_all.max(1));
    let again = in_as_many_runs(&by_runs, baseline.usable().count() as u64);
    let most = (kinds.len() as u64 / NEW_IN_AS_MANY).max(1);
    let family = Some(family);
    let check =
        |condition, have, most| Check { condition, family, have, need: Bound::AtMost(most) };
    Vec::from([
        check(Condition::NewInNextRun, next, NEW_IN_NEXT_RUN),
        check(Condition::NewInAsManyRuns, again, most),
    ])
}

/// The smoothed Good–Toulmin estimate, rounded up.
fn in_as_many_runs(by_runs: &BTreeMap<u64, u64>, runs: u64) -> u64 {
    let coins = (runs / 2).clamp(1, SMOOTH);
    let (mut added, mut taken) = (0_u64, 0_u64);
    for (times, kinds) in by_runs.range(1..=coins) {
        let weighted = kinds.saturating_mul(at_least_heads(*times, coins));
        let sum = if times % 2 == 1 { &mut added } else { &mut taken };
        *sum = sum.saturating_add(weighted);
    }
    added.saturating_sub(taken).div_ceil(1 << coins)
}

/// Of all ways in which so many coins can fall, those with this many heads or more.
fn at_least_heads(heads: u64, coins: u64) -> u64 {
    let mut ways = 1;
    let mut sum = 0;
    for tails in 0..=coins.saturating_sub(heads) {
        sum += ways;
        ways = ways * (coins - tails) / (tails + 1);
    }
    sum
}
