//! What the verifier has to be told. The only file with inline assembly.

use core::{arch::asm, intrinsics};

/// `value & (N - 1)`, for a power of two `N`, in a way the compiler cannot prove redundant and drop: the verifier
/// forgets relations between registers (`a <= b` says nothing about `b - a`), the compiler does not.
///
/// VERIFIER(6.1): "R2 unbounded memory access" without it.
#[inline(always)]
pub fn below<const N: u64>(mut value: u64) -> u64 {
    const { assert!(N.is_power_of_two() && N <= 1 << 31) };
    // SAFETY: one register is changed by an AND with a constant; no memory, no stack.
    unsafe {
        asm!("{value} &= {mask}", value = inout(reg) value, mask = const N - 1, options(pure, nomem, nostack));
    }
    value
}

/// 1 if they differ, else 0, without a branch: each branch that leaves a bit behind doubles the ways to what follows.
///
/// VERIFIER(6.1): eight compared namespaces made 99,873 instructions of `sched_process_fork`. The compiler turns the same
/// arithmetic in Rust back into a branch.
#[inline(always)]
pub fn differ(one: u64, other: u64) -> u64 {
    let (mut bits, mut negated) = (one ^ other, 0_u64);
    // SAFETY: two registers are changed by arithmetic; no memory, no stack.
    unsafe {
        asm!(
            "{negated} = {bits}",
            "{negated} = -{negated}",
            "{bits} |= {negated}",
            "{bits} >>= 63",
            bits = inout(reg) bits,
            negated = inout(reg) negated,
            options(pure, nomem, nostack),
        );
    }
    let _ = negated;
    bits
}

/// The word at `index`, without the compiler's bounds check: a panic branch the compiler cannot rule out would be
/// refused by the verifier, which can see that the masked index is in bounds.
#[inline(always)]
pub fn word<const N: usize>(words: &[u64; N], index: u64) -> u64 {
    const { assert!(N.is_power_of_two()) };
    let index = (index as usize) & (N - 1);
    // SAFETY: the index was masked just above.
    unsafe { core::ptr::read_volatile(words.as_ptr().add(index)) }
}

/// Sets bits of a map word. Atomic, because two CPUs may learn two system calls of one word at once.
#[inline(always)]
pub fn set_bits(word: *mut u64, bits: u64) {
    // SAFETY: callers pass a word of a map element, which is aligned and outlives the program.
    unsafe {
        intrinsics::atomic_or::<u64, u64, { intrinsics::AtomicOrdering::Relaxed }>(word, bits)
    };
}
