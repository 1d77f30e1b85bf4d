//! How surprising a deed is to a frozen baseline.

use proptest::prelude::*;

use super::*;
use crate::sequence::Bits;

const KEY: Key = Key::new([3; 16]);

fn counts(deeds: &[(Family, &str, u32)]) -> Counts {
    let mut baseline = nothing();
    baseline.learn(id(1), &run(0, deeds));
    Counts::of(&baseline, KEY)
}

/// In sixteenths of a bit, which is exact for the powers of two of these tests.
fn sixteenths(bits: Option<Bits>) -> Option<u32> {
    bits.map(|bits| bits.raw() >> 12)
}

#[test]
fn the_surprise_is_the_witten_bell_estimate_worked_out_by_hand() {
    // Seen 6 times, 2 kinds: of 8 parts the first has 4, the second 2, and all that is new 2.
    let counts = counts(&[(Family::Exec, "a", 4), (Family::Exec, "b", 2)]);
    for (program, bits) in [("a", 1), ("b", 2), ("new", 2)] {
        assert_eq!(
            sixteenths(counts.surprise(Family::Exec, program)),
            Some(bits * 16),
            "{program}"
        );
    }
}

#[test]
fn a_new_file_is_nothing_where_files_come_and_go_and_much_where_they_never_did() {
    let mut run = run(0, &[(Family::Path, "read /etc/stable", 4095)]);
    (0..1000).for_each(|number| run.count(Family::Path, &format!("write /spool/{number}"), 1));
    let mut baseline = nothing();
    baseline.learn(id(1), &run);
    let counts = Counts::of(&baseline, KEY);
    let of = |path| sixteenths(counts.surprise(Family::Path, path)).unwrap();
    assert_eq!(of("write /spool/new"), 16);
    assert_eq!(of("read /etc/new"), 12 * 16);
}

#[test]
fn a_file_in_a_directory_that_is_new_itself_is_left_to_the_directory() {
    let counts = counts(&[(Family::Path, "read /a/b", 1), (Family::Directory, "read /a", 1)]);
    assert_eq!(counts.surprise(Family::Path, "read /c/d"), None);
    assert_eq!(sixteenths(counts.surprise(Family::Directory, "read /c")), Some(16));
}

#[test]
fn a_full_family_and_one_of_which_nothing_is_known_have_no_vote() {
    let mut baseline = nothing();
    baseline.learn(id(1), &kinds(Family::Exec, 0..Family::Exec.limit() + 1));
    let counts = Counts::of(&baseline, KEY);
    assert_eq!(counts.surprise(Family::Exec, "0"), None);
    assert_eq!(counts.surprise(Family::Deed, "0"), None);
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
        deeds in prop::collection::vec(("[a-d]", 1_u32..9), 1..6), one in "[a-f]", other in "[a-f]",
    ) {
        let mut baseline = nothing();
        let mut learned = run(0, &[]);
        deeds.iter().for_each(|(name, times)| learned.count(Family::Exec, name, *times));
        baseline.learn(id(1), &learned);
        let before = Counts::of(&baseline, KEY);
        baseline.accept(accepted(Family::Exec, &one, 1));
        let after = Counts::of(&baseline, KEY);
        prop_assert_eq!(after.surprise(Family::Exec, &one), Some(Bits::default()));
        if one != other {
            prop_assert_eq!(after.surprise(Family::Exec, &other), before.surprise(Family::Exec, &other));
        }
    }
}
