//! What a regime came to: ratios, delays, and whether anything stood between a broken bound and the plugin.

use picket_engine::learned::Scale;
use serde_json::{Map, Value, json};

use crate::simulate::plugin::{Attack, Regime};
use crate::simulate::statistics::{self, Ratio, Share, quantile};
use crate::simulate::trial::{self, Budgets, Judged, N_RUNGS};

/// The rung of 14 days, for which details are told.
pub(crate) const SHOWN: usize = 2;

/// Regimes that are mostly refused are drawn again this many times as often, and no more.
const PATIENCE: u64 = 3;

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) regime: Regime,
    pub(crate) refused: u64,
    pub(crate) judged: Vec<Judged>,
    pub(crate) bounds: Bounds,
}

/// Draws plugins of a regime until enough of them are certified.
pub(crate) fn of(
    regime: Regime,
    seed: u64,
    certificates: u64,
    blocks: u64,
    budgets: &Budgets,
) -> Outcome {
    let each = blocks.div_ceil(certificates);
    let (mut refused, mut judged) = (0, Vec::new());
    for number in 0..certificates * PATIENCE {
        match trial::run(regime, seed, number, each, budgets) {
            None => refused += 1,
            Some(one) => judged.push(one),
        }
        if certificates == judged.len() as u64 {
            break;
        }
    }
    let bounds = bounds(&judged, seed, budgets);
    Outcome { regime, refused, judged, bounds }
}

/// Of each rung, pooled and of the worst plugin; `None` where nothing was judged.
pub(crate) type Bounds = [Option<(Ratio, Ratio)>; N_RUNGS];

pub(crate) fn bounds(judged: &[Judged], seed: u64, budgets: &Budgets) -> Bounds {
    std::array::from_fn(|rung| bound(judged, rung, seed, budgets))
}

fn bound(judged: &[Judged], rung: usize, seed: u64, budgets: &Budgets) -> Option<(Ratio, Ratio)> {
    let (_, step) = budgets.0.get(rung)?;
    let shares: Vec<Share> = judged
        .iter()
        .map(|one| {
            let alarms = one.alarms.get(rung).copied().unwrap_or(0);
            Share::new(alarms, one.benign, step.budget.time())
        })
        .collect();
    Some((statistics::pooled(&shares, seed)?, statistics::worst(&shares)?))
}

impl Outcome {
    /// Whether the bound of a rung is exceeded by more than chance explains.
    fn breaks(&self, rung: usize) -> bool {
        let bound = self.bounds.get(rung).copied().flatten();
        bound.is_some_and(|(pooled, worst)| 1.0 < pooled.low || 1.0 < worst.low)
    }

    pub(crate) fn scales(&self) -> [usize; Scale::LADDER.len()] {
        Scale::LADDER.map(|scale| self.judged.iter().filter(|one| one.scale == scale).count())
    }

    /// The most false containments that any plugin suffered with the rule that only one is released.
    fn most_released(&self) -> u64 {
        self.judged.iter().map(|one| one.released).max().unwrap_or(0)
    }

    /// What the guards did, in words.
    pub(crate) fn verdict(&self, budgets: &Budgets) -> String {
        let broken: Vec<&str> = budgets
            .0
            .iter()
            .enumerate()
            .filter(|(rung, _)| self.breaks(*rung))
            .map(|(_, (name, _))| *name)
            .collect();
        let drawn = self.refused + self.judged.len() as u64;
        let refused = match self.refused {
            0 => String::new(),
            refused => format!("dry run refused {refused} of {drawn}; "),
        };
        if self.judged.is_empty() {
            return format!("caught: {refused}none certified");
        }
        if broken.is_empty() {
            return format!("{refused}no bound broken");
        }
        let caught = if self.judged.iter().all(|one| one.elsewhere) {
            "caught: the certificate belongs to another deployment".to_owned()
        } else {
            let n = self.judged.len();
            let once = self.judged.iter().filter(|one| one.released > 0).count();
            let most = self.most_released();
            format!(
                "not caught beforehand; {}the first release disables containing: {once} of {n} plugins had \
                 one in all this time, none had more than {most}",
                self.uncovered()
            )
        };
        format!("{refused}BROKEN at {}; {caught}", broken.join(", "))
    }

    /// How much of it is due to plugins that were not loud once while they were calibrated: their load cycle
    /// is not covered, and the claim does not speak of them.
    fn uncovered(&self) -> String {
        if !self.regime.is_loud_at_times() {
            return String::new();
        }
        let alarms = |one: &Judged| one.alarms.get(SHOWN).copied().unwrap_or(0);
        let never: Vec<&Judged> = self.judged.iter().filter(|one| one.loud_times == 0).collect();
        let all: u64 = self.judged.iter().map(alarms).sum();
        let theirs: u64 = never.iter().map(|one| alarms(one)).sum();
        let n = never.len();
        format!("{theirs} of {all} at 14 days in {n} plugins that were never loud in calibration; ")
    }

    /// Delays of the plugins that were contained, sorted, and how many were not.
    pub(crate) fn delays(&self, attack: Attack, rung: usize) -> (Vec<usize>, usize) {
        let place = Attack::ALL.iter().position(|one| *one == attack).unwrap_or(0);
        let delay = |one: &Judged| one.delays.get(place)?.get(rung).copied().flatten();
        let mut delays: Vec<usize> = self.judged.iter().filter_map(delay).collect();
        delays.sort_unstable();
        let missed = self.judged.len() - delays.len();
        (delays, missed)
    }

    pub(crate) fn json(&self, budgets: &Budgets) -> Value {
        let ratio =
            |ratio: Ratio| json!({ "ratio": ratio.value, "low": ratio.low, "high": ratio.high });
        let rungs: Vec<Value> = budgets
            .0
            .iter()
            .enumerate()
            .map(|(rung, (name, _))| {
                let bound = self.bounds.get(rung).copied().flatten();
                let attacks: Vec<Value> = Attack::ALL
                    .into_iter()
                    .map(|attack| {
                        let (delays, missed) = self.delays(attack, rung);
                        json!({
                            "attack": attack.name(),
                            "median_blocks": quantile(&delays, 50),
                            "p90_blocks": quantile(&delays, 90),
                            "contained": delays.len(),
                            "missed": missed,
                        })
                    })
                    .collect();
                json!({
                    "budget": name,
                    "false_containments": self.judged.iter().filter_map(|one| one.alarms.get(rung)).sum::<u64>(),
                    "pooled": bound.map(|(pooled, _)| ratio(pooled)),
                    "worst": bound.map(|(_, worst)| ratio(worst)),
                    "broken": self.breaks(rung),
                    "attacks": attacks,
                })
            })
            .collect();
        let scales = Scale::LADDER.map(|scale| format!("{} s", u64::from(scale.blocks()) * 10));
        let plugins: Vec<Value> = self
            .judged
            .iter()
            .map(|one| {
                json!({
                    "seconds_a_block": u64::from(one.scale.blocks()) * 10,
                    "loud_times_in_calibration": one.loud_times,
                    "benign_days": one.benign.whole_days(),
                    "false_containments": one.alarms,
                })
            })
            .collect();
        json!({
            "regime": self.regime.name(),
            "certified": self.judged.len(),
            "refused_by_dry_run": self.refused,
            "certified_at": scales.into_iter().zip(self.scales().map(Value::from)).collect::<Map<_, _>>(),
            "assumed_bounds": self.judged.iter().map(|one| one.n_assumed).max(),
            "most_released_per_certificate": self.most_released(),
            "verdict": self.verdict(budgets),
            "rungs": rungs,
            "plugins": plugins,
        })
    }
}
