//! Logarithms without floating point.

use core::ops::Add;

/// So many bits of surprise, in units of 2^-16 bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bits(u32);

impl Bits {
    /// One bit.
    pub const ONE: Self = Self(1 << 16);

    /// So many 2^-16 bits.
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// In units of 2^-16 bit.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// Surprise of something whose probability is `probability` times 2^-32; of an impossible thing 32 bits, which is
    /// more than anything possible has.
    pub const fn of_probability(probability: u64) -> Self {
        const CERTAIN: u32 = 32 << 16;
        if probability == 0 {
            return Self(CERTAIN);
        }
        Self(CERTAIN.saturating_sub(log2(probability)))
    }
}

impl Add for Bits {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// The logarithm to base 2 in units of 2^-16, rounded down; of 0 it is 0.
///
/// Bit by bit: squaring a number in 1..2 doubles its logarithm, and what crosses 2 is the next bit.
pub(super) const fn log2(number: u64) -> u32 {
    if number == 0 {
        return 0;
    }
    let whole = number.ilog2();
    // The mantissa in 1..2, with 31 bits after the point: its square fits 64.
    let mut mantissa = if whole <= 31 { number << (31 - whole) } else { number >> (whole - 31) };
    let mut logarithm = whole;
    let mut bit = 0;
    while bit < 16 {
        mantissa = (mantissa * mantissa) >> 31;
        let crossed = mantissa >> 32;
        mantissa >>= crossed;
        logarithm = (logarithm << 1) | (crossed & 1) as u32;
        bit += 1;
    }
    logarithm
}
