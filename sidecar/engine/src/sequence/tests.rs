//! Each part is compared with what it stands for: logarithms and distances with floating point, look-ups with counts.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::bits::log2;
use super::*;

fn call(number: u32) -> Call {
    Call::numbered(number)
}

fn counts(limit: usize, threads: &[Vec<u32>]) -> CallCounts {
    let mut counts = CallCounts::new(limit);
    for thread in threads {
        let mut trail = Trail::START;
        for number in thread {
            counts.learn(&mut trail, call(*number));
        }
    }
    counts
}

fn trail(numbers: &[u32]) -> Trail {
    let mut trail = Trail::START;
    for number in numbers {
        trail.push(call(*number));
    }
    trail
}

fn histogram(numbers: &[u32]) -> Histogram {
    let mut histogram = Histogram::default();
    for number in numbers {
        histogram.add(call(*number), 1);
    }
    histogram
}

fn runs(limit: usize, all: &[Vec<u32>]) -> KnownRuns {
    let mut known = KnownRuns::new(limit);
    for run in all {
        known.learn(&histogram(run));
    }
    known
}

/// Few kinds of calls, so that contexts repeat.
fn some_threads() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0_u32..6, 0..30), 0..6)
}

fn merged(one: &CallCounts, other: &CallCounts) -> CallCounts {
    let mut merged = one.clone();
    merged.merge(other);
    merged
}

fn both(one: &KnownRuns, other: &KnownRuns) -> KnownRuns {
    let mut both = one.clone();
    both.merge(other);
    both
}

#[test]
fn numbers_from_the_limit_on_are_one_call_and_none_is_no_call() {
    assert_eq!(call(512), call(u32::MAX));
    assert_ne!(call(511), call(512));
    assert_eq!(call(0).number(), Some(0));
    assert_eq!(Call::NONE.number(), None);
}

#[test]
fn the_surprise_of_a_sure_thing_is_none_of_a_coin_one_bit_and_of_the_impossible_the_most() {
    assert_eq!(Bits::of_probability(1 << 32), Bits::default());
    assert_eq!(Bits::of_probability(1 << 31), Bits::ONE);
    assert_eq!(Bits::of_probability(0).raw(), 32 << 16);
    assert_eq!(Bits::of_probability(u64::MAX), Bits::default());
}

/// By hand: after "1 1 1" came 2 once, of one kind; after less, 1 came too.
#[test]
fn the_surprise_is_the_witten_bell_estimate_worked_out_by_hand() {
    let model = SurpriseModel::new(&counts(99, &[[1, 1, 1, 2].into()])).unwrap();
    let zero = (1.0 + 2.0 / 513.0) / 6.0; // seen once, 4 calls, 2 kinds
    let one = (1.0 + 2.0 * zero) / 5.0; // after 1: 1, 1, 2
    let two = (1.0 + 2.0 * one) / 4.0; // after 1 1: 1, 2
    let three = (1.0 + two) / 2.0; // after 1 1 1: 2
    let bits = -f64::log2(three);
    let computed = f64::from(model.surprise(trail(&[1, 1, 1]), call(2)).raw()) / 65536.0;
    assert!((bits - computed).abs() < 1e-4, "{bits} {computed}");
}

#[test]
fn a_call_in_a_context_that_was_not_learned_costs_its_surprise_alone_and_two_bits_less_a_tenth() {
    // 2 is a quarter of all calls: two bits and 1.9 more, a little less for what was never seen.
    let model = SurpriseModel::new(&counts(999, &[[1, 1, 1, 2].repeat(100)])).unwrap();
    assert_eq!(model.level(trail(&[2, 2, 2]), call(2)), Level::of(Bits::from_raw(255_591)));
    assert_eq!(model.miss(call(77)), Level::MAX);
}

#[test]
fn three_calls_in_a_row_are_novel_when_they_were_never_learned_whatever_came_before() {
    let model = SurpriseModel::new(&counts(99, &[[1, 2, 3, 4].into()])).unwrap();
    assert!(!model.is_novel(trail(&[9, 2, 3]), call(4)));
    assert!(model.is_novel(trail(&[1, 2, 9]), call(4)));
    assert!(model.is_novel(trail(&[1, 2, 3]), call(9)));
}

#[test]
fn with_too_many_kinds_nothing_is_known_and_it_says_so_and_no_model_comes_of_it() {
    let full = counts(3, &[[1, 2, 3, 4].into()]);
    assert!(full.is_saturated() && full.is_empty());
    assert!(SurpriseModel::new(&full).is_none());
    assert!(!counts(4, &[[1, 2, 3, 4].into()]).is_saturated());
}

#[test]
fn of_nothing_there_is_no_model_and_no_neighbour_and_no_mean_and_no_rank() {
    assert!(SurpriseModel::new(&CallCounts::new(9)).is_none());
    assert!(Neighbours::new(&KnownRuns::new(9)).is_none());
    assert_eq!(ThreadSums::default().mean(), None);
    assert_eq!(Ranks::new(Vec::new()), None);
}

#[test]
fn what_was_learned_is_listed_with_the_most_frequent_first() {
    let model = SurpriseModel::new(&counts(99, &[[1; 9].into(), [2].into()])).unwrap();
    let learned = model.learned();
    assert_eq!(learned.first().unwrap().gram, trail(&[1, 1, 1]).then(call(1)));
    assert_eq!(learned.len(), 5);
    assert_eq!(model.learned_after_two().first().unwrap(), &[call(1); 3]);
}

#[test]
fn seconds_add_up_and_an_impossible_sum_is_cut() {
    let mut thread = ThreadSums::default();
    thread.add(1, 3);
    thread.add(3, 1);
    assert_eq!(thread.mean().unwrap().raw(), 1 << 16);
    thread.add(4, u32::MAX);
    assert_eq!((thread.calls(), thread.mean().unwrap().raw()), (8, 8 << 16));
}

#[test]
fn a_known_mix_is_near_an_unknown_one_as_far_as_can_be() {
    let neighbours = Neighbours::new(&runs(9, &[[1, 1, 2].into(), [3].into()])).unwrap();
    assert!(neighbours.distance(&histogram(&[1, 2, 1])).unwrap().raw() < 16);
    assert_eq!(neighbours.distance(&histogram(&[7, 8])).unwrap().raw(), 1 << 16);
    assert_eq!(neighbours.distance(&Histogram::default()), None);
}

/// The same in floating point, from the formula of the module's header.
#[test]
fn the_distance_is_that_of_the_formula() {
    let known = [[1, 1, 1, 2, 3].to_vec(), [1, 4, 4].to_vec(), [2, 5].to_vec()];
    let (asked, runs_known) = ([1, 1, 2, 2, 2, 4, 9], known.len() as f64);
    let vector = |run: &[u32]| -> [f64; 10] {
        let weigh = |kind: u32| {
            let times = run.iter().filter(|call| **call == kind).count() as f64;
            let having = known.iter().filter(|run| run.contains(&kind)).count() as f64;
            let rarity =
                1.0 + ((1.0 + runs_known) / (1.0 + having)).log2() / f64::log2(1_f64.exp());
            if times == 0.0 { 0.0 } else { (1.0 + times.ln()) * rarity }
        };
        core::array::from_fn(|kind| weigh(u32::try_from(kind).unwrap()))
    };
    let dot = |one: &[f64; 10], other: &[f64; 10]| -> f64 {
        one.iter().zip(other).map(|(one, other)| one * other).sum()
    };
    let a = vector(&asked);
    let cosine = |b: [f64; 10]| dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
    let nearest = known.iter().map(|run| cosine(vector(run))).fold(0.0, f64::max);
    let neighbours = Neighbours::new(&runs(9, &known)).unwrap();
    let computed = f64::from(neighbours.distance(&histogram(&asked)).unwrap().raw()) / 65536.0;
    assert!((1.0 - nearest - computed).abs() < 1e-3, "{nearest} {computed}");
}

#[test]
fn of_more_runs_than_fit_a_sample_is_kept_and_it_says_so() {
    let all: Vec<Vec<u32>> = (0..50).map(|number| [number].into()).collect();
    let known = runs(10, &all);
    assert_eq!((known.len(), known.is_sampled()), (10, true));
    assert!(!runs(50, &all).is_sampled());
    let backwards: Vec<Vec<u32>> = all.into_iter().rev().collect();
    assert_eq!(known, runs(10, &backwards));
}

#[test]
fn normal_scores_are_those_of_the_normal_distribution() {
    let ranks = Ranks::new((0..999).collect()).unwrap();
    // Score 499 has the middle rank; 974 has 97.5 % up to its middle; 1 and 0.1 % as in any table.
    for (score, expected) in [(499, 0.0), (974, 1.96), (24, -1.96), (989, 2.326), (5000, 3.29)] {
        let score = f64::from(ranks.normal_score(score).raw()) / 1024.0;
        assert!((score - expected).abs() < 6e-3, "{score} is not {expected}");
    }
}

#[test]
fn equal_scores_share_the_middle_of_their_ranks() {
    let ranks = Ranks::new([5; 100].into()).unwrap();
    assert_eq!(ranks.normal_score(5).raw(), 0);
    assert_eq!(ranks.normal_score(4).raw(), -ranks.normal_score(6).raw());
}

#[test]
fn a_lane_without_anything_to_say_has_no_vote() {
    let ranks = Ranks::new((0..99).collect()).unwrap();
    let (high, low) = (ranks.normal_score(98), ranks.normal_score(0));
    assert_eq!(fused(Some(high), None), Some(high));
    assert_eq!(fused(None, Some(low)), Some(low));
    assert_eq!(fused(None, None), None);
    assert_eq!(fused(Some(high), Some(low)).unwrap().raw(), high.raw() + low.raw());
}

proptest! {
    #[test]
    fn logarithms_agree_with_floating_point(number in 1_u64..) {
        let exact = (number as f64).log2() * 65536.0;
        let computed = f64::from(log2(number));
        prop_assert!((exact - computed).abs() < 2.0, "{exact} {computed}");
    }

    #[test]
    fn a_level_is_within_half_a_step_of_a_surprise_below_eight_bits(raw in 0_u32..(8 << 16)) {
        let level = Level::of(Bits::from_raw(raw)).bits().raw();
        prop_assert!(level.abs_diff(raw) <= (8 << 16) / 30 + 1);
    }

    #[test]
    fn what_was_learned_has_the_level_of_its_surprise(threads in some_threads()) {
        let learned = counts(9999, &threads);
        if let Some(model) = SurpriseModel::new(&learned) {
            for entry in model.learned() {
                let [first, second, third, last] = entry.gram.calls();
                let mut trail = Trail::START;
                [first, second, third].into_iter().for_each(|call| trail.push(call));
                prop_assert_eq!(entry.level, Level::of(model.surprise(trail, last)));
                prop_assert_eq!(entry.level, model.level(trail, last));
                prop_assert!(!model.is_novel(trail, last));
            }
            prop_assert_eq!(model.learned().len(), learned.len());
        }
    }

    #[test]
    fn probabilities_of_all_calls_sum_to_one(threads in some_threads(), before in prop::collection::vec(0_u32..6, 3)) {
        if let Some(model) = SurpriseModel::new(&counts(9999, &threads)) {
            let probability = |number| {
                (-f64::from(model.surprise(trail(&before), call(number)).raw()) / 65536.0).exp2()
            };
            let sum: f64 = (0..=Call::LIMIT).map(probability).sum();
            prop_assert!((sum - 1.0).abs() < 1e-3, "{sum}");
        }
    }

    #[test]
    fn merging_counts_is_counting_all_in_any_order(
        a in some_threads(), b in some_threads(), c in some_threads(),
        limits in [1_usize..80, 1_usize..80, 1_usize..80],
    ) {
        let [first, second, third] = [(limits[0], &a), (limits[1], &b), (limits[2], &c)]
            .map(|(limit, threads)| counts(limit, threads));
        let left = merged(&merged(&first, &second), &third);
        prop_assert_eq!(&left, &merged(&first, &merged(&second, &third)));
        prop_assert_eq!(merged(&first, &second), merged(&second, &first));
        let all = [a, b, c].concat();
        prop_assert_eq!(left, counts(limits.into_iter().min().unwrap(), &all));
    }

    #[test]
    fn merging_runs_is_commutative_associative_and_idempotent(
        a in some_threads(), b in some_threads(), c in some_threads(),
        limits in [1_usize..9, 1_usize..9, 1_usize..9],
    ) {
        let [first, second, third] = [(limits[0], &a), (limits[1], &b), (limits[2], &c)]
            .map(|(limit, all)| runs(limit, all));
        prop_assert_eq!(both(&both(&first, &second), &third), both(&first, &both(&second, &third)));
        prop_assert_eq!(both(&first, &second), both(&second, &first));
        prop_assert_eq!(both(&first, &first), first);
    }

    #[test]
    fn a_higher_score_never_has_a_lower_normal_score(known in prop::collection::vec(0_u32..50, 1..60)) {
        let ranks = Ranks::new(known).unwrap();
        let scores: Vec<i32> = (0..52).map(|score| ranks.normal_score(score).raw()).collect();
        prop_assert!(scores.is_sorted(), "{scores:?}");
    }

    #[test]
    fn the_calls_of_a_thread_alone_decide_its_level_sum_however_they_are_cut_into_seconds(
        levels in prop::collection::vec(0_u32..16, 1..50), cut in 1_usize..50,
    ) {
        let whole = |seconds: &[&[u32]]| {
            let mut sums = ThreadSums::default();
            seconds.iter().for_each(|second| sums.add(u32::try_from(second.len()).unwrap(), second.iter().sum()));
            sums
        };
        let seconds: Vec<&[u32]> = levels.chunks(cut).collect();
        prop_assert_eq!(whole(&seconds), whole(&[&levels]));
    }
}
