//! Plugins for tests: blocks of ten seconds whose chance comes from a seed.

use alloc::vec::Vec;

use super::*;

pub(super) const DAY: usize = 24 * 360;
pub(super) const FORTNIGHT: usize = 14 * DAY;
pub(super) const SUBJECT: Subject = Subject([7; 32]);

/// SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.draw().is_multiple_of(n)
    }

    /// At least `n` bits with probability 2⁻ⁿ.
    fn surprise(&mut self) -> Surprise {
        Surprise::from_sixteenths(self.draw().trailing_zeros() * 16 + (self.draw() % 16) as u32)
    }
}

/// The block at this place of a plugin's life, as calm as can be. It starts once a day.
pub(super) fn quiet(place: usize) -> Block {
    let starting = place.is_multiple_of(DAY);
    let lifecycle = if starting { Surprise::from_bits(4) } else { Surprise::NONE };
    let scores = Scores::default().with(Lane::Lifecycle, lifecycle);
    let hour = u8::try_from(place % DAY / 360).unwrap();
    Block { elapsed: Scale::SHORTEST, hour, starting, scores }
}

/// As any plugin: three lanes are surprised as often as they say.
pub(super) fn noisy(place: usize, chance: &mut Chance) -> Block {
    let mut block = quiet(place);
    for lane in [Lane::Novelty, Lane::Sequence, Lane::Rate] {
        if chance.one_in(4) {
            block.scores = block.scores.with(lane, chance.surprise());
        }
    }
    block
}

pub(super) fn with(block: Block, lane: Lane, bits: u32) -> Block {
    let score = block.scores.of(lane).max(Surprise::from_bits(bits));
    Block { scores: block.scores.with(lane, score), ..block }
}

/// An attack that no lane could overlook.
pub(super) fn strong(block: Block) -> Block {
    with(with(block, Lane::Novelty, 40), Lane::Sequence, 40)
}

pub(super) fn noisy_blocks(n: usize, seed: u64) -> Vec<Block> {
    let mut chance = Chance(seed);
    (0..n).map(|place| noisy(place, &mut chance)).collect()
}

/// Certified over two weeks.
#[track_caller]
pub(super) fn certified(blocks: &[Block]) -> Certificate {
    match certify(SUBJECT, Cadence::Continuous, blocks) {
        Ok(certificate) => certificate,
        Err(missing) => panic!("{missing:?}"),
    }
}

pub(super) fn contain_once_in(days: u64) -> Rung {
    Rung { severity: Severity::Contain, budget: Budget::one_per_days(days).unwrap() }
}

pub(super) fn once_in_blocks(severity: Severity, n: u64) -> Rung {
    let time = PluginTime::from_millis(n * Scale::SHORTEST.as_millis());
    Rung { severity, budget: Budget::one_per(time).unwrap() }
}

/// How many blocks of ten seconds it takes until the detector acts.
pub(super) fn delay(detector: &mut Detector, blocks: impl Iterator<Item = Block>) -> Option<usize> {
    let mut blocks = blocks.take(10 * DAY);
    blocks.position(|block| detector.observe(&block).is_some()).map(|place| place + 1)
}
