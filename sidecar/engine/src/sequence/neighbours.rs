//! How far a run's mix of system calls is from the nearest run that was learned.
//!
//! Each run is a vector: `(1 + ln count) · (1 + ln((1 + runs) / (1 + runs with the call)))` for each call, scaled to
//! length 1. The distance is one less the cosine.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::bits::log2;
use super::{Call, Histogram};

/// The natural logarithm of 2, in units of 2^-16.
const LN_2: u64 = 45_426;
const ONE: u64 = 1 << 16;

/// How often each call was called, as `1 + ln count` in units of 2^-10.
type Frequencies = Box<[(Call, u16)]>;

/// The runs that were learned, each only once.
///
/// Memory is bounded: of more runs than the limit those with the smallest hashes are kept, which is a fair sample and
/// the same one in whichever order they come; [`KnownRuns::is_sampled`] says so. A merge is commutative, associative
/// and idempotent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRuns {
    by_hash: BTreeMap<u64, Frequencies>,
    limit: usize,
    sampled: bool,
}

impl KnownRuns {
    /// Enough for every program looked at so far, at about 100 bytes each.
    pub const DEFAULT_LIMIT: usize = 1024;

    /// None yet; at most so many.
    pub const fn new(limit: usize) -> Self {
        Self { by_hash: BTreeMap::new(), limit, sampled: false }
    }

    /// Learns a run. One without a single call is none.
    pub fn learn(&mut self, histogram: &Histogram) {
        let frequencies: Frequencies =
            histogram.iter().map(|(call, times)| (call, frequency(times))).collect();
        if !frequencies.is_empty() {
            self.insert(hash(&frequencies), frequencies);
        }
    }

    /// Adds what another one has learned.
    pub fn merge(&mut self, other: &Self) {
        self.limit = self.limit.min(other.limit);
        self.sampled |= other.sampled;
        for (hash, frequencies) in &other.by_hash {
            self.insert(*hash, frequencies.clone());
        }
        self.shrink();
    }

    /// Whether there were more different runs than the limit.
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// Different runs that are kept.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    fn insert(&mut self, hash: u64, frequencies: Frequencies) {
        match self.by_hash.get_mut(&hash) {
            // Two runs of one hash: which one is kept must not depend on their order.
            Some(known) if frequencies < *known => *known = frequencies,
            Some(_) => {}
            None => drop(self.by_hash.insert(hash, frequencies)),
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.limit < self.by_hash.len() {
            self.by_hash.pop_last();
            self.sampled = true;
        }
    }
}

/// The known runs, ready to be asked.
#[derive(Clone, Debug)]
pub struct Neighbours {
    runs: u64,
    /// Runs that have the call.
    having: BTreeMap<Call, u64>,
    /// Vectors of length 1, in units of 2^-16, without what is 0.
    vectors: Vec<Box<[(Call, u16)]>>,
}

impl Neighbours {
    /// Nothing, if no run is known.
    pub fn new(known: &KnownRuns) -> Option<Self> {
        if known.is_empty() {
            return None;
        }
        let mut neighbours =
            Self { runs: known.len() as u64, having: BTreeMap::new(), vectors: Vec::new() };
        for (call, _) in known.by_hash.values().flatten() {
            *neighbours.having.entry(*call).or_insert(0) += 1;
        }
        neighbours.vectors =
            known.by_hash.values().map(|frequencies| neighbours.rounded(frequencies)).collect();
        Some(neighbours)
    }

    /// How far the run is from the nearest known one; nothing for a run without a call.
    pub fn distance(&self, histogram: &Histogram) -> Option<Distance> {
        let frequencies: Frequencies =
            histogram.iter().map(|(call, times)| (call, frequency(times))).collect();
        let vector = self.vector(&frequencies);
        if vector.is_empty() {
            return None;
        }
        let nearest = self.vectors.iter().map(|known| product(&vector, known)).max()?;
        let away = ONE.saturating_sub(nearest >> 24);
        u32::try_from(away).ok().map(Distance)
    }

    /// Bytes of the vectors.
    pub fn bytes(&self) -> usize {
        self.vectors.iter().map(|vector| size_of_val::<[_]>(vector)).sum()
    }

    fn rounded(&self, frequencies: &Frequencies) -> Box<[(Call, u16)]> {
        let shorter = |length: u32| u16::try_from((length + 128) >> 8).unwrap_or(u16::MAX);
        self.vector(frequencies).iter().map(|(call, length)| (*call, shorter(*length))).collect()
    }

    /// Of length 1, in units of 2^-24.
    fn vector(&self, frequencies: &Frequencies) -> Vec<(Call, u32)> {
        // At most 46 · 46 · 2^16, so 512 squares fit.
        let weigh = |(call, frequency): &(Call, u16)| {
            (*call, (u64::from(*frequency) * self.rarity(*call)) >> 10)
        };
        let weights: Vec<(Call, u64)> = frequencies.iter().map(weigh).collect();
        let length = weights.iter().map(|(_, weight)| weight * weight).sum::<u64>().isqrt();
        let scale = |(call, weight): (Call, u64)| {
            let part = (weight << 24).checked_div(length)?;
            Some((call, u32::try_from(part).ok()?))
        };
        weights.into_iter().filter_map(scale).collect()
    }

    /// `1 + ln((1 + runs) / (1 + runs with the call))` in units of 2^-16.
    fn rarity(&self, call: Call) -> u64 {
        let having = self.having.get(&call).copied().unwrap_or(0);
        let rarer = log2(1 + self.runs).saturating_sub(log2(1 + having));
        ONE + ((u64::from(rarer) * LN_2) >> 16)
    }
}

/// From 0, a known mix of calls, to 2^16, none of them known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Distance(u32);

impl Distance {
    /// In units of 2^-16.
    pub const fn raw(self) -> u32 {
        self.0
    }
}

/// Of two vectors in order of their calls, in units of 2^-40.
fn product(one: &[(Call, u32)], other: &[(Call, u16)]) -> u64 {
    let mut others = other.iter().peekable();
    let mut sum = 0;
    for (call, length) in one {
        while others.next_if(|(known, _)| known < call).is_some() {}
        if let Some((_, known)) = others.next_if(|(known, _)| known == call) {
            sum += u64::from(*length) * u64::from(*known);
        }
    }
    sum
}

/// `1 + ln times` in units of 2^-10: at most 45.4, so it fits.
fn frequency(times: u64) -> u16 {
    let natural = (u64::from(log2(times)) * LN_2) >> 22;
    u16::try_from((1 << 10) + natural).unwrap_or(u16::MAX)
}

/// FNV-1a.
fn hash(frequencies: &[(Call, u16)]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for (call, frequency) in frequencies {
        let number = call.number().unwrap_or(u32::MAX).to_le_bytes();
        for byte in number.into_iter().chain(frequency.to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
    hash
}
