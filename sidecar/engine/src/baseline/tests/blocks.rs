//! Scored runs as blocks.

use std::vec::Vec;

use super::*;
use crate::learned::{Block, Lane, Scores, Surprise};

/// A run of so many seconds, with so many bits of novelty.
fn mark(began: u64, seconds: u64, bits: u32) -> Mark {
    let lasted = PluginTime::from_millis(seconds * 1000);
    let scores = Scores::default().with(Lane::Novelty, Surprise::from_bits(bits));
    Mark { began, lasted, started: true, scores }
}

/// Seconds since the block before, hour, start and novelty of each block.
fn told(blocks: &[(u64, Block)]) -> Vec<(u64, u8, bool, u16)> {
    let tell = |(_, block): &(u64, Block)| {
        let novelty = block.scores.of(Lane::Novelty).sixteenths() / 16;
        (block.elapsed.as_millis() / 1000, block.hour, block.starting, novelty)
    };
    blocks.iter().map(tell).collect()
}

#[test]
fn runs_are_blocks_in_the_order_of_time_each_a_pause_after_the_one_before() {
    let marks = [mark(3 * HOUR, 60, 3), mark(HOUR, 60, 1), mark(2 * HOUR + 5, 60, 2)];
    let expected = [(0, 1, true, 1), (HOUR + 5, 2, false, 2), (HOUR - 5, 3, false, 3)];
    assert_eq!(told(&blocks(marks, None)), expected);
    // What follows a calibration has no start of its own, and the pause since its last run.
    assert_eq!(told(&blocks([mark(2 * HOUR, 1, 1)], Some(HOUR))), [(HOUR, 2, false, 1)]);
}

#[test]
fn runs_that_overlap_are_one_block_with_the_larger_score() {
    let marks = [mark(0, 100, 1), mark(50, 100, 5), mark(140, 20, 2), mark(160, 1, 3)];
    assert_eq!(told(&blocks(marks, None)), [(0, 0, true, 5), (160, 0, false, 3)]);
}

#[test]
fn a_pause_of_more_than_a_day_counts_as_a_day_and_a_clock_set_forward_as_no_more() {
    let marks = [mark(0, 1, 0), mark(3 * DAY, 1, 0), mark(u64::MAX, 1, 0)];
    let elapsed: Vec<_> = told(&blocks(marks, None)).iter().map(|block| block.0).collect();
    assert_eq!(elapsed, [0, DAY, DAY]);
}

#[test]
fn a_clock_that_was_set_back_makes_no_time() {
    assert_eq!(told(&blocks([mark(HOUR, 1, 0)], Some(2 * HOUR)))[0].0, 0);
}

#[test]
fn a_baseline_is_frozen_when_its_last_run_ended_and_its_last_acceptance_was_made() {
    let mut baseline = nothing();
    assert_eq!(frozen_at(&baseline), 0);
    baseline.learn(id(1), &run(5 * HOUR, &[]));
    baseline.learn(id(2), &run(2 * HOUR, &[]));
    assert_eq!(frozen_at(&baseline), 6 * HOUR);
    let mut blind = run(20 * HOUR, &[]);
    blind.fail(Fault::Lost, 1);
    baseline.learn(id(3), &blind);
    assert_eq!(frozen_at(&baseline), 6 * HOUR);
    baseline.accept(accepted(Family::Exec, "/bin/a", 9 * HOUR));
    assert_eq!(frozen_at(&baseline), 9 * HOUR);
}
