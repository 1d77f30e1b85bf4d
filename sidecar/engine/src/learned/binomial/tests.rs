use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// In parts per million, rounded down.
#[track_caller]
fn check(n: u32, x: u32, risk: u64, expected_ppm: u64) {
    let ppm = (upper_bound(n, x, risk).units() * 1_000_000) >> 32;
    assert_eq!(ppm, expected_ppm, "{x} of {n} at 1/{risk}");
}

#[test]
fn the_bounds_are_those_of_the_tables() {
    // 1 − 0.05^(1/n) for none of n; the others as R's `qbeta(0.95, x + 1, n - x)` has them.
    check(1, 0, 20, 950_000);
    check(10, 0, 20, 258_865);
    check(100, 0, 20, 29_513);
    check(10, 1, 20, 394_163);
    check(10, 5, 20, 777_558);
    check(10, 9, 20, 994_883);
}

#[test]
fn nothing_seen_or_always_exceeded_means_nothing_is_ruled_out() {
    assert_eq!(upper_bound(0, 0, 20), Probability::ONE);
    assert_eq!(upper_bound(7, 7, 20), Probability::ONE);
    assert_eq!(upper_bound(3, 9, 20), Probability::ONE);
}

#[test]
fn large_calibrations_are_exact_enough_to_be_useful() {
    // Within a hundredth of the normal approximation, x + 1.645·√x and a half.
    let units = upper_bound(120_960, 60_000, 20).units();
    let (low, high) = (1_u64 << 32, 120_960);
    assert!(units * high / low >= 60_280 && units * high / low <= 60_300, "{units}");
    // None of a million: ln 20 of a million.
    assert_eq!(upper_bound(1_000_000, 0, 20).units(), 12_867);
}

/// The exact tail, of whole numbers: Σ C(n,i) qⁱ (2³²−q)ⁿ⁻ⁱ against 2^(32n) ÷ risk.
fn is_ruled_out_exactly(n: u32, x: u32, units: u64, risk: u64) -> bool {
    let p_units = (1_u64 << 32) - units;
    let mut sum = Vec::new();
    for i in 0..=x {
        let mut term = alloc::vec![1_u32];
        for k in 0..i {
            times(&mut term, u64::from(n - k));
            divide(&mut term, k + 1);
        }
        (0..i).for_each(|_| times(&mut term, units));
        (0..n - i).for_each(|_| times(&mut term, p_units));
        add(&mut sum, &term);
    }
    times(&mut sum, risk);
    // At most 2^(32n), which is a one above n zero digits.
    let digits = sum.iter().rposition(|digit| *digit != 0).map_or(0, |at| at + 1);
    let whole = n as usize;
    digits <= whole
        || (digits == whole + 1 && sum[whole] == 1 && sum[..whole].iter().all(|d| *d == 0))
}

fn times(number: &mut Vec<u32>, factor: u64) {
    let mut carry = 0_u128;
    for digit in number.iter_mut() {
        carry += u128::from(*digit) * u128::from(factor);
        *digit = (carry & 0xffff_ffff) as u32;
        carry >>= 32;
    }
    while carry > 0 {
        number.push((carry & 0xffff_ffff) as u32);
        carry >>= 32;
    }
}

fn divide(number: &mut [u32], divisor: u32) {
    let mut rest = 0_u64;
    for digit in number.iter_mut().rev() {
        rest = (rest << 32) | u64::from(*digit);
        *digit = u32::try_from(rest / u64::from(divisor)).unwrap();
        rest %= u64::from(divisor);
    }
}

fn add(number: &mut Vec<u32>, other: &[u32]) {
    let mut carry = 0_u64;
    number.resize(number.len().max(other.len()) + 1, 0);
    for (at, digit) in number.iter_mut().enumerate() {
        carry += u64::from(*digit) + u64::from(other.get(at).copied().unwrap_or(0));
        *digit = (carry & 0xffff_ffff) as u32;
        carry >>= 32;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_exact_arithmetic_the_bound_is_ruled_out_and_what_lies_just_below_is_not(
        n in 1_u32..60, share in 0_u32..100, risk in 3_u64..20_000
    ) {
        let x = n * share / 100;
        let bound = upper_bound(n, x, risk).units();
        prop_assert!(is_ruled_out_exactly(n, x, bound, risk));
        // Sharp to a millionth.
        let below = bound - 1 - (bound >> 20);
        prop_assert!(!is_ruled_out_exactly(n, x, below, risk), "{x} of {n}: {bound}");
    }

    #[test]
    fn more_exceedances_never_lower_the_bound_and_more_blocks_never_raise_it(
        n in 1_u32..20_000, x in 0_u32..400, risk in 3_u64..20_000
    ) {
        let bound = upper_bound(n, x, risk).units();
        let slack = 1 + (bound >> 30);
        prop_assert!(bound <= upper_bound(n, x + 1, risk).units() + slack);
        prop_assert!(upper_bound(n + 1, x, risk).units() <= bound + slack);
    }
}
