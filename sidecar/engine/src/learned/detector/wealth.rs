//! The experts: one running product for each lane and share Λ, all in fixed point and rounded down.

use crate::learned::block::Lane;
use crate::learned::track::Track;
use crate::learned::{Budget, Certificate, PluginTime, Severity};

/// Λ in 64ths: the share of what an expert has that it bets on each block. Small ones wait for weak evidence
/// to add up, large ones are quick when it is strong.
pub(super) const SHARES: [u64; 3] = [4, 16, 60];
const WHOLE: u64 = 64;

/// Lanes whose evidence may contain: all but loss, which is the last.
const CONTAINING: usize = Lane::ALL.len() - 1;
/// Each of those, their average, and loss.
const GROUPS: usize = CONTAINING + 2;
const AVERAGE: usize = CONTAINING;
const LOSS: usize = CONTAINING + 1;
pub(super) const EXPERTS: usize = GROUPS * SHARES.len();

/// 1 in the fixed point of growth.
const ONE: u64 = 1 << 32;
/// Fraction bits of a millisecond in the fixed point of wealth: 2⁵⁶ ms are 2 million years.
const FRACTION: u32 = 8;

/// What a block multiplies each expert's evidence by, in units of 2⁻³².
#[derive(Debug)]
pub(super) struct Growth([u64; EXPERTS]);

impl Growth {
    pub(super) fn of(certificate: &Certificate, track: &Track) -> Self {
        let mut gains = [0_u64; Lane::ALL.len()];
        for (gain, lane) in gains.iter_mut().zip(Lane::ALL) {
            let exceeded = usize::from(track.exceeded(*lane));
            *gain = track
                .states(*lane)
                .enumerate()
                .take(exceeded)
                .map(|(level, state)| certificate.bound(*lane, level, state).exceeds.inverse())
                .fold(0, u64::saturating_add);
        }
        let mut growth = [0; EXPERTS];
        let (groups, _) = growth.as_chunks_mut::<{ SHARES.len() }>();
        for (share, place) in SHARES.into_iter().zip(0..) {
            let each = gains.map(|gain| grows(share, gain));
            let [lanes @ .., loss] = each;
            // Loss may hold back the average's forgetting, up to 1, but adds nothing to it: it is no
            // evidence against the plugin by itself, and may not become any in company.
            let sum = lanes.iter().fold(u128::from(loss.min(ONE)), |sum, e| sum + u128::from(*e));
            let average = saturated(sum / (lanes.len() as u128 + 1));
            let values = lanes.into_iter().chain([average, loss]);
            for (group, value) in groups.iter_mut().zip(values) {
                if let Some(expert) = group.get_mut(place) {
                    *expert = value;
                }
            }
        }
        Self(growth)
    }
}

/// `1 − Λ + (Λ ÷ K) · gain`.
fn grows(share: u64, gain: u64) -> u64 {
    let levels = crate::learned::block::N_LEVELS as u128;
    let won = u128::from(share) * u128::from(gain) / levels;
    saturated((u128::from(WHOLE - share) * u128::from(ONE) + won) / u128::from(WHOLE))
}

fn saturated(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// `R` of each expert, in 2⁻⁸ milliseconds of plugin-time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wealth([u64; EXPERTS]);

impl Wealth {
    pub(super) const NONE: Self = Self([0; EXPERTS]);

    pub(super) const fn from_experts(experts: [u64; EXPERTS]) -> Self {
        Self(experts)
    }

    pub(super) const fn experts(&self) -> &[u64; EXPERTS] {
        &self.0
    }

    /// `(R + w) · E`, each rounded down.
    pub(super) fn grown(&self, weight: PluginTime, growth: &Growth) -> Self {
        let weight = weight.as_millis().saturating_mul(1 << FRACTION);
        let mut grown = self.0;
        for (wealth, growth) in grown.iter_mut().zip(growth.0) {
            let before = wealth.saturating_add(weight);
            *wealth = saturated((u128::from(before) * u128::from(growth)) >> 32);
        }
        Self(grown)
    }

    pub(super) fn reaches(&self, budget: Budget, severity: Severity) -> bool {
        let heard = heard(severity);
        let threshold = u128::from(budget.time().as_millis()) << FRACTION;
        threshold * heard as u128 <= self.sum(heard)
    }

    pub(super) fn mean_millis(&self, severity: Severity) -> u64 {
        let heard = heard(severity);
        saturated((self.sum(heard) / heard as u128) >> FRACTION)
    }

    /// The lane whose own experts have most, of those that have a say.
    pub(super) fn leading(&self, severity: Severity) -> Lane {
        let (groups, _) = self.0.as_chunks::<{ SHARES.len() }>();
        let own = groups.iter().enumerate().filter(|(group, _)| *group != AVERAGE);
        let lanes = own.zip(severity.heard()).map(|((_, group), lane)| {
            (group.iter().fold(0_u128, |sum, wealth| sum + u128::from(*wealth)), *lane)
        });
        lanes.max_by_key(|(sum, _)| *sum).map_or(Lane::Loss, |(_, lane)| lane)
    }

    fn sum(&self, heard: usize) -> u128 {
        self.0.iter().take(heard).fold(0, |sum, wealth| sum + u128::from(*wealth))
    }
}

/// How many experts have a say: loss may alert by itself, but has none in containing.
const fn heard(severity: Severity) -> usize {
    match severity {
        Severity::Alert => EXPERTS,
        Severity::Contain => LOSS * SHARES.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_mixture_differs_from_its_mean() {
        // A level of one in 600, exceeded in every twentieth block.
        let levels = crate::learned::block::N_LEVELS as u64;
        let gain = |block: u32| if block.is_multiple_of(20) { (60 * levels) << 32 } else { 0 };
        let weight = PluginTime::from_millis(60_000);
        let mut experts = [0; EXPERTS];
        let mut mean = [0; EXPERTS];
        for block in 0..2_000 {
            let each = SHARES.map(|share| grows(share, gain(block)));
            let average = each.iter().sum::<u64>() / SHARES.len() as u64;
            let mut growth = [0; EXPERTS];
            growth[..SHARES.len()].copy_from_slice(&each);
            experts = Wealth(experts).grown(weight, &Growth(growth)).0;
            mean = Wealth(mean).grown(weight, &Growth([average; EXPERTS])).0;
        }
        let mixture = experts[..SHARES.len()].iter().sum::<u64>() / SHARES.len() as u64;
        let day = PluginTime::DAY.as_millis() << FRACTION;
        // The patient expert has grown beyond any budget; one that bets the mean share has nothing.
        assert!(300 * day < mixture && mean[0] < day / 24, "{mixture} {}", mean[0]);
    }

    #[test]
    fn growth_of_one_never_leaves_more_than_there_was() {
        for share in SHARES {
            // Exceeding what always is exceeded says nothing, and rounding takes instead of giving.
            let certain = crate::learned::block::N_LEVELS as u64 * (ONE - 1);
            assert!(grows(share, certain) <= ONE);
            assert_eq!(grows(share, 0), (WHOLE - share) * (ONE / WHOLE));
            assert_eq!(grows(share, u64::MAX).min(ONE), ONE);
        }
    }
}
