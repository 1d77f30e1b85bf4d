//! The frozen counts: how unexpected a call is in its context, and what of that the kernel side can hold.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::bits::Bits;
use super::{Call, CallCounts, Gram, Trail};

/// Certainty, as probabilities count here.
const ONE: u128 = 1 << 32;
/// The order of the longest context.
const LONGEST: usize = 3;

/// Surprise as the kernel side adds it up: 0 to 15, of which the highest is 8 bits or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    /// The highest.
    pub const MAX: Self = Self(15);
    /// What the highest stands for, at least.
    const CAP: Bits = Bits::from_raw(8 << 16);

    /// The nearest level, 8/15 of a bit apart.
    pub fn of(surprise: Bits) -> Self {
        let scaled = u64::from(surprise.min(Self::CAP).raw()) * u64::from(Self::MAX.0);
        let half = u64::from(Self::CAP.raw()) / 2;
        let nearest = (scaled + half) / u64::from(Self::CAP.raw());
        u8::try_from(nearest).map_or(Self::MAX, |level| Self(level).min(Self::MAX))
    }

    /// From 0 to 15.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The surprise it stands for.
    pub fn bits(self) -> Bits {
        Bits::from_raw(Self::CAP.raw() * u32::from(self.0) / u32::from(Self::MAX.0))
    }
}

/// A call that was learned in its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The call after the three before it.
    pub gram: Gram,
    /// How unexpected it is there.
    pub level: Level,
}

/// How often a context was seen, and how many different calls followed it.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    seen: u64,
    kinds: u64,
}

/// Surprise by interpolated Witten–Bell estimates over contexts of no, one, two and three calls.
#[derive(Clone, Debug)]
pub struct SurpriseModel {
    /// By order: calls in context, where what is older than the order is [`Call::NONE`].
    grams: [BTreeMap<Gram, u64>; LONGEST + 1],
    contexts: [BTreeMap<Trail, Context>; LONGEST + 1],
}

impl SurpriseModel {
    /// What an unlearned context costs a call on top of the surprise it has without any: 1.9 bits.
    const MISS: Bits = Bits::from_raw(124_518);

    /// Nothing, if nothing is known or the counts are saturated: such a model would call all strange.
    pub fn new(counts: &CallCounts) -> Option<Self> {
        if counts.is_saturated() || counts.is_empty() {
            return None;
        }
        let mut model =
            Self { grams: Default::default(), contexts: core::array::from_fn(|_| BTreeMap::new()) };
        for (order, (grams, contexts)) in
            model.grams.iter_mut().zip(&mut model.contexts).enumerate()
        {
            for (gram, count) in counts.iter() {
                *grams.entry(shortened(gram, order)).or_insert(0) += u64::from(count);
            }
            for (gram, count) in &*grams {
                let context = contexts.entry(before(*gram)).or_insert(Context::default());
                context.seen += count;
                context.kinds += 1;
            }
        }
        Some(model)
    }

    /// How unexpected `call` is after `trail`, all orders interpolated.
    pub fn surprise(&self, trail: Trail, call: Call) -> Bits {
        self.up_to(LONGEST, trail.then(call))
    }

    /// The level of `call` where it was not learned after the three calls before it, whatever they are.
    pub fn miss(&self, call: Call) -> Level {
        Level::of(self.up_to(0, Trail::START.then(call)) + Self::MISS)
    }

    /// The level that stands for `call` after `trail`.
    pub fn level(&self, trail: Trail, call: Call) -> Level {
        if self.knows(LONGEST, trail, call) {
            Level::of(self.surprise(trail, call))
        } else {
            self.miss(call)
        }
    }

    /// Whether `call` was never learned after the two calls before it: worth telling a person, who reads three calls
    /// in a row more easily than a sum.
    pub fn is_novel(&self, trail: Trail, call: Call) -> bool {
        !self.knows(2, trail, call)
    }

    /// All that was learned with its level, the most frequent first, so that a table without room loses the rarest.
    pub fn learned(&self) -> Vec<Learned> {
        let [.., longest] = &self.grams;
        by_count(longest)
            .map(|gram| Learned { gram, level: Level::of(self.up_to(LONGEST, gram)) })
            .collect()
    }

    /// All that was learned after two calls, oldest first, the most frequent first.
    pub fn learned_after_two(&self) -> Vec<[Call; 3]> {
        let [_, _, two, _] = &self.grams;
        by_count(two)
            .map(|gram| {
                let [_, second, third, call] = gram.calls();
                [second, third, call]
            })
            .collect()
    }

    fn knows(&self, order: usize, trail: Trail, call: Call) -> bool {
        let gram = shortened(trail.then(call), order);
        self.grams.get(order).is_some_and(|grams| grams.contains_key(&gram))
    }

    fn up_to(&self, order: usize, gram: Gram) -> Bits {
        // Every number below the limit, and one for all the others.
        let mut probability = ONE / u128::from(Call::LIMIT + 1);
        for (order, (grams, contexts)) in
            self.grams.iter().zip(&self.contexts).enumerate().take(order + 1)
        {
            let shorter = shortened(gram, order);
            let Some(context) = contexts.get(&before(shorter)) else {
                break;
            };
            let count = u128::from(grams.get(&shorter).copied().unwrap_or(0));
            let kinds = u128::from(context.kinds);
            // Below ONE, because `count` is at most `seen`; the divisor is above 0, because each context was seen.
            probability =
                (count * ONE + kinds * probability) / (u128::from(context.seen) + kinds).max(1);
        }
        Bits::of_probability(u64::try_from(probability).unwrap_or(u64::MAX))
    }
}

fn by_count(grams: &BTreeMap<Gram, u64>) -> impl Iterator<Item = Gram> + use<> {
    let mut by_count: Vec<(Reverse<u64>, Gram)> =
        grams.iter().map(|(gram, count)| (Reverse(*count), *gram)).collect();
    by_count.sort_unstable();
    by_count.into_iter().map(|(_, gram)| gram)
}

/// The call with so many of the calls before it.
fn shortened(gram: Gram, order: usize) -> Gram {
    let [first, second, third, call] = gram.calls();
    let keep = |from: usize, kept: Call| if from <= order { kept } else { Call::NONE };
    let mut trail = Trail::START;
    trail.push(keep(3, first));
    trail.push(keep(2, second));
    trail.push(keep(1, third));
    trail.then(call)
}

fn before(gram: Gram) -> Trail {
    let [first, second, third, _] = gram.calls();
    let mut trail = Trail::START;
    for call in [first, second, third] {
        trail.push(call);
    }
    trail
}
