//! How unexpected a system call is after the three before it: the table the kernel side looks into.
//!
//! After learning, user space packs a table for each sandbox; at every call the kernel side adds one number out of it
//! to a sum of the calling thread. One look-up usually decides: hash of context and call, a bucket of eight entries,
//! each 12 bits of tag and 4 bits of level. A call that was never learned after its context costs a second look-up
//! (was it learned after the two calls before it?) and a level of its own, [`SurpriseHead::miss`].
//!
//! Everything here compiles for the kernel: no division, no panic, no allocation; what runs at a system call has
//! no loop.

use crate::SYSCALLS;

/// Levels of surprise: 0 is expected, [`LEVEL_MAX`] is 8 bits or more.
pub const LEVELS: u8 = 16;
/// The highest level.
pub const LEVEL_MAX: u8 = LEVELS - 1;

/// Entries of a bucket.
pub const BUCKET_ENTRIES: usize = 8;
/// The largest table, in buckets: 64 KiB. A table has a power of two of them, at least 1.
pub const BUCKETS_MAX: u32 = 4096;

/// What a context is before a thread's first call.
pub const NO_CALLS: u32 = 0;

const CALL_BITS: u32 = 10;
const CALL_MASK: u32 = (1 << CALL_BITS) - 1;
const CONTEXT_MASK: u32 = (1 << (3 * CALL_BITS)) - 1;
/// A call whose number is beyond [`SYSCALLS`].
const OTHER: u32 = CALL_MASK;
/// In place of the oldest call: the rest is a context of two calls.
const TWO_CALLS: u32 = CALL_MASK - 1;
const _: () = assert!(SYSCALLS < TWO_CALLS);

/// One bucket: four entries a word. An entry is `tag << 4 | level`; a tag is never 0, so an empty entry is 0.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct SurpriseBucket {
    /// The entries, the first in the lowest bits.
    pub words: [u64; 2],
}
const _: () = assert!(size_of::<SurpriseBucket>() == 16);

/// What a table needs beside its buckets.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct SurpriseHead {
    /// Key of the hash: without it, nobody can look for calls that share an entry with a learned one.
    pub seed: u64,
    /// Number of buckets less one.
    pub bucket_mask: u32,
    /// Always 0.
    pub reserved: u32,
    /// Level of each call where it was never learned after its context.
    pub miss: [u8; SYSCALLS as usize],
}
const _: () = assert!(size_of::<SurpriseHead>() == 528);

/// Tables in the pool that all sandboxes share.
pub const TABLES: u32 = 16;

/// A table as the pool holds it: it has room for the largest.
#[repr(C, align(16))]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct SurpriseTable {
    /// What it needs beside its buckets.
    pub head: SurpriseHead,
    /// The buckets; those beyond [`SurpriseHead::bucket_mask`] are not looked at.
    pub buckets: [SurpriseBucket; BUCKETS_MAX as usize],
}
const _: () = assert!(size_of::<SurpriseTable>() == 66_064);

const PLACE_BITS: u32 = 5;
const _: () = assert!(TABLES < 1 << PLACE_BITS);

/// Tables are numbered below this, from 1 on.
pub const TABLE_NUMBERS: u32 = 1 << (u32::BITS - PLACE_BITS);

/// What a slot says of its table: where in the pool it lies, and its number. A place is used again, a number is not, so a
/// thread knows by it that its sums are from another table.
#[must_use]
pub const fn table_word(place: u32, number: u32) -> u32 {
    (number << PLACE_BITS) | (place + 1)
}

/// The place in the pool; beyond all of them if there is no table.
#[must_use]
#[inline(always)]
pub const fn table_place(word: u32) -> u32 {
    (word & ((1 << PLACE_BITS) - 1)).wrapping_sub(1)
}

/// The number of the table.
#[must_use]
#[inline(always)]
pub const fn table_number(word: u32) -> u32 {
    word >> PLACE_BITS
}

/// What a thread called since it was last asked.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct ThreadCalls {
    /// Its last three calls, see [`context_after`].
    pub context: u32,
    /// Calls.
    pub calls: u32,
    /// Sum of their levels: at most [`LEVEL_MAX`] times the calls, so it lasts for 286 million of them.
    pub level_sum: u32,
    /// Calls that were not learned even after the two before them.
    pub novel: u32,
}
const _: () = assert!(size_of::<ThreadCalls>() == 16);

/// Where a call would be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurprisePlace {
    /// Index of the bucket.
    pub bucket: u32,
    /// Tag of the entry, from 1 to 4 095.
    pub tag: u16,
}

/// The context for the next call.
#[must_use]
#[inline(always)]
pub const fn context_after(context: u32, number: u32) -> u32 {
    ((context << CALL_BITS) | call_field(number)) & CONTEXT_MASK
}

/// The context without its oldest call. No context of three calls equals it.
#[must_use]
#[inline(always)]
pub const fn two_calls(context: u32) -> u32 {
    (context & (CONTEXT_MASK >> CALL_BITS)) | (TWO_CALLS << (2 * CALL_BITS))
}

/// Where the call `number` after `context` would be found in the table.
#[must_use]
#[inline(always)]
pub const fn surprise_place(
    seed: u64,
    bucket_mask: u32,
    context: u32,
    number: u32,
) -> SurprisePlace {
    let key = ((context as u64) << CALL_BITS) | call_field(number) as u64;
    let mixed = (key ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let tag = (mixed >> 52) as u16;
    SurprisePlace {
        // Other bits than the tag's, or a bucket's entries would have tags alike.
        bucket: (mixed >> 40) as u32 & bucket_mask & (BUCKETS_MAX - 1),
        tag: if tag == 0 { 1 } else { tag },
    }
}

/// The level that the bucket holds for a tag.
#[must_use]
#[inline(always)]
pub const fn level_in(bucket: &SurpriseBucket, tag: u16) -> Option<u8> {
    let [low, high] = bucket.words;
    let (in_low, in_high) = (matching(low, tag), matching(high, tag));
    // At most one of both words has a match: `keep` takes each tag once.
    let level = level_at(low, in_low) | level_at(high, in_high);
    if in_low | in_high == 0 { None } else { Some(level) }
}

/// What a call was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Its level.
    pub level: u8,
    /// It was learned after the three calls before it.
    pub learned: bool,
    /// It was not even learned after the two calls before it. Some are learned and look novel (the table had no room),
    /// few look learned and are novel (they share a tag), so this explains and does not decide.
    pub novel: bool,
}

impl ThreadCalls {
    /// Books one call: the kernel side's work at a system call, and what an evaluation must do in its place.
    ///
    /// `bucket` fetches a bucket of the sandbox's table. Nothing, and no change, when it has none.
    #[inline(always)]
    pub fn observe<'t>(
        &mut self,
        head: &SurpriseHead,
        number: u32,
        bucket: impl Fn(u32) -> Option<&'t SurpriseBucket>,
    ) -> Option<Observed> {
        let place = surprise_place(head.seed, head.bucket_mask, self.context, number);
        let observed = if let Some(level) = level_in(bucket(place.bucket)?, place.tag) {
            Observed { level, learned: true, novel: false }
        } else {
            let level = head.miss.get(number as usize).copied().unwrap_or(LEVEL_MAX);
            let two = two_calls(self.context);
            let place = surprise_place(head.seed, head.bucket_mask, two, number);
            let novel = level_in(bucket(place.bucket)?, place.tag).is_none();
            Observed { level, learned: false, novel }
        };
        self.context = context_after(self.context, number);
        self.calls = self.calls.wrapping_add(1);
        self.level_sum = self.level_sum.wrapping_add(observed.level as u32);
        self.novel = self.novel.wrapping_add(observed.novel as u32);
        Some(observed)
    }
}

/// What became of an entry that a bucket was asked to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is in the bucket.
    Stored,
    /// Another one with this tag is, at this level; look-ups cannot tell them apart.
    Collides(u8),
    /// Eight others are.
    Full,
}

/// Puts an entry into a bucket. Levels above [`LEVEL_MAX`] count as that.
pub const fn keep(bucket: &mut SurpriseBucket, tag: u16, level: u8) -> Kept {
    if let Some(other) = level_in(bucket, tag) {
        return Kept::Collides(other);
    }
    let level = if level < LEVELS { level } else { LEVEL_MAX };
    let entry = ((tag << 4) | level as u16) as u64;
    let [low, high] = bucket.words;
    if let Some(shift) = first_empty(low) {
        bucket.words = [low | (entry << shift), high];
    } else if let Some(shift) = first_empty(high) {
        bucket.words = [low, high | (entry << shift)];
    } else {
        return Kept::Full;
    }
    Kept::Stored
}

/// What became of the entries of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// In the table.
    pub stored: u32,
    /// Not in it: another one has its tag, so look-ups give that one's level.
    pub collided: u32,
    /// Not in it: its bucket was full, so look-ups give [`SurpriseHead::miss`].
    pub no_room: u32,
}

/// Fills a table with what was learned: context, number and level. Who comes first is kept.
///
/// The number of buckets must be that of the head; entries of buckets that are not there have no room.
pub fn pack(
    head: &SurpriseHead,
    buckets: &mut [SurpriseBucket],
    entries: impl Iterator<Item = (u32, u32, u8)>,
) -> Packed {
    let mut packed = Packed::default();
    for (context, number, level) in entries {
        let place = surprise_place(head.seed, head.bucket_mask, context, number);
        let kept = buckets
            .get_mut(place.bucket as usize)
            .map_or(Kept::Full, |bucket| keep(bucket, place.tag, level));
        match kept {
            Kept::Stored => packed.stored += 1,
            Kept::Collides(_) => packed.collided += 1,
            Kept::Full => packed.no_room += 1,
        }
    }
    packed
}

const LANES: u64 = 0x0001_0001_0001_0001;

#[inline(always)]
const fn call_field(number: u32) -> u32 {
    // 0 is "no call yet".
    if number < SYSCALLS { number + 1 } else { OTHER }
}

/// The lowest bit of the first entry with this tag, 0 if none has it.
#[inline(always)]
const fn matching(word: u64, tag: u16) -> u64 {
    let differs = (word ^ ((tag as u64) << 4).wrapping_mul(LANES)) & 0xFFF0_FFF0_FFF0_FFF0;
    // A borrow marks no entry that is not zero: the others are at least 16. Only the lowest mark counts, so that a
    // level stays one even in a bucket that has a tag twice.
    let zero = differs.wrapping_sub(LANES) & !differs & (LANES << 15);
    (zero & zero.wrapping_neg()) >> 15
}

#[inline(always)]
const fn level_at(word: u64, lane: u64) -> u8 {
    // One entry's level is left; the multiplication brings it to the top from wherever it is.
    (((word & lane.wrapping_mul(15)).wrapping_mul(LANES)) >> 48) as u8
}

const fn first_empty(word: u64) -> Option<u32> {
    let mut shift = 0;
    while shift < u64::BITS {
        if (word >> shift) & 0xFFFF == 0 {
            return Some(shift);
        }
        shift += 16;
    }
    None
}

#[cfg(test)]
mod tests;
