//! The frozen baseline: how surprising a deed is, without a string of what was learned.
//!
//! Witten–Bell estimates over what followed the same context: a deed seen `n` of `N` times, with `T` kinds, has
//! `−log2(n ÷ (N + T))` bits, and one that was never seen `log2((N + T) ÷ T)`. The context of a file is its directory, so
//! that a new file is nothing where files come and go, and something where they never did; that of anything else is its
//! family.

use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;
use core::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::{Baseline, Family};
use crate::sequence::Bits;

/// What hashes are keyed with: whoever does not know it cannot look for deeds that share a hash with learned ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 16]);

impl Key {
    /// From so many random bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    fn hash(self, text: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(text.as_bytes());
        hasher.finish()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(redacted)")
    }
}

/// The counts of a baseline at one moment. Nothing is added to them: a baseline is frozen while it judges.
#[derive(Debug)]
pub struct Counts {
    key: Key,
    families: BTreeMap<Family, Kinds>,
}

#[derive(Debug, Default)]
struct Kinds {
    seen: BTreeMap<u64, u64>,
    contexts: BTreeMap<u64, Context>,
    accepted: BTreeSet<u64>,
}

/// How often something followed a context, and how many kinds of it.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    seen: u64,
    kinds: u64,
}

impl Counts {
    /// Freezes a baseline. Families that are full or have nothing are left out.
    pub fn of(baseline: &Baseline, key: Key) -> Self {
        let mut families: BTreeMap<Family, Kinds> = BTreeMap::new();
        for family in Family::ALL {
            for (template, (seen, _)) in baseline.kinds(*family) {
                let kinds = families.entry(*family).or_default();
                kinds.seen.insert(key.hash(template), seen);
                let context = kinds.contexts.entry(context(key, *family, template)).or_default();
                context.seen = context.seen.saturating_add(seen);
                context.kinds += 1;
            }
        }
        for one in baseline.accepted() {
            if let Some(kinds) = families.get_mut(&one.family) {
                kinds.accepted.insert(key.hash(&one.template));
            }
        }
        Self { key, families }
    }

    /// How surprising it would be to see this now, never more than 32 bits. Nothing, when the family has no vote, or the
    /// file's directory is new itself: then the directory says it.
    pub fn surprise(&self, family: Family, template: &str) -> Option<Bits> {
        let kinds = self.families.get(&family)?;
        let hash = self.key.hash(template);
        if kinds.accepted.contains(&hash) {
            return Some(Bits::default());
        }
        let context = kinds.contexts.get(&context(self.key, family, template))?;
        let times = kinds.seen.get(&hash).copied().unwrap_or(context.kinds);
        let all = context.seen.saturating_add(context.kinds);
        let probability = (u128::from(times) << 32).checked_div(u128::from(all))?;
        Some(Bits::of_probability(u64::try_from(probability).unwrap_or(u64::MAX)))
    }

    /// Bytes of memory, the heap included, without the slack of its trees.
    pub fn memory(&self) -> usize {
        let of = |kinds: &Kinds| {
            kinds.seen.len() * size_of::<(u64, u64)>()
                + kinds.contexts.len() * size_of::<(u64, Context)>()
                + kinds.accepted.len() * size_of::<u64>()
        };
        size_of::<Self>() + self.families.values().map(of).sum::<usize>()
    }
}

/// A file is expected or not among those of its directory.
fn context(key: Key, family: Family, template: &str) -> u64 {
    let directory = (family == Family::Path).then(|| template.rsplit_once('/')).flatten();
    directory.map_or(0, |(directory, _)| {
        // What was done is no part of the place.
        key.hash(directory.split_once(' ').map_or(directory, |(_, place)| place))
    })
}
