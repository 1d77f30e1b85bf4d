//! Which calls followed which, and how often: what is learned about order.

use alloc::collections::BTreeMap;

/// A system call as sequences know it. Numbers from [`Call::LIMIT`] on are all one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call(u16);

impl Call {
    /// Numbers from here on are not told apart.
    pub const LIMIT: u32 = crate::SyscallSet::LIMIT;
    /// In a context: the thread had not called anything yet.
    pub const NONE: Self = Self(0);

    /// The call with this number in the table of the kernel.
    pub const fn numbered(number: u32) -> Self {
        let number = if number < Self::LIMIT { number } else { Self::LIMIT };
        #[expect(clippy::cast_possible_truncation, reason = "at most 512")]
        Self(number as u16 + 1)
    }

    /// Its number, [`Call::LIMIT`] for all from there on; nothing for [`Call::NONE`].
    pub const fn number(self) -> Option<u32> {
        match self.0.checked_sub(1) {
            Some(number) => Some(number as u32),
            None => None,
        }
    }
}

/// The calls of one thread before the next one, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trail([Call; 3]);

impl Trail {
    /// Of a thread that begins.
    pub const START: Self = Self([Call::NONE; 3]);

    /// Forgets the oldest.
    pub const fn push(&mut self, call: Call) {
        let [_, second, third] = self.0;
        self.0 = [second, third, call];
    }

    /// What `call` is after this.
    pub const fn then(self, call: Call) -> Gram {
        let [first, second, third] = self.0;
        Gram([first, second, third, call])
    }

    /// Oldest first.
    pub const fn calls(self) -> [Call; 3] {
        self.0
    }
}

/// A call and the three before it, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gram([Call; 4]);

impl Gram {
    /// Oldest first; the last is the call itself.
    pub const fn calls(self) -> [Call; 4] {
        self.0
    }

    /// The call itself.
    pub const fn call(self) -> Call {
        let [.., call] = self.0;
        call
    }
}

/// How often each call followed each context.
///
/// Memory is bounded: with more kinds than the limit it is *saturated*, forgets all and says so for good. Half of the
/// kinds would be worse than none, because whatever came later would look strange for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCounts {
    grams: BTreeMap<Gram, u32>,
    limit: usize,
    saturated: bool,
}

impl CallCounts {
    /// Enough for every program looked at so far, at about 20 bytes each.
    pub const DEFAULT_LIMIT: usize = 1 << 16;

    /// Nothing yet; at most so many kinds.
    pub const fn new(limit: usize) -> Self {
        Self { grams: BTreeMap::new(), limit, saturated: false }
    }

    /// Learns one call of the thread that `trail` belongs to.
    pub fn learn(&mut self, trail: &mut Trail, call: Call) {
        self.add(trail.then(call), 1);
        trail.push(call);
    }

    /// Adds what another one has learned from *other* calls. The order of merges does not matter.
    ///
    /// Not idempotent, because counts add up: who pools baselines of several nodes keeps one for each and merges the
    /// latest of each.
    pub fn merge(&mut self, other: &Self) {
        self.limit = self.limit.min(other.limit);
        self.saturated |= other.saturated;
        for (gram, count) in &other.grams {
            self.add(*gram, *count);
        }
        self.forget_if_full();
    }

    /// Whether there were more kinds than the limit: nothing is known then.
    pub const fn is_saturated(&self) -> bool {
        self.saturated
    }

    /// Kinds of calls in context.
    pub fn len(&self) -> usize {
        self.grams.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.grams.is_empty()
    }

    /// In order of the calls.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Gram, u32)> {
        self.grams.iter().map(|(gram, count)| (*gram, *count))
    }

    fn add(&mut self, gram: Gram, count: u32) {
        if self.saturated {
            return;
        }
        let known = self.grams.entry(gram).or_insert(0);
        *known = known.saturating_add(count);
        self.forget_if_full();
    }

    fn forget_if_full(&mut self) {
        if self.limit < self.grams.len() {
            self.saturated = true;
        }
        if self.saturated {
            self.grams.clear();
        }
    }
}
