//! The frozen baseline: how surprising a deed is, without a string of what was learned.
//!
//! What is asked is whether a run shows a deed, not which deed comes next: the kernel side tells most deeds once, and how
//! often the others come is how often a loop went round. So a deed counts once for each run. Something that was never seen
//! has `log2((N + T) ÷ T)` bits (Witten–Bell), where `T` kinds were shown `N` times in the same context: by so many runs,
//! added up. A deed that `n` of `R` runs showed has `−log2(n ÷ R)`, and never more than something new would have there.
//! Asked which comes next, a call that every run makes had 5.5 bits in a small shell job, and a new one 4.9.
//!
//! The context of a file is its directory, so that a new file is nothing where files come and go, and something where they
//! never did; that of anything else is its family. A run that shows nothing of a family shows one kind of it: nothing.

use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;
use core::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::{Baseline, Family, Run};
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
#[derive(Clone, Debug)]
pub struct Counts {
    key: Key,
    /// From which it was learned.
    runs: u64,
    /// Those that have a vote.
    families: BTreeMap<Family, Kinds>,
}

#[derive(Clone, Debug, Default)]
struct Kinds {
    /// Runs that showed each.
    seen: BTreeMap<u64, u64>,
    contexts: BTreeMap<u64, Context>,
    accepted: BTreeSet<u64>,
}

/// How many runs showed each of its kinds, added up, and how many kinds there are.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    seen: u64,
    kinds: u64,
}

/// What is known of a deed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// So many of the learned runs showed it.
    pub(super) runs: u64,
    /// See [`Counts::surprise`].
    pub(super) surprise: Option<Bits>,
}

impl Counts {
    /// Freezes a baseline. Families that are full are left out, and all of them when there is no run to learn from. So is
    /// [`Family::Context`] while it has nothing: recordings hold none of it.
    pub fn of(baseline: &Baseline, key: Key) -> Self {
        let runs = baseline.usable().count() as u64;
        let mut families: BTreeMap<Family, Kinds> = BTreeMap::new();
        for family in Family::ALL {
            let known = baseline.kinds(*family);
            let no_vote = runs == 0 || *family == Family::Context || baseline.is_full(*family);
            if known.is_empty() && no_vote {
                continue;
            }
            let kinds = families.entry(*family).or_default();
            let shows = |run: &&Run| run.of(*family).next().is_some();
            let idle = runs.saturating_sub(baseline.usable().filter(shows).count() as u64);
            if *family != Family::Path && 0 < idle {
                kinds.contexts.insert(0, Context { seen: idle, kinds: 1 });
            }
            for (template, (_, runs)) in known {
                kinds.seen.insert(key.hash(template), runs);
                let context = kinds.contexts.entry(context(key, *family, template)).or_default();
                context.seen = context.seen.saturating_add(runs);
                context.kinds += 1;
            }
        }
        for one in baseline.accepted() {
            if let Some(kinds) = families.get_mut(&one.family) {
                kinds.accepted.insert(key.hash(&one.template));
            }
        }
        Self { key, runs, families }
    }

    /// How surprising it would be to see this now, never more than 32 bits. Nothing, when the family has no vote, or the
    /// file's directory is new itself: then the directory says it.
    pub fn surprise(&self, family: Family, template: &str) -> Option<Bits> {
        self.known(family, template).surprise
    }

    /// How many of the learned runs showed this.
    pub fn shown_by(&self, family: Family, template: &str) -> u64 {
        self.known(family, template).runs
    }

    /// Both at once.
    pub(super) fn known(&self, family: Family, template: &str) -> Known {
        let Some(kinds) = self.families.get(&family) else { return Known::default() };
        let hash = self.key.hash(template);
        let seen = kinds.seen.get(&hash).copied();
        let runs = seen.unwrap_or_default();
        if kinds.accepted.contains(&hash) {
            return Known { runs, surprise: Some(Bits::default()) };
        }
        let context = kinds.contexts.get(&context(self.key, family, template));
        let surprise = context.map(|context| {
            let new = rarity(context.kinds, context.seen.saturating_add(context.kinds));
            seen.map_or(new, |runs| rarity(runs, self.runs).min(new))
        });
        Known { runs, surprise }
    }

    /// How many runs it was learned from.
    pub const fn runs(&self) -> u64 {
        self.runs
    }

    /// Whether a family has a say at all.
    pub fn votes(&self, family: Family) -> bool {
        self.families.contains_key(&family)
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

/// `−log2(part ÷ all)`.
fn rarity(part: u64, all: u64) -> Bits {
    let probability = (u128::from(part) << 32).checked_div(u128::from(all)).unwrap_or(1 << 32);
    Bits::of_probability(u64::try_from(probability).unwrap_or(u64::MAX).min(1 << 32))
}

/// A file is expected or not among those of its directory.
fn context(key: Key, family: Family, template: &str) -> u64 {
    let directory = (family == Family::Path).then(|| template.rsplit_once('/')).flatten();
    directory.map_or(0, |(directory, _)| {
        // What was done is no part of the place.
        key.hash(directory.split_once(' ').map_or(directory, |(_, place)| place))
    })
}
