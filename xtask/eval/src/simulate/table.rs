//! What people read, and the verdict of the command.

use std::fmt::Write;

use crate::simulate::outcome::{Outcome, SHOWN};
use crate::simulate::plugin::{Attack, Regime};
use crate::simulate::statistics::{Ratio, float, quantile};
use crate::simulate::trial::{Budgets, N_RUNGS};

/// Independent blocks, one false containment in 100 blocks: where the ratio must lie. Below, the detector
/// would never fire; above, the bound would be none.
const ACCEPTED: (f64, f64) = (0.01, 1.0);
/// The rung of 100 blocks.
const CLOSEST: usize = 0;

pub(crate) fn shown(outcomes: &[Outcome], budgets: &Budgets) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _written = bounds(&mut out, outcomes, budgets)
        .and_then(|()| delays(&mut out, outcomes))
        .and_then(|()| verdicts(&mut out, outcomes, budgets));
    out
}

fn bounds(out: &mut String, outcomes: &[Outcome], budgets: &Budgets) -> std::fmt::Result {
    writeln!(out, "\nFalse containments ÷ bound, pooled [95 %, by plugin] and worst plugin")?;
    writeln!(out, "certified: at 10 s / 1 min / 10 min / 60 min + refused\n")?;
    write!(out, "{:<18}{:<18}", "regime", "certified")?;
    budgets.0.iter().try_for_each(|(name, _)| write!(out, "{name:<30}"))?;
    writeln!(out)?;
    for outcome in outcomes {
        let [ten, one, tens, hour] = outcome.scales();
        let certified = format!("{ten}/{one}/{tens}/{hour} + {}", outcome.refused);
        write!(out, "{:<18}{certified:<18}", outcome.regime.name())?;
        for rung in 0..N_RUNGS {
            let bound = outcome.bounds.get(rung).copied().flatten();
            let text = bound.map_or_else(|| "-".to_owned(), interval);
            write!(out, "{text:<30}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn delays(out: &mut String, outcomes: &[Outcome]) -> std::fmt::Result {
    writeln!(
        out,
        "\nTime to containment at 14 days: median, 90 %, and how many not within two days\n"
    )?;
    write!(out, "{:<18}", "regime")?;
    Attack::ALL.into_iter().try_for_each(|attack| write!(out, "{:<28}", attack.name()))?;
    writeln!(out)?;
    for outcome in outcomes.iter().filter(|outcome| !outcome.judged.is_empty()) {
        write!(out, "{:<18}", outcome.regime.name())?;
        for attack in Attack::ALL {
            let (delays, missed) = outcome.delays(attack, SHOWN);
            let time = |percent| quantile(&delays, percent).map_or_else(|| "-".to_owned(), clock);
            let text = format!("{}, {}, {missed}", time(50), time(90));
            write!(out, "{text:<28}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn verdicts(out: &mut String, outcomes: &[Outcome], budgets: &Budgets) -> std::fmt::Result {
    writeln!(out, "\nGuards\n")?;
    outcomes.iter().try_for_each(|outcome| {
        writeln!(out, "{:<18}{}", outcome.regime.name(), outcome.verdict(budgets))
    })
}

fn interval((pooled, worst): (Ratio, Ratio)) -> String {
    let Ratio { value, low, high } = pooled;
    if value <= 0.0 {
        return format!("none, so below {}", short(high));
    }
    format!("{} [{}, {}] {}", short(value), short(low), short(high), short(worst.value))
}

fn short(value: f64) -> String {
    if value < 0.1 { format!("{value:.3}") } else { format!("{value:.2}") }
}

/// Blocks of ten seconds as time.
fn clock(blocks: usize) -> String {
    let seconds = float(blocks as u64) * 10.0;
    match seconds {
        ..120.0 => format!("{seconds} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// # Errors
/// The ratio on independent blocks lies outside of what a working detector shows.
pub(crate) fn acceptable(outcomes: &[Outcome]) -> Result<(), String> {
    let Some(iid) = outcomes.iter().find(|outcome| outcome.regime == Regime::Iid) else {
        return Ok(());
    };
    let (low, high) = ACCEPTED;
    match iid.bounds.get(CLOSEST).copied().flatten() {
        Some((pooled, _)) if (low..=high).contains(&pooled.value) => Ok(()),
        Some((pooled, _)) => Err(format!(
            "on independent blocks the detector fired {} times as often as its bound of one in 100 blocks \
             allows; that must lie from {low} to {high}",
            short(pooled.value)
        )),
        None => Err("not one plugin with independent blocks was certified".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::outcome;

    fn budgets() -> Budgets {
        Budgets::new().unwrap()
    }

    fn small(regime: Regime, seed: u64) -> Outcome {
        outcome::of(regime, seed, 2, 120_000, &budgets())
    }

    #[test]
    fn on_independent_blocks_the_detector_speaks_and_keeps_its_bound() {
        assert_eq!(acceptable(&[small(Regime::Iid, 3)]), Ok(()));
    }

    #[test]
    fn a_detector_that_never_fires_fails_and_so_does_one_that_fires_too_often() {
        for (alarms, complaint) in [(0, "fired 0.000 times"), (10_000, "fired 16.67 times")] {
            let mut outcome = small(Regime::Iid, 3);
            outcome.judged.iter_mut().for_each(|one| one.alarms[CLOSEST] = alarms);
            outcome.bounds = outcome::bounds(&outcome.judged, 3, &budgets());
            let said = acceptable(&[outcome]).unwrap_err();
            assert!(said.contains(complaint), "{said}");
        }
    }

    #[test]
    fn what_breaks_is_said_and_not_hidden_by_who_caught_it() {
        let mut outcome = small(Regime::Iid, 3);
        outcome.judged.iter_mut().for_each(|one| one.alarms[SHOWN] = 50);
        outcome.bounds = outcome::bounds(&outcome.judged, 3, &budgets());
        let verdict = outcome.verdict(&budgets());
        assert!(verdict.starts_with("BROKEN at 14 days; not caught"), "{verdict}");
        outcome.judged.iter_mut().for_each(|one| one.elsewhere = true);
        let verdict = outcome.verdict(&budgets());
        assert!(verdict.contains("caught: the certificate belongs to another"), "{verdict}");
    }

    #[test]
    fn the_same_seed_gives_the_same_figures() {
        let json = |seed| small(Regime::ParetoBursts, seed).json(&budgets());
        assert_eq!(json(5), json(5));
        assert_ne!(json(5), json(6));
    }
}
