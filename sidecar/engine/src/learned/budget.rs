//! How often a false action may happen: what the user chooses, what that means, what is claimed.

use super::Lane;
use alloc::vec::Vec;
use core::fmt;

/// Time that a plugin was watched, in milliseconds. Ten concurrent sandboxes of one deployment add up
/// to no more than one: their blocks are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PluginTime(u64);

impl PluginTime {
    /// A day.
    pub const DAY: Self = Self(86_400_000);

    /// That many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole days, rounded down.
    pub const fn whole_days(self) -> u64 {
        self.0 / Self::DAY.0
    }

    /// Stops at the largest value.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `numerator ÷ denominator` of it, rounded up, so that a shortened threshold is never too low.
    #[must_use]
    pub(super) const fn share(self, numerator: u64, denominator: u64) -> Self {
        Self(self.0.saturating_mul(numerator).div_ceil(denominator))
    }
}

/// At most one expected false action in that much plugin-time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Budget(PluginTime);

/// A budget nobody can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetError {
    /// None at all: every block would be acted on.
    Zero,
    /// So rare that evidence could not be told from its rounding.
    Beyond {
        /// What was asked for.
        days: u64,
    },
}

impl fmt::Display for BudgetError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => write!(
                out,
                "one false action per 0 plugin-days would act on everything: write at least 1"
            ),
            Self::Beyond { days } => write!(
                out,
                "one false action per {days} plugin-days is beyond {}: leave the step out instead",
                Budget::MOST_DAYS
            ),
        }
    }
}

impl core::error::Error for BudgetError {}

impl Budget {
    /// The rarest that can be asked for, about 2,700 years.
    pub const MOST_DAYS: u64 = 1_000_000;

    /// One expected false action per so many plugin-days.
    ///
    /// # Errors
    /// 0, and more than [`Budget::MOST_DAYS`].
    pub const fn one_per_days(days: u64) -> Result<Self, BudgetError> {
        if days == 0 {
            return Err(BudgetError::Zero);
        }
        if days > Self::MOST_DAYS {
            return Err(BudgetError::Beyond { days });
        }
        Ok(Self(PluginTime(days * PluginTime::DAY.0)))
    }

    /// For times that are no whole days, as the simulation needs them.
    ///
    /// # Errors
    /// As [`Budget::one_per_days`].
    pub const fn one_per(time: PluginTime) -> Result<Self, BudgetError> {
        if time.0 == 0 {
            return Err(BudgetError::Zero);
        }
        if time.0 > Self::MOST_DAYS * PluginTime::DAY.0 {
            return Err(BudgetError::Beyond { days: time.whole_days() });
        }
        Ok(Self(time))
    }

    /// The plugin-time in which one false action is expected at most.
    pub const fn time(self) -> PluginTime {
        self.0
    }

    /// What may be claimed of it after a calibration of this length.
    pub fn claim(self, calibrated: PluginTime) -> Claim {
        Claim { budget: self.0, achieved: self.0.min(calibrated) }
    }
}

/// A budget, and how far it was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// One expected false action in this time.
    pub budget: PluginTime,
    /// The part of it that the calibration was long enough to try.
    pub achieved: PluginTime,
}

impl Claim {
    /// Whether a part of it was never tried.
    pub fn is_extrapolated(self) -> bool {
        self.achieved < self.budget
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, tried) = (self.budget.whole_days(), self.achieved.whole_days());
        write!(out, "at most one false action per {days} plugin-days")?;
        if self.is_extrapolated() {
            write!(out, "; dry-run up to {tried} days, extrapolated beyond")
        } else {
            write!(out, ", dry-run")
        }
    }
}

closed_enum! {
    /// What acting means for the plugin.
    pub enum Severity {
        /// Somebody is told; the plugin goes on as it was.
        Alert = "alert",
        /// The plugin is held back, so that what it does next says nothing about it.
        Contain = "contain",
    }
}

impl Severity {
    /// The lanes whose evidence has a say: loss may alert by itself, but has none in containing.
    pub(super) fn heard(self) -> &'static [Lane] {
        match self {
            Self::Alert => Lane::ALL,
            Self::Contain => Lane::ALL.split_last().map_or(&[], |(_, containing)| containing),
        }
    }
}

/// One step of the ladder that learned evidence may take by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// What taking it means.
    pub severity: Severity,
    /// How often it may be taken for nothing.
    pub budget: Budget,
}

/// What several rungs amount to: the bounds add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total(Option<PluginTime>);

impl Total {
    /// Of all rungs together: 1 ÷ (sum of 1 ÷ budget).
    pub fn of(rungs: &[Rung]) -> Self {
        // In false actions per 2^64 milliseconds, rounded up: the total may look worse, never better.
        let rates: Vec<u128> =
            rungs.iter().map(|rung| (1_u128 << 64).div_ceil(u128::from(rung.budget.0.0))).collect();
        let rate: u128 = rates.iter().sum();
        let time = (1_u128 << 64).checked_div(rate);
        Self(time.map(|time| PluginTime(u64::try_from(time).unwrap_or(u64::MAX))))
    }

    /// One expected false action of any rung in this time. `None`: there is no rung, so never.
    pub const fn time(self) -> Option<PluginTime> {
        self.0
    }
}
