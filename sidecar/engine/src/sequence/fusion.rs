//! One score of two lanes whose scales have nothing in common: Stouffer's sum of normal scores.

use alloc::vec::Vec;

/// Upper tail of the standard normal distribution at 0, 1/16 … 4, in units of 2^-32.
const TAIL: [u32; 65] = [
    2_147_483_648,
    2_040_463_074,
    1_933_859_599,
    1_828_085_449,
    1_723_543_207,
    1_620_621_219,
    1_519_689_280,
    1_421_094_676,
    1_325_158_638,
    1_232_173_297,
    1_142_399_148,
    1_056_063_096,
    973_357_067,
    894_437_218,
    819_423_723,
    748_401_109,
    681_419_127,
    618_494_098,
    559_610_690,
    504_724_062,
    453_762_323,
    406_629_220,
    363_207_012,
    323_359_439,
    286_934_745,
    253_768_671,
    223_687_392,
    196_510_323,
    172_052_769,
    150_128_378,
    130_551_380,
    113_138_573,
    97_711_073,
    84_095_798,
    72_126_702,
    61_645_758,
    52_503_710,
    44_560_598,
    37_686_084,
    31_759_596,
    26_670_309,
    22_316_991,
    18_607_724,
    15_459_542,
    12_797_986,
    10_556_605,
    8_676_424,
    7_105_383,
    5_797_768,
    4_713_651,
    3_818_335,
    3_081_821,
    2_478_304,
    1_985_695,
    1_585_180,
    1_260_811,
    999_134,
    788_856,
    620_540,
    486_337,
    379_749,
    295_426,
    228_975,
    176_813,
    136_027,
];
/// Units of a normal score between two entries of the table.
const STEP: u64 = 64;

/// What one lane gave in calibration: what turns its scores into ranks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranks(Vec<u32>);

impl Ranks {
    /// Nothing without a score.
    pub fn new(mut scores: Vec<u32>) -> Option<Self> {
        if scores.is_empty() {
            return None;
        }
        scores.sort_unstable();
        Some(Self(scores))
    }

    /// The normal quantile of the score's rank among those of calibration; a tie gets the middle of its ranks.
    pub fn normal_score(&self, score: u32) -> NormalScore {
        let below = self.0.partition_point(|known| *known < score) as u64;
        let not_above = self.0.partition_point(|known| *known <= score) as u64;
        let (rank, ranks) = (below + not_above + 1, 2 * (self.0.len() as u64 + 1));
        if rank * 2 <= ranks {
            NormalScore(-quantile(rank, ranks))
        } else {
            NormalScore(quantile(ranks - rank, ranks))
        }
    }
}

/// How far from the usual, in units of 2^-10 standard deviations. Above 0 is more unusual than half of calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NormalScore(i32);

impl NormalScore {
    /// In units of 2^-10 standard deviations; at most 4 of them either way for one lane.
    pub const fn raw(self) -> i32 {
        self.0
    }
}

/// Both lanes in one. A lane that has nothing to say (no call yet) has no vote.
pub fn fused(order: Option<NormalScore>, mix: Option<NormalScore>) -> Option<NormalScore> {
    match (order, mix) {
        (Some(order), Some(mix)) => Some(NormalScore(order.0 + mix.0)),
        (one, other) => one.or(other),
    }
}

/// Where the upper tail is `part` of `whole`, for at most a half. Between two entries a straight line: less than 2^-8
/// too high.
fn quantile(part: u64, whole: u64) -> i32 {
    let tail = (u128::from(part) << 32).checked_div(u128::from(whole)).unwrap_or(0);
    let (mut steps, mut within) = (0, 0);
    for pair in TAIL.windows(2) {
        let [nearer, farther] = pair else { continue };
        let (nearer, farther) = (u128::from(*nearer), u128::from(*farther));
        if farther < tail {
            within = nearer.saturating_sub(tail) * u128::from(STEP) / (nearer - farther).max(1);
            break;
        }
        steps += STEP;
    }
    i32::try_from(u128::from(steps) + within).unwrap_or(i32::MAX)
}
