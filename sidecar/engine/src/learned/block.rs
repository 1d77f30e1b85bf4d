//! A block: one window of event time, or one run of the plugin, as each lane scored it.

use core::fmt;

use super::PluginTime;

closed_enum! {
    /// Who scored. Each lane is certified by itself.
    pub enum Lane {
        /// Novelty in the danger set (L1).
        Danger = "danger",
        /// Novelty by family (L2).
        Novelty = "novelty",
        /// Surprise over the order of system calls.
        Sequence = "sequence",
        /// Resources and rates (L3).
        Rate = "rate",
        /// Starts and error codes: a plugin that restarts more than it used to.
        Lifecycle = "lifecycle",
        /// What Picket did not see. Last, because what may contain is every lane before it.
        Loss = "loss",
    }
}

/// How many lanes there are.
pub(super) const LANES: usize = Lane::ALL.len();

/// How abnormal a block was for one lane, in sixteenths of a bit. 0 is as usual as can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Surprise(u16);

impl Surprise {
    /// As usual as can be.
    pub const NONE: Self = Self(0);

    /// Scores beyond what fits are all the same: far above the last level.
    pub fn from_sixteenths(sixteenths: u32) -> Self {
        Self(u16::try_from(sixteenths).unwrap_or(u16::MAX))
    }

    /// Whole bits.
    pub fn from_bits(bits: u32) -> Self {
        Self::from_sixteenths(bits.saturating_mul(16))
    }

    /// Sixteenths of a bit.
    pub const fn sixteenths(self) -> u16 {
        self.0
    }

    /// The highest level that it exceeds. No score exceeds less than 1 bit.
    pub fn above(self) -> Option<Self> {
        LEVELS.iter().rev().find(|level| **level < self.0).map(|level| Self(*level))
    }

    /// How many of [`LEVELS`] lie below this score.
    pub(super) fn levels(self) -> u8 {
        LEVELS.iter().fold(0, |count, level| count + u8::from(*level < self.0))
    }
}

impl fmt::Display for Surprise {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{:02} bits", self.0 / 16, u32::from(self.0 % 16) * 100 / 16)
    }
}

/// How many levels there are.
pub(super) const N_LEVELS: usize = 10;

/// The levels of every lane, in sixteenths of a bit: 1, 2, 3, 4, 6, 8, 12, 16, 24, 32 bits.
///
/// Fixed before any data is seen. Levels chosen from the calibration itself would make the bounds on
/// exceeding them too good to be true.
pub(super) const LEVELS: [u16; N_LEVELS] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512];

/// One score for each lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scores([Surprise; LANES]);

impl Scores {
    /// Replaces the score of one lane.
    #[must_use]
    pub fn with(mut self, lane: Lane, score: Surprise) -> Self {
        if let Some(place) = self.0.get_mut(lane as usize) {
            *place = score;
        }
        self
    }

    /// The score of one lane.
    pub fn of(&self, lane: Lane) -> Surprise {
        self.0.get(lane as usize).copied().unwrap_or_default()
    }

    /// Lane by lane the larger: how concurrent runs become one block. Never a product, because runs of
    /// one plugin at one time are not independent.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Lane::ALL
            .iter()
            .fold(self, |merged, lane| merged.with(*lane, merged.of(*lane).max(other.of(*lane))))
    }
}

/// One block of the shortest scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Watched time from the beginning of the block before to the beginning of this one. Time in which nothing
    /// was scored (Picket was not running, the plugin was contained) is not part of it.
    pub elapsed: PluginTime,
    /// Hour of the day in which it began, 0 to 23, of the clock that the plugin's load follows. Data,
    /// because the engine knows no calendar.
    pub hour: u8,
    /// The plugin was started at or just before its beginning.
    pub starting: bool,
    /// What the lanes made of it.
    pub scores: Scores,
}
