//! What the kernel side hands over of a run: sums of levels by thread, and a histogram of calls.

use alloc::collections::BTreeMap;

use super::Call;

/// Calls of one thread and the sum of their levels, added up over the seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadSums {
    calls: u64,
    level_sum: u64,
}

impl ThreadSums {
    /// Adds what was handed over for one second. A sum that so many calls cannot have is cut to what they can.
    pub fn add(&mut self, calls: u32, level_sum: u32) {
        const HIGHEST: u64 = 15;
        let calls = u64::from(calls);
        self.calls = self.calls.saturating_add(calls);
        self.level_sum = self.level_sum.saturating_add(u64::from(level_sum).min(calls * HIGHEST));
    }

    /// Calls so far.
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// The mean level, nothing before the first call: a thread that did nothing is neither calm nor strange.
    pub fn mean(&self) -> Option<MeanLevel> {
        let scaled = u128::from(self.level_sum) << 16;
        let mean = scaled.checked_div(u128::from(self.calls))?;
        u32::try_from(mean).ok().map(MeanLevel)
    }
}

/// A mean of levels in units of 2^-16, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MeanLevel(u32);

impl MeanLevel {
    /// In units of 2^-16 levels.
    pub const fn raw(self) -> u32 {
        self.0
    }
}

/// How often each system call was called in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<Call, u64>);

impl Histogram {
    /// Adds what was counted since the last time. [`Call::NONE`] is no call.
    pub fn add(&mut self, call: Call, times: u64) {
        if call != Call::NONE && times != 0 {
            let known = self.0.entry(call).or_insert(0);
            *known = known.saturating_add(times);
        }
    }

    /// In order of the numbers; no count is 0.
    pub fn iter(&self) -> impl Iterator<Item = (Call, u64)> {
        self.0.iter().map(|(call, times)| (*call, *times))
    }
}
