//! How likely is it at most, when `x` of `n` blocks exceeded: the one-sided Clopper–Pearson bound.
//!
//! # Why the rounding is safe
//!
//! The bound sought is the `q` at which seeing `x` or fewer of `n` has probability α. That probability,
//! `T(q) = Σ_{i ≤ x} C(n,i) qⁱ (1−q)ⁿ⁻ⁱ`, falls as `q` grows. [`tail_above`] computes a number that is
//! **never below** `T(q)`: it is made of sums, products, powers and quotients of non-negative numbers, each
//! of which grows with its arguments (a quotient's divisor is an exact integer), and [`Upper`] rounds the
//! result of each up. Where the sum is cut off, a geometric series that is never below the rest takes its
//! place. So a `q` with `tail_above(q) ≤ α` has `T(q) ≤ α`, and lies at or above the exact bound, whatever the
//! rounding did. Bisection only moves between values of `q`; it answers the last one that passed, and a
//! rounding that makes it miss a smaller one costs power, not truth.

mod upper;

use upper::Upper;

/// A probability above zero, in units of 2⁻³². Stored as one less, so that 1 fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Probability(u32);

impl Probability {
    pub(super) const ONE: Self = Self(u32::MAX);
    pub(super) const HALF: Self = Self((1 << 31) - 1);

    pub(super) const fn from_stored(stored: u32) -> Self {
        Self(stored)
    }

    pub(super) const fn stored(self) -> u32 {
        self.0
    }

    /// In units of 2⁻³², from 1 to 2³².
    pub(super) const fn units(self) -> u64 {
        self.0 as u64 + 1
    }

    /// 1 ÷ it, in units of 2⁻³², rounded down.
    pub(super) const fn inverse(self) -> u64 {
        u64::MAX / self.units()
    }
}

/// The smallest probability that is ruled out, with risk `1 ÷ risk`, as too small to be the truth when
/// `x` of `n` independent blocks exceeded, or a little more. 1 when nothing is known. `risk` is above 2.
pub(super) fn upper_bound(n: u32, x: u32, risk: u64) -> Probability {
    if n == 0 || n <= x {
        return Probability::ONE;
    }
    let choices = Upper::binomial(n, x);
    let rules_out = |units: u64| tail_above(n, x, units, choices).mul_int(risk).is_at_most_one();
    // Invariant: `high` is ruled out (2³² always is: T(1) = 0 for x < n), `low` is not: at x ÷ n or below,
    // the median lies at x or below, so the tail is a half or more.
    let (mut low, mut high) = ((u64::from(x) << 32) / u64::from(n), 1_u64 << 32);
    while low + 1 < high {
        let middle = low.midpoint(high);
        if rules_out(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Probability(u32::try_from(high - 1).unwrap_or(u32::MAX))
}

/// Never below the probability of `x` or fewer of `n` at probability `q`, which lies between 0 and 1.
///
/// `choices` is never below the binomial coefficient of `x` of `n`.
fn tail_above(n: u32, x: u32, q_units: u64, choices: Upper) -> Upper {
    let one = 1_u64 << 32;
    let p_units = one - q_units;
    let (q, p) = (Upper::ratio_of_32(q_units), Upper::ratio_of_32(p_units));
    let mut term = choices.mul(q.pow(x)).mul(p.pow(n - x));
    let mut sum = term;
    // Downwards from x, where terms shrink soonest: t(i−1) = t(i) · i p ÷ ((n−i+1) q). The factor falls
    // with i, so once it is below 1 the rest is below t·f ÷ (1−f).
    for i in (1..=x).rev() {
        let up = u128::from(i) * u128::from(p_units);
        let down = u128::from(n - i + 1) * u128::from(q_units);
        if up < down {
            let rest = term.mul_ratio(up, down - up);
            if rest.is_negligible_beside(sum) {
                return sum.add(rest);
            }
        }
        term = term.mul_ratio(up, down);
        sum = sum.add(term);
    }
    sum
}

#[cfg(test)]
mod tests;
