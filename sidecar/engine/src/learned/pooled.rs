//! What several deployments may share: one threshold, and nothing that multiplies.
//!
//! Deployments of one plugin differ, and the blocks of one resemble each other. A rate over all of them is
//! an average: the deployment that has all the exceedances has them again and again. Inside a product that is
//! ruin (measured: up to 89 times the bound). A rule that only adds is safe: each deployment-day is acted on or
//! not, and the expected number is the rate times the days, however they hang together. So this type has a
//! threshold and no [`Certificate`](super::Certificate), and nothing makes one of it.

use super::binomial::upper_bound;
use super::block::{LEVELS, Lane, N_LEVELS, Scores, Surprise};

/// One in twenty, over all levels.
const RISK: u64 = 20 * N_LEVELS as u64;

/// Contain when one lane's score is above this level, on any day of any deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PooledRule {
    lane: Lane,
    above: Surprise,
}

impl PooledRule {
    /// The lowest level that is exceeded on at most one deployment-day in `days`; `highest` is the highest
    /// score of each deployment-day of the pooled calibration. `None`: no level is rare enough, or there
    /// are too few days to know.
    pub fn certify(lane: Lane, highest: &[Surprise], days: u32) -> Option<Self> {
        let n = u32::try_from(highest.len()).ok()?;
        let rare = u64::from(days);
        LEVELS.into_iter().map(|level| Surprise::from_sixteenths(u32::from(level))).find_map(
            |above| {
                let exceeded = highest.iter().filter(|score| above < **score).count();
                let rate = upper_bound(n, u32::try_from(exceeded).ok()?, RISK).units();
                (rate.saturating_mul(rare) <= 1 << 32).then_some(Self { lane, above })
            },
        )
    }

    /// Whether it asks to contain. At most once a deployment-day counts: a contained plugin is suspended.
    pub fn asks(&self, scores: &Scores) -> bool {
        self.above < scores.of(self.lane)
    }

    /// The score that has to be exceeded.
    pub const fn above(&self) -> Surprise {
        self.above
    }
}
