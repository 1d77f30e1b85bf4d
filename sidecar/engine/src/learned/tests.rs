use alloc::string::ToString;
use alloc::vec::Vec;

use super::testing::*;
use super::*;
use crate::Mode;

mod guards;
mod stored;

#[test]
fn bound_holds_per_rung_and_in_total() {
    let rungs = [
        once_in_blocks(Severity::Alert, 100),
        once_in_blocks(Severity::Contain, 300),
        once_in_blocks(Severity::Contain, 1_000),
        once_in_blocks(Severity::Contain, 10_000),
    ];
    let n_blocks = 40 * DAY;
    let mut acts = [0_u64; 4];
    for seed in 0..4 {
        let certificate = certified(&noisy_blocks(FORTNIGHT, seed));
        let mut detector = Detector::new(certificate, &rungs, Mode::Shadow);
        let mut chance = Chance(seed ^ 0xfeed);
        for place in 0..n_blocks {
            let act = detector.observe(&noisy(place, &mut chance));
            for (rung, acts) in acts.iter_mut().enumerate() {
                *acts += u64::from(act.is_some_and(|act| act.reached(rung)));
            }
        }
    }
    let watched = 4 * n_blocks as u64 * Scale::SHORTEST.as_millis();
    for (rung, acts) in rungs.iter().zip(acts) {
        assert!(acts <= watched / rung.budget.time().as_millis(), "{rung:?} acted {acts} times");
    }
    let total = Total::of(&rungs).time().unwrap().as_millis();
    assert!(acts.iter().sum::<u64>() <= watched / total, "{acts:?}");
    // A detector that never speaks would keep any bound.
    assert!(watched / rungs[0].budget.time().as_millis() < 100 * acts[0], "{acts:?}");
}

#[test]
fn quiet_plugin_strong_attack_is_contained_within_20_blocks() {
    let calibration: Vec<Block> = (0..FORTNIGHT).map(quiet).collect();
    let certificate = certified(&calibration);
    let block = usize::from(certificate.scale().blocks());
    for days in [14, 300] {
        let mut detector =
            Detector::new(certificate.clone(), &[contain_once_in(days)], Mode::Enforce);
        let waited = delay(&mut detector, (1..).map(|place| strong(quiet(place)))).unwrap();
        assert!(waited.div_ceil(block) <= 20, "{days} days: {waited} blocks of 10 s");
        assert_eq!(detector.standing(), Standing::Suspended);
    }
    // It rests on an assumption, and says so.
    assert!(certificate.n_assumed() > 0);
    let proven = certificate.without_assumptions();
    let mut detector = Detector::new(proven, &[contain_once_in(300)], Mode::Enforce);
    let waited = delay(&mut detector, (1..).map(|place| strong(quiet(place))));
    assert!(waited.is_none_or(|waited| 20 < waited.div_ceil(block)), "{waited:?}");
}

#[test]
fn an_assumption_is_dropped_where_calibration_contradicts_it() {
    // Where there is one exceedance, nineteen follow.
    let bursts = |place: usize| {
        let block = quiet(place);
        if place % 5_000 < 20 { with(block, Lane::Novelty, 30) } else { block }
    };
    let assumed = |blocks: &[Block]| Certificate::of(SUBJECT, Scale::LADDER[0], blocks).n_assumed();
    let calm: Vec<Block> = (0..FORTNIGHT).map(quiet).collect();
    let repeating: Vec<Block> = (0..FORTNIGHT).map(bursts).collect();
    // Nine levels are exceeded at 30 bits, in four quarters of the day.
    assert_eq!(assumed(&calm) - assumed(&repeating), 9 * 4);
}

#[test]
fn it_acts_in_the_middle_of_a_block_and_once_for_it() {
    let certificate = certified(&noisy_blocks(FORTNIGHT, 3));
    let mut detector =
        Detector::new(certificate, &[once_in_blocks(Severity::Contain, 100)], Mode::Shadow);
    // Into the second block of a minute.
    (1..8).for_each(|place| assert_eq!(detector.observe(&quiet(place)), None));
    assert_eq!(detector.raise(Lane::Novelty, Surprise::from_bits(1)), None);
    let act = detector.raise(Lane::Novelty, Surprise::from_bits(40)).unwrap();
    assert_eq!((act.lane, act.severity, act.reached(0)), (Lane::Novelty, Severity::Contain, true));
    assert_eq!(detector.raise(Lane::Sequence, Surprise::from_bits(40)), None);
}

#[test]
fn the_state_of_a_baseline_is_small() {
    let certificate = certified(&(0..FORTNIGHT).map(quiet).collect::<Vec<_>>());
    assert!(certificate.to_bytes().len() < 3 * 1024);
    let three = [contain_once_in(1), contain_once_in(10), contain_once_in(100)];
    let detector = Detector::new(certificate, &three, Mode::Shadow);
    assert!(detector.memory() < 6 * 1024, "{}", detector.memory());
}

#[test]
fn concurrent_runs_are_merged_not_added() {
    let one = Scores::default().with(Lane::Novelty, Surprise::from_bits(5));
    let other = one.with(Lane::Rate, Surprise::from_bits(2));
    assert_eq!(one.merged(other), other);
    assert_eq!(other.merged(one), other);
}

#[test]
fn budgets_nobody_can_mean_are_refused_with_a_way_out() {
    let complaint = |days| Budget::one_per_days(days).unwrap_err().to_string();
    assert_eq!(
        complaint(0),
        "one false action per 0 plugin-days would act on everything: write at least 1"
    );
    assert_eq!(
        complaint(1_000_000_000_000),
        "one false action per 1000000000000 plugin-days is beyond 1000000: leave the step out instead"
    );
    assert!(Budget::one_per(PluginTime::default()).is_err());
}

#[test]
fn what_was_tried_and_what_is_extrapolated_are_told_apart() {
    let calibrated = PluginTime::from_millis(14 * PluginTime::DAY.as_millis());
    let claim = |days| Budget::one_per_days(days).unwrap().claim(calibrated).to_string();
    assert_eq!(claim(10), "at most one false action per 10 plugin-days, dry-run");
    assert_eq!(
        claim(300),
        "at most one false action per 300 plugin-days; dry-run up to 14 days, extrapolated beyond"
    );
}

#[test]
fn rungs_add_up_to_a_total_that_is_never_flattered() {
    let days = |days| contain_once_in(days);
    let total = |rungs: &[Rung]| Total::of(rungs).time().map(PluginTime::as_millis);
    assert_eq!(total(&[]), None);
    let day = PluginTime::DAY.as_millis();
    let together = total(&[days(20), days(30)]).unwrap();
    assert!(together <= 12 * day && 12 * day - together < 10, "{together}");
    assert!(total(&[days(1_000_000)]).unwrap() <= 1_000_000 * day);
}

#[test]
fn a_lane_that_has_said_all_it_can_say_does_not_overflow() {
    let certificate = certified(&(0..FORTNIGHT).map(quiet).collect::<Vec<_>>());
    let rungs = [contain_once_in(Budget::MOST_DAYS), contain_once_in(1)];
    let mut detector = Detector::new(certificate, &rungs, Mode::Shadow);
    let forever = PluginTime::from_millis(u64::MAX);
    for place in 0..2_000 {
        let block = strong(quiet(place));
        let _act = detector.observe(&Block { elapsed: forever, hour: u8::MAX, ..block });
    }
    assert!(detector.evidence_millis(0).is_some());
}

/// Runs until a strong attack on a plugin with so many runs a day is contained, at one false one in 14 days.
fn runs_until_contained(per_day: u64, days: u64) -> Option<usize> {
    let elapsed = PluginTime::from_millis(PluginTime::DAY.as_millis() / per_day);
    let run = |number: usize, chance: &mut Chance| {
        let hour = u8::try_from(number as u64 % per_day * 24 / per_day).unwrap();
        Block { elapsed, hour, starting: number == 0, ..noisy(1, chance) }
    };
    let mut chance = Chance(61);
    let n_runs = usize::try_from(per_day * days).unwrap();
    let calibration: Vec<Block> = (0..n_runs).map(|number| run(number, &mut chance)).collect();
    let cadence = Cadence::Runs { per_day: u32::try_from(per_day).unwrap() };
    let certificate = certify(SUBJECT, cadence, &calibration).unwrap();
    let mut detector = Detector::new(certificate, &[contain_once_in(14)], Mode::Enforce);
    delay(&mut detector, (n_runs..).map(|number| strong(run(number, &mut chance))))
}

#[test]
fn a_plugin_that_is_judged_by_its_runs_is_contained_by_them() {
    for (per_day, days) in [(500, 14), (20, 28)] {
        let runs = runs_until_contained(per_day, days).unwrap();
        assert!(runs <= 60, "{per_day} a day: {runs} runs");
    }
    // Of a plugin with one run a day 28 runs certify next to nothing: what decides is that D has gone by.
    assert!(14 < runs_until_contained(1, 28).unwrap());
}
