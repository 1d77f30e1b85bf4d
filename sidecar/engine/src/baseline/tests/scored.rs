//! How surprising a deed is to a frozen baseline.

use proptest::prelude::*;

use super::*;
use crate::sequence::Bits;

pub(super) const KEY: Key = Key::new([3; 16]);

/// What so many runs teach, each of which did what this says of its number.
pub(super) fn counts(runs: u16, deeds: impl Fn(u16, &mut Run)) -> Counts {
    Counts::of(&learned(runs, deeds), KEY)
}

pub(super) fn learned(runs: u16, deeds: impl Fn(u16, &mut Run)) -> Baseline {
    let mut baseline = nothing();
    for number in 0..runs {
        let mut run = run(u64::from(number) * HOUR, &[]);
        deeds(number, &mut run);
        baseline.learn(id(number), &run);
    }
    baseline
}

/// In sixteenths of a bit, which is exact for the powers of two of these tests.
fn sixteenths(bits: Option<Bits>) -> Option<u32> {
    bits.map(|bits| bits.raw() >> 12)
}

#[test]
fn the_surprise_is_the_witten_bell_estimate_worked_out_by_hand() {
    // Of four runs all show the first, two the second and one the third: seen 7 times, 3 kinds; 3 parts of 10 are new.
    let counts = counts(4, |number, run| {
        run.count(Family::Exec, "all", 1);
        (number < 2).then(|| run.count(Family::Exec, "half", 1));
        (number < 1).then(|| run.count(Family::Exec, "one", 1));
    });
    // log2(10 / 3) = 1.737, which is the most that anything has here.
    for (program, in_sixteenths) in [("all", 0), ("half", 16), ("one", 27), ("new", 27)] {
        let bits = counts.surprise(Family::Exec, program);
        assert_eq!(sixteenths(bits), Some(in_sixteenths), "{program}");
    }
    assert_eq!(counts.shown_by(Family::Exec, "half"), 2);
}

#[test]
fn how_often_a_loop_went_round_teaches_nothing() {
    let of = |times| counts(4, |_, run| run.count(Family::Exec, "a", times));
    for program in ["a", "new"] {
        let [once, often] = [1, 1000].map(|times| of(times).surprise(Family::Exec, program));
        assert_eq!(once, often, "{program}");
    }
}

#[test]
fn a_new_file_is_nothing_where_files_come_and_go_and_much_where_they_never_did() {
    let counts = counts(2047, |number, run| {
        run.count(Family::Path, "read /etc/stable", 1);
        run.count(Family::Path, &format!("write /spool/{number}"), 1);
    });
    let of = |path| sixteenths(counts.surprise(Family::Path, path)).unwrap();
    assert_eq!(of("write /spool/new"), 16);
    assert_eq!(of("read /etc/new"), 11 * 16);
}

#[test]
fn a_file_in_a_directory_that_is_new_itself_is_left_to_the_directory() {
    let counts = counts(1, |_, run| {
        run.count(Family::Path, "read /a/b", 1);
        run.count(Family::Directory, "read /a", 1);
    });
    assert_eq!(counts.surprise(Family::Path, "read /c/d"), None);
    assert_eq!(sixteenths(counts.surprise(Family::Directory, "read /c")), Some(16));
}

#[test]
fn a_run_that_shows_nothing_of_a_family_shows_one_kind_of_it() {
    // 28 times nothing and 4 times one: 2 kinds, so 2 parts of 34 are new.
    let counts = counts(32, |number, run| {
        (number < 4).then(|| run.count(Family::Deed, "socket netlink", 1));
    });
    assert_eq!(sixteenths(counts.surprise(Family::Deed, "entered")), Some(65));
}

#[test]
fn a_family_of_which_no_run_showed_anything_is_surprising_as_a_whole() {
    let counts = counts(31, |_, run| run.count(Family::Exec, "a", 1));
    assert_eq!(sixteenths(counts.surprise(Family::Deed, "namespaces 0x0")), Some(5 * 16));
    // No recording holds any.
    assert_eq!(counts.surprise(Family::Context, "1"), None);
}

#[test]
fn a_full_family_has_no_vote_and_nor_has_any_when_nothing_was_learned() {
    let mut baseline = nothing();
    assert_eq!(Counts::of(&baseline, KEY).surprise(Family::Deed, "0"), None);
    baseline.learn(id(1), &kinds(Family::Exec, 0..Family::Exec.limit() + 1));
    let counts = Counts::of(&baseline, KEY);
    assert_eq!(counts.surprise(Family::Exec, "0"), None);
    assert!(!counts.votes(Family::Exec) && counts.votes(Family::Deed));
}

#[test]
fn hashes_are_those_of_the_key() {
    let learned = |key| {
        let mut baseline = nothing();
        baseline.learn(id(1), &run(0, &[(Family::Exec, "/usr/bin/canary", 1)]));
        Counts::of(&baseline, Key::new(key))
    };
    let text = |key| format!("{:?}", learned(key));
    assert_eq!(text([1; 16]), text([1; 16]));
    assert_ne!(text([1; 16]), text([2; 16]));
    assert!(!text([1; 16]).contains("canary"));
}

#[test]
fn a_typical_baseline_takes_less_than_32_kib_and_a_full_one_less_than_256() {
    let of = |share: usize| {
        let mut baseline = nothing();
        for family in Family::ALL.iter().filter(|family| **family != Family::Context) {
            baseline.learn(id(*family as u16), &kinds(*family, 0..family.limit() / share));
        }
        Counts::of(&baseline, KEY).memory()
    };
    assert!(of(8) < 32 << 10, "{}", of(8));
    assert!(of(1) < 256 << 10, "{}", of(1));
}

proptest! {
    #[test]
    fn accepting_takes_the_surprise_of_one_deed_and_raises_no_other(
        deeds in prop::collection::vec(("[a-d]", 1_u16..9), 1..6), one in "[a-f]", other in "[a-f]",
    ) {
        let mut baseline = learned(9, |number, run| {
            let shown = deeds.iter().filter(|(_, runs)| number < *runs);
            shown.for_each(|(name, _)| run.count(Family::Exec, name, 1));
        });
        let before = Counts::of(&baseline, KEY);
        baseline.accept(accepted(Family::Exec, &one, 1));
        let after = Counts::of(&baseline, KEY);
        prop_assert_eq!(after.surprise(Family::Exec, &one), Some(Bits::default()));
        if one != other {
            prop_assert_eq!(after.surprise(Family::Exec, &other), before.surprise(Family::Exec, &other));
        }
    }
}
