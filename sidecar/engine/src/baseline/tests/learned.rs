//! When enough was learned, and what teaches nothing.

use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::learned::Cadence;

const HOURLY: Cadence = Cadence::Runs { per_day: 24 };
const USUAL: [(Family, &str, u32); 2] = [(Family::Exec, "/bin/a", 2), (Family::Syscall, "1", 9)];

/// A fortnight of hourly runs that all do the same.
fn fortnight() -> Baseline {
    let mut baseline = nothing();
    for number in 0..14 * 24 + 1 {
        baseline.learn(id(number), &run(u64::from(number) * HOUR, &USUAL));
    }
    baseline
}

/// What is missing, as the conditions' names and values.
#[track_caller]
fn check(baseline: &Baseline, cadence: Cadence, expected: &[&str]) {
    let missing = gate(baseline, cadence).into_iter().filter(|check| !check.is_met());
    let missing: Vec<String> = missing
        .map(|check| {
            let family = check.family.map_or(String::new(), |family| format!(" {family}"));
            format!("{}{family} {}", check.condition, check.have)
        })
        .collect();
    assert_eq!(missing, expected);
}

#[test]
fn a_fortnight_of_runs_that_all_do_the_same_is_enough() {
    check(&fortnight(), HOURLY, &[]);
    assert_eq!(cadence(&fortnight()), HOURLY);
}

#[test]
fn nothing_learned_is_not_enough() {
    check(&nothing(), HOURLY, &["days 0", "runs 0", "starts 0"]);
    check(&nothing(), Cadence::Continuous, &["days 0", "starts 0"]);
}

#[test]
fn one_run_a_day_needs_twenty_eight_of_them() {
    let mut baseline = nothing();
    for day in 0..27 {
        baseline.learn(id(day), &run(u64::from(day) * DAY, &USUAL));
    }
    check(&baseline, cadence(&baseline), &["runs 27"]);
}

#[test]
fn what_runs_all_the_time_needs_seven_days_of_watching_not_of_the_calendar() {
    let mut baseline = nothing();
    let day =
        |began, hours: u64| Run::new(began, PluginTime::from_millis(hours * HOUR * 1000), true, 1);
    (0..7).for_each(|number| baseline.learn(id(number), &day(u64::from(number) * DAY, 12)));
    check(&baseline, Cadence::Continuous, &["days 3"]);
    (0..7).for_each(|number| baseline.learn(id(number), &day(u64::from(number) * DAY, 24)));
    check(&baseline, Cadence::Continuous, &[]);
}

#[test]
fn a_run_that_was_not_seen_whole_teaches_nothing_and_holds_readiness_up_for_a_fortnight() {
    for fault in [Fault::Lost, Fault::Gaps, Fault::Tampered] {
        let mut baseline = fortnight();
        let mut blind = run(14 * DAY + 2 * HOUR, &[(Family::Exec, "/bin/new", 1)]);
        blind.fail(fault, 3);
        baseline.learn(id(1000), &blind);
        assert!(!baseline.kinds(Family::Exec).contains_key("/bin/new"), "{fault}");
        assert_eq!(baseline.kinds(Family::Exec), fortnight().kinds(Family::Exec));
        check(&baseline, HOURLY, &["blind 1"]);
        baseline.learn(id(1001), &run(28 * DAY + 4 * HOUR, &USUAL));
        check(&baseline, HOURLY, &[]);
    }
}

#[test]
fn a_run_that_was_contained_teaches_nothing_and_is_no_loss() {
    let mut baseline = fortnight();
    let mut contained = run(DAY, &[(Family::Exec, "/bin/new", 1)]);
    contained.fail(Fault::Contained, 1);
    baseline.learn(id(1000), &contained);
    assert!(!baseline.kinds(Family::Exec).contains_key("/bin/new"));
    check(&baseline, HOURLY, &[]);
}

#[test]
fn a_run_that_turns_out_to_be_lossy_takes_back_what_it_taught() {
    let mut baseline = nothing();
    baseline.learn(id(1), &run(0, &USUAL));
    let mut same = run(0, &USUAL);
    same.fail(Fault::Lost, 1);
    baseline.learn(id(1), &same);
    assert!(baseline.kinds(Family::Exec).is_empty());
}

#[test]
fn what_every_run_adds_is_not_known_however_long_it_is_watched() {
    let mut baseline = fortnight();
    for number in 0..14 * 24 + 1 {
        let name = format!("/bin/{number}");
        baseline.learn(id(number), &run(u64::from(number) * HOUR, &[(Family::Deed, &name, 1)]));
    }
    // 337 kinds of deeds are more than fit: no vote, so nothing is asked of them.
    assert!(baseline.is_full(Family::Deed));
    check(&baseline, HOURLY, &[]);
    let mut baseline = fortnight();
    for number in 0..14 * 24 + 1 {
        let name = format!("write /{number}");
        baseline.learn(id(number), &run(u64::from(number) * HOUR, &[(Family::Path, &name, 1)]));
    }
    check(&baseline, HOURLY, &["new_in_next_run path 10000", "new_in_as_many_runs path 336"]);
}

/// The estimates of a family whose kinds were seen in so many of these runs.
fn estimated(runs: u16, seen_in: &[u16]) -> (u64, u64) {
    let mut baseline = nothing();
    for number in 0..runs {
        let mut run = run(0, &[]);
        let of = seen_in.iter().enumerate().filter(|(_, runs)| number < **runs);
        of.for_each(|(name, _)| run.count(Family::Exec, &format!("{name}"), 1));
        baseline.learn(id(number), &run);
    }
    let checks = gate(&baseline, HOURLY);
    let of = |condition| checks.iter().find(|check| check.condition == condition).unwrap().have;
    (of(Condition::NewInNextRun), of(Condition::NewInAsManyRuns))
}

#[test]
fn the_estimates_are_those_worked_out_by_hand() {
    // Of 2 + 2 + 3 + 16 kinds of runs two are of one run. Of eight coins 255, 247 and 219 ways of 256 have one, two and
    // three heads or more: 2 · 255 − 247 + 219 = 482.
    assert_eq!(estimated(16, &[1, 1, 2, 3, 16]), (870, 2));
    // One coin: half of three.
    assert_eq!(estimated(3, &[1, 1, 1, 2, 3]), (3 * 10_000 / 8, 2));
}

#[test]
fn what_every_run_does_is_not_expected_anew_be_the_runs_odd_or_even() {
    for runs in 2..40 {
        assert_eq!(estimated(runs, &[runs; 30]), (0, 0), "{runs} runs");
    }
    assert_eq!(estimated(337, &[337; 30]), (0, 0));
}

#[test]
fn the_same_run_counts_once_however_often_it_is_learned() {
    let mut baseline = nothing();
    baseline.learn(id(1), &run(0, &USUAL));
    let once = baseline.clone();
    baseline.learn(id(1), &run(0, &USUAL));
    assert_eq!(baseline, once);
    assert_eq!(baseline.kinds(Family::Exec)["/bin/a"], (2, 1));
}

#[test]
fn a_family_with_more_kinds_than_its_limit_forgets_them_and_says_so() {
    for family in Family::ALL {
        let limit = family.limit();
        let mut baseline = nothing();
        baseline.learn(id(1), &kinds(*family, 0..limit));
        assert_eq!(baseline.kinds(*family).len(), limit);
        baseline.learn(id(2), &kinds(*family, 0..limit + 1));
        let state = baseline.families().find(|state| state.family == *family).unwrap();
        assert_eq!((state.kinds, state.seen, state.full), (0, 0, true), "{family}");
        assert!(baseline.families().all(|other| other.family == *family || !other.full));
    }
}

#[test]
fn a_template_that_is_too_long_is_cut_at_a_letter() {
    let long = format!("read /{}", "\u{e4}".repeat(TEMPLATE_BYTES));
    let run = run(0, &[(Family::Path, &long, 1), (Family::Path, &(long.clone() + "x"), 1)]);
    let found: Vec<_> =
        run.counts().map(|(_, template, times)| (template.to_string(), times)).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].0.len() <= TEMPLATE_BYTES && found[0].0.ends_with('…') && found[0].1 == 2);
}
