//! Non-negative numbers of any size, every operation rounded up.

/// `mantissa · 2^exponent`. The mantissa has its top bit set, or the number is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Upper {
    mantissa: u64,
    exponent: i64,
}

impl Upper {
    const ZERO: Self = Self { mantissa: 0, exponent: 0 };
    const ONE: Self = Self { mantissa: 1 << 63, exponent: -63 };

    /// `value · 2^exponent`, exact up to 64 significant bits, rounded up beyond.
    fn rounded_up(value: u128, exponent: i64) -> Self {
        let Some(bits) = value.checked_ilog2() else {
            return Self::ZERO;
        };
        let Some(excess) = bits.checked_sub(63) else {
            let mantissa = u64::try_from(value << (63 - bits)).unwrap_or(u64::MAX);
            return Self { mantissa, exponent: exponent - i64::from(63 - bits) };
        };
        let kept = value >> excess;
        let kept = kept + u128::from((kept << excess) != value);
        let exponent = exponent + i64::from(excess);
        match u64::try_from(kept) {
            Ok(mantissa) => Self { mantissa, exponent },
            // All ones, and one more: a power of two.
            Err(_) => Self { mantissa: 1 << 63, exponent: exponent + 1 },
        }
    }

    /// `units · 2⁻³²`, exactly.
    pub(super) fn ratio_of_32(units: u64) -> Self {
        Self::rounded_up(u128::from(units), -32)
    }

    pub(super) fn mul(self, other: Self) -> Self {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa);
        Self::rounded_up(product, self.exponent + other.exponent)
    }

    pub(super) fn mul_int(self, factor: u64) -> Self {
        Self::rounded_up(u128::from(self.mantissa) * u128::from(factor), self.exponent)
    }

    pub(super) fn add(self, other: Self) -> Self {
        let (large, small) = if self.exponent < other.exponent || self.mantissa == 0 {
            (other, self)
        } else {
            (self, other)
        };
        if small.mantissa == 0 {
            return large;
        }
        // The larger keeps its place with 60 bits of room below; what the smaller has further down
        // becomes one unit there.
        let apart = large.exponent - small.exponent;
        let wide = u128::from(small.mantissa) << 60;
        let shifted = match u32::try_from(apart) {
            Ok(apart) if apart < 128 => {
                let kept = wide >> apart;
                kept + u128::from((kept << apart) != wide)
            }
            _ => 1,
        };
        Self::rounded_up((u128::from(large.mantissa) << 60) + shifted, large.exponent - 60)
    }

    /// `self · up ÷ down`, for factors below 2⁶⁴ times a power of two.
    pub(super) fn mul_ratio(self, up: u128, down: u128) -> Self {
        let up = self.mul(Self::rounded_up(up, 0));
        if up.mantissa == 0 {
            return Self::ZERO;
        }
        // The divisor is rounded down, so that the quotient is not.
        let bits = down.checked_ilog2().unwrap_or(0);
        let excess = bits.saturating_sub(63);
        let divisor = (down >> excess).max(1);
        let dividend = u128::from(up.mantissa) << 64;
        Self::rounded_up(dividend.div_ceil(divisor), up.exponent - 64 - i64::from(excess))
    }

    pub(super) fn pow(self, mut exponent: u32) -> Self {
        let (mut base, mut result) = (self, Self::ONE);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = result.mul(base);
            }
            base = base.mul(base);
            exponent >>= 1;
        }
        result
    }

    /// Never below the number of ways to choose `x` of `n`.
    pub(super) fn binomial(n: u32, x: u32) -> Self {
        let x = x.min(n - x);
        (1..=x)
            .fold(Self::ONE, |product, i| product.mul_ratio(u128::from(n - x + i), u128::from(i)))
    }

    pub(super) fn is_at_most_one(self) -> bool {
        self.mantissa == 0
            || self.exponent < Self::ONE.exponent
            || (self.exponent == Self::ONE.exponent && self.mantissa == Self::ONE.mantissa)
    }

    /// Below 2⁻⁴⁰ of `other`.
    pub(super) fn is_negligible_beside(self, other: Self) -> bool {
        self.mantissa == 0 || (other.mantissa != 0 && self.exponent + 40 < other.exponent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(value: u64) -> Upper {
        Upper::rounded_up(u128::from(value), 0)
    }

    /// `number` against `exact`, from above: at most one unit in the last of 64 places too much.
    fn is_just_above(number: Upper, exact: u128) -> bool {
        let Some(shift) = u32::try_from(number.exponent).ok().filter(|shift| *shift <= 64) else {
            // A number with a fraction: nothing was rounded, or all of it is below one.
            let down = u32::try_from(-number.exponent).unwrap();
            let whole = u128::from(number.mantissa).checked_shr(down).unwrap_or(0);
            let fraction = u128::from(number.mantissa) != whole.checked_shl(down).unwrap_or(0);
            return whole == exact && !fraction;
        };
        let value = u128::from(number.mantissa) << shift;
        exact <= value && value - exact < 1 << shift
    }

    proptest! {
        #[test]
        fn products_and_sums_are_rounded_up_in_the_last_place(a in 1_u64.., b in 1_u64.., shift in 0_u32..63) {
            prop_assert!(is_just_above(of(a).mul(of(b)), u128::from(a) * u128::from(b)));
            prop_assert!(is_just_above(of(a).mul_int(b), u128::from(a) * u128::from(b)));
            let far = u128::from(a) << shift;
            let sum = Upper::rounded_up(far, 0).add(of(b));
            prop_assert!(is_just_above(sum, far + u128::from(b)), "{sum:?}");
            prop_assert_eq!(of(b).add(Upper::rounded_up(far, 0)), sum);
        }

        #[test]
        fn a_quotient_is_never_too_small(a in any::<u32>(), up in any::<u32>(), down in 1_u64..) {
            let exact = of(u64::from(a) * u64::from(up));
            let back = |quotient: Upper, down| exact == Upper::ZERO || exact.is_at_most(quotient.mul_int(down));
            for divisor in [down, down >> 40 | 1] {
                let quotient = of(u64::from(a)).mul_ratio(u128::from(up), u128::from(divisor));
                prop_assert!(back(quotient, divisor));
            }
            // A divisor that does not fit 64 bits, and is not a round number.
            let wide = u128::from(down) << 20 | 0xf_ffff;
            let quotient = of(u64::from(a)).mul_ratio(u128::from(up), wide);
            let times = Upper { exponent: quotient.exponent + 20, ..quotient };
            prop_assert!(exact == Upper::ZERO || exact.is_at_most(times.mul(of(down).add(of(1)))));
        }
    }

    impl Upper {
        fn is_at_most(self, other: Self) -> bool {
            (self.exponent, self.mantissa) <= (other.exponent, other.mantissa)
        }
    }

    #[test]
    fn what_is_far_below_the_last_place_still_counts_as_one_there() {
        let (large, small) = (of(1 << 63), Upper { mantissa: 1 << 63, exponent: -5_000 });
        assert_eq!(large.add(small).mantissa, (1 << 63) + 1);
        let small = Upper { mantissa: 1 << 63, exponent: -126 };
        assert_eq!(large.add(small).mantissa, (1 << 63) + 1);
        assert_eq!(large.add(Upper::ZERO), large);
    }
}
