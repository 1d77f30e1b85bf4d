//! What sandboxes have shown before in this epoch, so that it is not sent again.
//!
//! Arrays and not the kernel's hash tables: a look at one of those, by a key of seven words, costs 40 ns, which every open
//! of a known file would pay; here it is an index and a comparison of words in the program itself. A deed is compared as a
//! whole, so nothing new is ever taken for something seen. A place holds eight; the one that came first gives way to the
//! next, and what was forgotten is sent once more, never missed.

use aya_ebpf::maps::Array;

use crate::bounds;

/// Deeds of one place.
const WAYS: usize = 8;

/// One multiplier for each word of a deed, odd and without a pattern: the upper bits of the sum are the place.
const MULTIPLIERS: [u64; 7] = [
    0x9e37_79b9_7f4a_7c15,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0xff51_afd7_ed55_8ccd,
    0xc4ce_b9fe_1a85_ec53,
    0x2545_f491_4f6c_dd1d,
    0xd6e8_feb8_6659_fd93,
];

/// Deeds of `WORDS` words each, at `1 << BITS` places.
#[repr(transparent)]
pub struct Seen<const WORDS: usize, const BITS: u32>(Array<Place<WORDS>>);

/// Where all deeds go that have the same sum.
#[repr(C)]
pub struct Place<const WORDS: usize> {
    /// How many were put here.
    turn: u64,
    cells: [Cell<WORDS>; WAYS],
}

/// Room for one deed.
#[repr(C)]
pub struct Cell<const WORDS: usize> {
    /// How often it was written, doubled; 0 for never. Odd while somebody writes.
    guard: u64,
    deed: [u64; WORDS],
}

impl<const WORDS: usize, const BITS: u32> Seen<WORDS, BITS> {
    pub const fn new() -> Self {
        const { assert!(WORDS <= MULTIPLIERS.len() && 0 < BITS && BITS < 32) };
        Self(Array::with_max_entries(1 << BITS, 0))
    }

    /// Whether the deed is remembered.
    #[inline(always)]
    pub fn has(&self, deed: &[u64; WORDS]) -> bool {
        let Some(place) = self.place(deed) else { return false };
        // SAFETY: an element of an array map; only the address of a field is formed.
        let cells = unsafe { (&raw const (*place).cells).cast::<Cell<WORDS>>() };
        let mut way = 0;
        while way < WAYS {
            // SAFETY: `way` is below the place's length.
            if holds(unsafe { cells.add(way) }, deed) {
                return true;
            }
            way += 1;
        }
        false
    }

    /// Remembers the deed instead of the one of its place that was remembered first. Not if another CPU writes just there: it
    /// is then sent once more.
    #[inline(always)]
    pub fn remember(&self, deed: &[u64; WORDS]) {
        use core::intrinsics::{AtomicOrdering, atomic_or};
        let Some(place) = self.place(deed) else { return };
        // SAFETY: an element of an array map; only the address of a field is formed.
        let turn = unsafe { &raw mut (*place).turn };
        // SAFETY: a word of a map element. Two CPUs that draw the same number here write to one cell, or one of them does.
        let number = unsafe { turn.read_volatile() };
        // SAFETY: as above.
        unsafe { turn.write_volatile(number.wrapping_add(1)) };
        let way = bounds::below::<{ WAYS as u64 }>(number) as usize;
        // SAFETY: an element of an array map; only the address of a field is formed.
        let cells = unsafe { (&raw mut (*place).cells).cast::<Cell<WORDS>>() };
        // SAFETY: `way` is below the place's length.
        let cell = unsafe { cells.add(way) };
        // SAFETY: a cell of a map element; only the address of a field is formed.
        let (guard, words) =
            unsafe { (&raw mut (*cell).guard, (&raw mut (*cell).deed).cast::<u64>()) };
        // SAFETY: a word of a map element.
        let before = unsafe { atomic_or::<u64, u64, { AtomicOrdering::SeqCst }>(guard, 1) };
        if before & 1 != 0 {
            return;
        }
        let mut word = 0;
        while word < WORDS {
            // SAFETY: `word` is below the deed's length.
            let at = unsafe { words.add(word) };
            // SAFETY: a word of a map element. Volatile, here and below, for the order: x86 keeps it.
            unsafe { at.write_volatile(deed[word]) };
            word += 1;
        }
        // SAFETY: as above.
        unsafe { guard.write_volatile(before.wrapping_add(2)) };
    }

    #[inline(always)]
    fn place(&self, deed: &[u64; WORDS]) -> Option<*mut Place<WORDS>> {
        let mut sum = 0_u64;
        let mut word = 0;
        while word < WORDS {
            sum = sum.wrapping_add(deed[word].wrapping_mul(MULTIPLIERS[word]));
            word += 1;
        }
        self.0.get_ptr_mut((sum >> (64 - BITS)) as u32)
    }
}

/// Whether the cell holds the deed, whole: not if somebody writes there, or has meanwhile.
#[inline(always)]
fn holds<const WORDS: usize>(cell: *const Cell<WORDS>, deed: &[u64; WORDS]) -> bool {
    let before = guard(cell);
    // SAFETY: a cell of a map element; only the address of a field is formed.
    let words = unsafe { (&raw const (*cell).deed).cast::<u64>() };
    let mut differing = before & 1;
    let mut word = 0;
    while word < WORDS {
        // SAFETY: `word` is below the deed's length.
        let at = unsafe { words.add(word) };
        // SAFETY: a word of a map element. Volatile for the order, as in `guard`.
        differing |= unsafe { at.read_volatile() } ^ deed[word];
        word += 1;
    }
    differing == 0 && before != 0 && guard(cell) == before
}

#[inline(always)]
fn guard<const WORDS: usize>(cell: *const Cell<WORDS>) -> u64 {
    // SAFETY: a word of a map element. Volatile, so that the words of a deed are read between two looks at it.
    unsafe { (&raw const (*cell).guard).read_volatile() }
}
