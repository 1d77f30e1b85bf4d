//! False containments against their bound, with intervals that respect that blocks of one plugin belong together.

use picket_engine::learned::PluginTime;

use crate::simulate::random::Random;

/// A ratio and the interval it lies in with 95 %.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What one plugin contributed: false containments, and how many the bound expects at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) alarms: u64,
    pub(crate) expected: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of a simulation, for people to read")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

impl Share {
    pub(crate) fn new(alarms: u64, watched: PluginTime, budget: PluginTime) -> Self {
        Self { alarms, expected: float(watched.as_millis()) / float(budget.as_millis()) }
    }
}

const RESAMPLES: usize = 2_000;

/// Over all plugins: bootstrap over plugins, not over blocks. Where nothing happened at all the bootstrap
/// knows nothing, and the upper end is what a Poisson count of zero allows.
pub(crate) fn pooled(shares: &[Share], seed: u64) -> Option<Ratio> {
    let ratio = |alarms: u64, expected: f64| float(alarms) / expected;
    let sum = |shares: &mut dyn Iterator<Item = &Share>| {
        shares.fold((0, 0.0), |(alarms, expected), share| {
            (alarms + share.alarms, expected + share.expected)
        })
    };
    let (alarms, expected) = sum(&mut shares.iter());
    if shares.is_empty() {
        return None;
    }
    let value = ratio(alarms, expected);
    if alarms == 0 {
        return Some(Ratio { value, low: 0.0, high: poisson(0).1 / expected });
    }
    let mut random = Random::new(seed, 0x0b00_7574);
    let mut resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let mut drawn =
                (0..shares.len()).filter_map(|_| shares.get(random.below(shares.len())));
            let (alarms, expected) = sum(&mut drawn);
            ratio(alarms, expected)
        })
        .collect();
    resampled.sort_by(f64::total_cmp);
    let at = |place: usize| resampled.get(place).copied().unwrap_or(value);
    Some(Ratio { value, low: at(RESAMPLES / 40), high: at(RESAMPLES - RESAMPLES / 40 - 1) })
}

/// Of the plugin that had it worst. One plugin is one cluster, so its interval is that of a Poisson count,
/// widened for having been picked as the worst of so many.
pub(crate) fn worst(shares: &[Share]) -> Option<Ratio> {
    let ratio = |share: &Share| float(share.alarms) / share.expected;
    let worst = shares.iter().max_by(|a, b| ratio(a).total_cmp(&ratio(b)))?;
    let (low, high) = poisson_at(worst.alarms, 0.025 / float(shares.len() as u64));
    Some(Ratio { value: ratio(worst), low: low / worst.expected, high: high / worst.expected })
}

/// Exact limits for the mean of a Poisson count, 95 %.
fn poisson(count: u64) -> (f64, f64) {
    poisson_at(count, 0.025)
}

fn poisson_at(count: u64, risk: f64) -> (f64, f64) {
    // P(X ≤ count) falls as the mean grows: bisection.
    let mean_where = |count: u64, probability: f64| {
        let (mut low, mut high) = (0.0, 4.0 * float(count) + 100.0);
        for _ in 0..100 {
            let mean = (low + high) / 2.0;
            if at_most(count, mean) < probability { high = mean } else { low = mean }
        }
        (low + high) / 2.0
    };
    let low = count.checked_sub(1).map_or(0.0, |below| mean_where(below, 1.0 - risk));
    (low, mean_where(count, risk))
}

/// P(X ≤ count) of a Poisson variable.
fn at_most(count: u64, mean: f64) -> f64 {
    // In logarithms: e^−mean alone underflows.
    let (sum, _) = (0..=count).fold((0.0, -mean), |(sum, term): (f64, f64), i| {
        (sum + term.exp(), term + (mean / float(i + 1)).ln())
    });
    sum
}

/// The value that a share of the sorted values lies below.
pub(crate) fn quantile(sorted: &[usize], percent: usize) -> Option<usize> {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_count_are_those_of_the_tables() {
        let shown = |(low, high)| format!("{low:.3} {high:.3}");
        assert_eq!(shown(poisson(0)), "0.000 3.689");
        assert_eq!(shown(poisson(10)), "4.795 18.390");
    }

    #[test]
    fn plugins_that_agree_give_a_narrow_interval_and_one_that_has_it_all_a_wide_one() {
        let even = [Share { alarms: 5, expected: 5.0 }; 40];
        let ratio = pooled(&even, 1).unwrap();
        assert!(0.99 < ratio.low && ratio.high < 1.01);
        let mut odd = [Share { alarms: 0, expected: 5.0 }; 40];
        odd[0].alarms = 200;
        let ratio = pooled(&odd, 1).unwrap();
        assert!(ratio.low < 0.1 && 2.0 < ratio.high, "{ratio:?}");
    }
}
