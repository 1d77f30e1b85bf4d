//! Scores of blocks by a frozen baseline, and their reasons.

use std::string::ToString;
use std::vec::Vec;

use proptest::prelude::*;

use super::scored::{KEY, counts, learned};
use super::*;
use crate::learned::{Lane, Scores, Surprise};
use crate::testing::*;
use crate::*;

/// An hourly plugin of 31 runs that all do the same, so that anything new has 5 bits.
fn usual(_: u16, run: &mut Run) {
    run.count(Family::Exec, "/opt/plugin", 1);
    run.count(Family::Syscall, "0", 1);
    run.count(Family::Directory, "read /etc", 1);
    run.count(Family::Path, "read /etc/hosts", 1);
}

fn votes(counts: &Counts, deeds: &[(Family, &str)]) -> Votes {
    let mut votes = Votes::default();
    deeds.iter().for_each(|(family, template)| votes.hear(counts, *family, template));
    votes
}

/// Bits of danger and of novelty of a block in which these happened, once 31 usual runs were learned.
#[track_caller]
fn check(deeds: &[(Family, &str)], danger: u32, novelty: u32) {
    let scores = votes(&counts(31, usual), deeds).scores(&run(0, &[]));
    let expected = Scores::default()
        .with(Lane::Danger, Surprise::from_bits(danger))
        .with(Lane::Novelty, Surprise::from_bits(novelty));
    assert_eq!(scores, expected, "{deeds:?}");
}

#[test]
fn what_every_run_did_scores_nothing() {
    let mut block = run(0, &[]);
    usual(0, &mut block);
    let deeds: Vec<_> = block.counts().map(|(family, template, _)| (family, template)).collect();
    check(&deeds, 0, 0);
}

#[test]
fn each_voice_speaks_once_with_the_most_surprising_that_it_heard() {
    check(&[(Family::Exec, "/bin/a")], 0, 5);
    check(&[(Family::Exec, "/bin/a"), (Family::Exec, "/bin/b")], 0, 5);
    check(&[(Family::Exec, "/bin/a"), (Family::Syscall, "1")], 0, 10);
    // A file and its directory are one act.
    check(&[(Family::Directory, "write /etc"), (Family::Path, "write /etc/hosts")], 0, 5);
    check(&[(Family::Path, "read /etc/passwd")], 0, 5);
}

#[test]
fn what_was_learned_and_is_rare_has_one_voice_for_all_of_it() {
    let turn = [
        (Family::Exec, "/bin/sort"),
        (Family::Syscall, "1"),
        (Family::Path, "read /etc/group"),
        (Family::Deed, "socket netlink"),
        (Family::Syscall, "272"),
    ];
    let counts = counts(32, |number, run| {
        usual(number, run);
        // One run in eight takes another turn: three bits.
        let deeds = turn.iter().filter(|_| number < 4);
        deeds.for_each(|(family, template)| run.count(*family, template, 1));
    });
    let scores = votes(&counts, &turn).scores(&run(0, &[]));
    let bits = Surprise::from_bits(3);
    assert_eq!((scores.of(Lane::Danger), scores.of(Lane::Novelty)), (bits, bits));
    let one = votes(&counts, &turn[1..2]).scores(&run(0, &[]));
    assert_eq!(one.of(Lane::Novelty), bits);
}

#[test]
fn the_danger_set_and_reaching_out_in_other_ways_are_danger_the_rest_is_novelty() {
    check(&[(Family::Deed, "namespaces 0x10000000")], 21, 0);
    // unshare, of three tables, made and refused.
    check(&[(Family::Syscall, "272")], 21, 0);
    check(&[(Family::Syscall, "ia32 310")], 21, 0);
    check(&[(Family::Syscall, "x32 1073742096")], 21, 0);
    check(&[(Family::Syscall, "272"), (Family::Errno, "syscall 272 refused")], 21, 0);
    check(&[(Family::Errno, "syscall ia32 310 refused")], 21, 0);
    check(&[(Family::Deed, "namespaces 0x10000000"), (Family::Syscall, "272")], 42, 0);
    check(&[(Family::Syscall, "310"), (Family::Syscall, "ia32 272")], 21, 5);
    check(&[(Family::Errno, "connect refused"), (Family::Errno, "syscall 1 refused")], 0, 5);
    check(&[(Family::Destination, "connect 10.1.2.0/24 tcp 443")], 0, 5);
}

#[test]
fn what_was_accepted_scores_nothing() {
    let mut baseline = learned(31, usual);
    baseline.accept(accepted(Family::Exec, "/usr/bin/git", 1));
    let counts = Counts::of(&baseline, KEY);
    let votes = votes(&counts, &[(Family::Exec, "/usr/bin/git")]);
    assert_eq!(votes.scores(&run(0, &[])), Scores::default());
    assert_eq!(votes, Votes::default());
}

#[test]
fn a_family_that_is_full_is_silent_and_that_is_said() {
    let mut baseline = learned(31, usual);
    baseline.learn(id(99), &kinds(Family::Exec, 0..Family::Exec.limit() + 1));
    let counts = Counts::of(&baseline, KEY);
    let votes = votes(&counts, &[(Family::Exec, "/bin/new"), (Family::Syscall, "0")]);
    assert_eq!(votes.scores(&run(0, &[])).of(Lane::Novelty), Surprise::NONE);
    assert_eq!(votes.silent().iter().collect::<Vec<_>>(), [&Family::Exec]);
}

#[test]
fn whoever_does_everything_cannot_fill_a_block_until_it_is_silent() {
    let counts = counts(31, usual);
    let mut votes = votes(&counts, &[(Family::Exec, "/bin/attack")]);
    let before = votes.scores(&run(0, &[]));
    for number in 0..3 * Family::Exec.limit() {
        votes.hear(&counts, Family::Exec, &format!("/bin/{number}"));
    }
    assert_eq!(votes.scores(&run(0, &[])), before);
    assert_eq!(votes.items(Lane::Novelty).len(), Votes::KEPT);
}

#[test]
fn what_was_not_seen_is_a_lane_of_its_own() {
    let loss = |faults: &[(Fault, u64)]| {
        let mut run = run(0, &[]);
        faults.iter().for_each(|(fault, times)| run.fail(*fault, *times));
        let scores = Votes::default().scores(&run);
        assert_eq!(scores, Scores::default().with(Lane::Loss, scores.of(Lane::Loss)));
        scores.of(Lane::Loss)
    };
    assert_eq!(loss(&[]), Surprise::NONE);
    assert_eq!(loss(&[(Fault::Lost, 1)]), Surprise::from_bits(2));
    assert_eq!(loss(&[(Fault::Lost, 1000), (Fault::Gaps, 24)]), Surprise::from_bits(12));
    assert_eq!(loss(&[(Fault::Tampered, 1)]).above(), Some(Surprise::from_bits(32)));
    assert_eq!(loss(&[(Fault::Contained, 1)]), Surprise::NONE);
}

#[test]
fn the_reason_is_the_fewest_deeds_that_exceed_the_level_together() {
    let counts = counts(31, |number, run| {
        usual(number, run);
        // In half of the runs: one bit.
        (number < 16).then(|| run.count(Family::Destination, "connect 10.0.0.0/24 tcp 1", 1));
    });
    let deeds = [
        (Family::Destination, "connect 10.0.0.0/24 tcp 1"),
        (Family::Syscall, "1"),
        (Family::Exec, "/bin/a"),
        (Family::Exec, "/bin/b"),
    ];
    let all = votes(&counts, &deeds);
    // 5 + 5 + 0.95: above 8, for which two are enough.
    let why = all.why(Lane::Novelty).unwrap();
    let told: Vec<_> = why.items.iter().map(|item| (item.family, &*item.template)).collect();
    assert_eq!(why.above, Surprise::from_bits(8));
    assert_eq!(told, [(Family::Exec, "/bin/a"), (Family::Syscall, "1")]);
    // Without either of them it does not.
    let fewer = votes(&counts, &deeds[1..2]).scores(&run(0, &[]));
    assert!(fewer.of(Lane::Novelty) < why.above);
    assert_eq!(all.why(Lane::Danger), None);
    assert_eq!(votes(&counts, &deeds[..1]).why(Lane::Novelty), None);
}

/// A recorded run of these facts, 31 usual ones having been learned.
fn scored(facts: Vec<Fact>) -> Scorer {
    let mut scorer = Scorer::new(counts(31, usual), Observer::new(ms(0), 1000));
    scorer.hear(&register(nothing_declared()));
    scorer.hear(&event(ms(1), read("/launcher")));
    scorer.hear(&event(ms(2), exec("/opt/plugin", &[])));
    facts.into_iter().for_each(|fact| scorer.hear(&event(ms(3), fact)));
    scorer
}

#[test]
fn a_run_is_scored_by_the_reduction_that_learns_it() {
    let facts = Vec::from([read("/etc/hosts"), exec("/bin/nc", &["nc", "evil"]), syscall(0)]);
    let scorer = scored(facts.clone());
    let open = scorer.scores(SANDBOX).unwrap();
    assert_eq!(open.of(Lane::Novelty), Surprise::from_bits(5));
    let runs = scorer.finish();
    let [one] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!(one.scores(), open);
    let items: Vec<_> =
        one.votes.items(Lane::Novelty).into_iter().map(|it| &*it.template).collect();
    assert_eq!(items, ["/bin/nc"]);
    // The very run that an observer makes of the same inputs.
    let mut observer = Observer::new(ms(0), 1000);
    observer.hear(&register(nothing_declared()));
    observer.hear(&event(ms(1), read("/launcher")));
    observer.hear(&event(ms(2), exec("/opt/plugin", &[])));
    facts.into_iter().for_each(|fact| observer.hear(&event(ms(3), fact)));
    assert_eq!(Vec::from([one.observed.clone()]), observer.finish());
}

#[test]
fn a_lossy_run_is_scored_on_what_arrived_before_and_after() {
    let loss = Input::Loss { sandbox: SANDBOX, lost: 4, at: ms(4) };
    let mut scorer = scored(Vec::from([exec("/bin/nc", &[])]));
    scorer.hear(&loss);
    scorer.hear(&event(ms(5), syscall(1)));
    let scores = scorer.scores(SANDBOX).unwrap();
    assert_eq!(scores.of(Lane::Novelty), Surprise::from_bits(10));
    assert_eq!(scores.of(Lane::Loss), Surprise::from_bits(4));
}

#[test]
fn what_a_plugin_does_once_it_was_contained_is_not_its_own() {
    let mut scorer = scored(Vec::from([exec("/bin/nc", &[])]));
    let before = scorer.scores(SANDBOX).unwrap();
    scorer.hear(&receipt(ms(4), Step::Freeze, Outcome::Done));
    scorer.hear(&event(ms(5), syscall(1)));
    assert_eq!(scorer.scores(SANDBOX), Some(before));
}

#[test]
fn each_sandbox_has_votes_of_its_own_and_a_run_that_ends_takes_its_along() {
    let mut scorer = scored(Vec::from([exec("/bin/nc", &[])]));
    scorer.hear(&Input::Unregister { sandbox: SANDBOX, at: ms(9) });
    assert_eq!(scorer.scores(SANDBOX), None);
    let next = SandboxId { generation: 2, ..SANDBOX };
    let (policy, arrival) = (nothing_declared(), Arrival::Gated);
    scorer.hear(&Input::Register { sandbox: next, policy, arrival, at: ms(10) });
    scorer.hear(&event_of(next, INIT, ms(11), exec("/opt/plugin", &[])));
    let novelty: Vec<_> =
        scorer.finish().iter().map(|it| it.scores().of(Lane::Novelty).to_string()).collect();
    assert_eq!(novelty, ["5.00 bits", "0.00 bits"]);
}

type Deeds = Vec<(Family, String)>;

fn any_deeds() -> impl Strategy<Value = Deeds> {
    prop::collection::vec(
        (prop::sample::select(Family::ALL), "[a-e]|/[ab]/[a-e]|[0-9]{1,3}"),
        0..40,
    )
}

fn twice_and_shuffled() -> impl Strategy<Value = (Deeds, Deeds)> {
    any_deeds().prop_flat_map(|deeds| {
        let twice = [deeds.clone(), deeds.clone()].concat();
        (Just(deeds), Just(twice).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn a_score_never_falls_within_its_block_and_order_and_repetition_change_nothing(
        taught in prop::collection::vec(any_deeds(), 1..6), (deeds, shuffled) in twice_and_shuffled(),
    ) {
        let counts = counts(u16::try_from(taught.len()).unwrap(), |number, run| {
            taught[usize::from(number)].iter().for_each(|(family, it)| run.count(*family, it, 1));
        });
        let mut votes = Votes::default();
        let mut before = Scores::default();
        for (family, template) in &deeds {
            votes.hear(&counts, *family, template);
            let now = votes.scores(&run(0, &[]));
            prop_assert_eq!(before.merged(now), now);
            before = now;
        }
        let mut again = Votes::default();
        shuffled.iter().for_each(|(family, template)| again.hear(&counts, *family, template));
        prop_assert_eq!(&again, &votes);
        for lane in [Lane::Danger, Lane::Novelty] {
            let why = votes.why(lane);
            prop_assert_eq!(why.as_ref().map(|why| why.above), before.of(lane).above());
            // The fewest: without the last of them the level is not exceeded.
            if let Some((_, fewer)) = why.as_ref().and_then(|why| why.items.split_last()) {
                let sum: u32 = fewer.iter().map(|item| item.bits().raw()).sum();
                prop_assert!(sum >> 12 <= u32::from(why.unwrap().above.sixteenths()));
            }
        }
    }

    #[test]
    fn what_was_learned_is_never_more_surprising_than_something_new_in_its_place(
        taught in prop::collection::vec(any_deeds(), 1..6),
    ) {
        let counts = counts(u16::try_from(taught.len()).unwrap(), |number, run| {
            taught[usize::from(number)].iter().for_each(|(family, it)| run.count(*family, it, 1));
        });
        for (family, template) in taught.iter().flatten() {
            let beside = template.rsplit_once('/').map_or("new".into(), |(at, _)| format!("{at}/new"));
            prop_assert!(
                counts.surprise(*family, template) <= counts.surprise(*family, &beside),
                "{family} {template}"
            );
        }
    }
}
