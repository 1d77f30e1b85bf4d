use picket_engine::{
    baseline::{Acceptance, Family},
    learned::{Lane, PluginTime, Scores, Surprise},
};

use super::*;
use crate::baseline::testing::{DAY, id, known_for_a_fortnight, mark, run_at};

#[test]
fn learning_makes_it_stale_and_what_teaches_nothing_does_not() {
    let mut baseline = known_for_a_fortnight();
    let calibration = Calibration::new(&baseline);
    let mut blind = run_at(99 * DAY);
    blind.fail(Fault::Lost, 1);
    baseline.learn(id(1000), &blind);
    baseline.accept(acceptance(99 * DAY));
    assert!(!calibration.is_stale(&baseline));
    baseline.learn(id(1001), &run_at(13 * DAY));
    assert!(calibration.is_stale(&baseline));
}

#[test]
fn only_a_run_that_could_not_have_taught_or_prompted_anything_counts() {
    let mut baseline = known_for_a_fortnight();
    let end = frozen_at(&baseline);
    baseline.accept(acceptance(end + DAY));
    let mut calibration = Calibration::new(&baseline);
    let mut take =
        |number, began| calibration.take(&baseline, id(number), &run_at(began), mark(began, 0));
    assert_eq!(take(0, end + 2 * DAY), Taken::Learned);
    assert_eq!(take(500, end), Taken::Early);
    assert_eq!(take(501, end + DAY - 1), Taken::Early);
    assert_eq!(take(502, end + DAY), Taken::New);
    assert_eq!(take(502, end + DAY), Taken::Known);
    let mut contained = run_at(end + DAY);
    contained.fail(Fault::Contained, 1);
    let taken = calibration.take(&baseline, id(503), &contained, mark(end + DAY, 0));
    assert_eq!((taken, calibration.marks().count()), (Taken::Contained, 1));
}

#[test]
fn what_was_calibrated_before_an_acceptance_counts_no_longer() {
    let mut baseline = known_for_a_fortnight();
    let mut calibration = Calibration::new(&baseline);
    let end = frozen_at(&baseline);
    for day in 0..4_u16 {
        let began = end + u64::from(day) * DAY;
        calibration.take(&baseline, id(500 + day), &run_at(began), mark(began, 0));
    }
    assert_eq!(calibration.blocks(&baseline).len(), 4);
    baseline.accept(acceptance(end + 2 * DAY));
    assert_eq!(calibration.blocks(&baseline).len(), 2);
}

#[test]
fn a_certificate_is_made_once_and_nothing_changes_it() {
    let mut baseline = known_for_a_fortnight();
    let subject = baseline.subject();
    let mut calibration = Calibration::new(&baseline);
    let end = frozen_at(&baseline);
    let missing = calibration.certify(subject, &baseline, 7).unwrap_err();
    assert_eq!(missing, calibration.missing(subject, &baseline));
    for half in 0..58_u16 {
        let began = end + u64::from(half) * DAY / 2;
        calibration.take(
            &baseline,
            id(500 + half),
            &run_at(began),
            mark(began, u32::from(half % 5)),
        );
    }
    calibration.certify(subject, &baseline, 7).unwrap();
    let known = calibration.clone();
    let later = end + 99 * DAY;
    let taken = calibration.take(&baseline, id(900), &run_at(later), mark(later, 40));
    assert_eq!(taken, Taken::Certified);
    // An acceptance lowers scores, so it keeps.
    baseline.accept(acceptance(later));
    calibration.certify(subject, &baseline, later).unwrap();
    assert_eq!(calibration, known);
    assert!(calibration.missing(subject, &baseline).is_empty() && !calibration.is_stale(&baseline));
}

#[test]
fn a_loss_is_not_calibrated_away() {
    let baseline = known_for_a_fortnight();
    let mut calibration = Calibration::new(&baseline);
    let end = frozen_at(&baseline);
    for half in 0..58_u16 {
        let began = end + u64::from(half) * DAY / 2;
        let mut mark = mark(began, 0);
        if half == 30 {
            mark.scores = Scores::default().with(Lane::Loss, Surprise::from_bits(2));
        }
        mark.lasted = PluginTime::from_millis(1);
        calibration.take(&baseline, id(500 + half), &run_at(began), mark);
    }
    let missing = calibration.certify(baseline.subject(), &baseline, 7).unwrap_err();
    assert_eq!(missing, [Missing::Sight { lossy: 1 }]);
}

fn acceptance(at: u64) -> Acceptance {
    let text = str::to_owned;
    Acceptance {
        at,
        family: Family::Exec,
        template: text("/usr/bin/git"),
        by: text("root"),
        reason: text("it clones"),
    }
}
