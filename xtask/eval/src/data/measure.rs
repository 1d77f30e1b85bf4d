//! Figures of scores: thresholds, shares with their intervals, area under the curve.

use super::random::Random;

/// Nominal false-alarm rates, per mille.
pub(crate) const NOMINAL: [usize; 3] = [1, 10, 50];

/// Rounds of the bootstrap.
const ROUNDS: usize = 1000;

/// Scores of one method; higher is stranger.
pub(crate) struct Scores {
    pub(crate) method: &'static str,
    pub(crate) calib: Vec<f64>,
    pub(crate) test: Vec<f64>,
    pub(crate) attacks: Vec<f64>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) hits: usize,
    pub(crate) all: usize,
}

impl Share {
    /// Above the threshold.
    pub(crate) fn above(scores: &[f64], threshold: Option<f64>) -> Self {
        let above = |score: &&f64| threshold.is_some_and(|threshold| threshold < **score);
        Self { hits: scores.iter().filter(above).count(), all: scores.len() }
    }

    pub(crate) fn percent(self) -> f64 {
        100.0 * self.hits as f64 / self.all.max(1) as f64
    }

    /// Wilson's interval of 95 %, in percent.
    pub(crate) fn interval(self) -> (f64, f64) {
        const Z: f64 = 1.959_964;
        let all = self.all.max(1) as f64;
        let share = self.hits as f64 / all;
        let scale = 1.0 + Z * Z / all;
        let middle = (share + Z * Z / (2.0 * all)) / scale;
        let half = Z * (share * (1.0 - share) / all + Z * Z / (4.0 * all * all)).sqrt() / scale;
        (100.0 * (middle - half).max(0.0), 100.0 * (middle + half).min(1.0))
    }
}

/// What happens at one nominal rate.
pub(crate) struct AtRate {
    /// Per mille.
    pub(crate) nominal: usize,
    /// Nothing where calibration is too short for this rate.
    pub(crate) threshold: Option<f64>,
    pub(crate) detected: Share,
    pub(crate) false_alarms: Share,
}

/// The figures of one method.
pub(crate) struct Figures {
    pub(crate) scores: Scores,
    pub(crate) auc: f64,
    /// Of 95 %, by bootstrap over traces.
    pub(crate) auc_interval: (f64, f64),
    pub(crate) at: Vec<AtRate>,
}

impl Figures {
    pub(crate) fn of(scores: Scores, seed: u64) -> Self {
        let at = NOMINAL.map(|nominal| {
            let threshold = threshold(&scores.calib, nominal);
            let detected = Share::above(&scores.attacks, threshold);
            AtRate {
                nominal,
                threshold,
                detected,
                false_alarms: Share::above(&scores.test, threshold),
            }
        });
        let (auc, auc_interval) = (area(&scores.test, &scores.attacks), bootstrap(&scores, seed));
        Self { scores, auc, auc_interval, at: at.into() }
    }
}

/// The `ceil((n + 1)(1 − rate))`-th smallest score of calibration; nothing if there are too few.
pub(crate) fn threshold(calib: &[f64], per_mille: usize) -> Option<f64> {
    let rank = ((calib.len() + 1) * (1000 - per_mille)).div_ceil(1000);
    let mut sorted = calib.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// The chance that an attack scores above a normal trace; a tie is half.
pub(crate) fn area(normal: &[f64], attacks: &[f64]) -> f64 {
    let mut sorted = normal.to_vec();
    sorted.sort_by(f64::total_cmp);
    let won = |attack: &f64| {
        let below = sorted.partition_point(|score| score.total_cmp(attack).is_lt());
        let not_above = sorted.partition_point(|score| score.total_cmp(attack).is_le());
        (below + not_above) as f64 / 2.0
    };
    let won: f64 = attacks.iter().map(won).sum();
    won / (normal.len() * attacks.len()).max(1) as f64
}

fn bootstrap(scores: &Scores, seed: u64) -> (f64, f64) {
    let mut random = Random::new(seed);
    let mut drawn = |all: &[f64]| -> Vec<f64> {
        (0..all.len()).filter_map(|_| all.get(random.below(all.len())).copied()).collect()
    };
    let mut areas: Vec<f64> =
        (0..ROUNDS).map(|_| area(&drawn(&scores.test), &drawn(&scores.attacks))).collect();
    areas.sort_by(f64::total_cmp);
    let at = |rank: usize| areas.get(rank).copied().unwrap_or(f64::NAN);
    (at(ROUNDS / 40), at(ROUNDS - 1 - ROUNDS / 40))
}

/// Corners of the ROC curve, from nothing to everything: false alarms and detections, each of 1.
pub(crate) fn curve(scores: &Scores) -> Vec<(f64, f64)> {
    let mut thresholds: Vec<f64> = scores.test.iter().chain(&scores.attacks).copied().collect();
    thresholds.sort_by(|one, other| other.total_cmp(one));
    thresholds.dedup_by(|one, other| one.total_cmp(other).is_eq());
    let share = |all: &[f64], least: f64| {
        all.iter().filter(|score| least <= **score).count() as f64 / all.len().max(1) as f64
    };
    let corner = |least: f64| (share(&scores.test, least), share(&scores.attacks, least));
    std::iter::once((0.0, 0.0)).chain(thresholds.into_iter().map(corner)).collect()
}
