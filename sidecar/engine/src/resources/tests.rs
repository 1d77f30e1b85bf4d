use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::testing::ms;

fn used(amounts: &[(Resource, u64)]) -> Usage {
    amounts.iter().copied().collect()
}

fn after(readings: &[(u64, &[(Resource, u64)])]) -> ResourceProfile {
    let mut profile = ResourceProfile::default();
    for (at, amounts) in readings {
        profile.update(&used(amounts), ms(*at));
    }
    profile
}

#[test]
fn what_nobody_counts_is_absent_and_not_zero() {
    let usage = used(&[(Resource::Tasks, 0)]);
    assert_eq!(usage.get(Resource::Tasks), Some(0));
    assert_eq!(usage.get(Resource::Memory), None);
    assert_eq!(usage.iter().collect::<std::vec::Vec<_>>(), [(Resource::Tasks, 0)]);
}

#[test]
fn a_rate_is_what_a_count_grew_by_in_a_second() {
    let profile = after(&[(0, &[(Resource::CpuUser, 10)]), (500, &[(Resource::CpuUser, 60)])]);
    assert_eq!(profile.rate(Resource::CpuUser), Some(100));
    assert_eq!(profile.last(), Some((ms(500), used(&[(Resource::CpuUser, 60)]))));
}

#[test]
fn there_is_no_rate_before_the_second_reading_nor_of_a_level() {
    let both = &[(Resource::CpuUser, 10), (Resource::Memory, 5)][..];
    assert_eq!(after(&[(0, both)]).rate(Resource::CpuUser), None);
    assert_eq!(after(&[(0, both), (1_000, both)]).rate(Resource::Memory), None);
}

#[test]
fn a_count_that_fell_has_no_rate() {
    let profile = after(&[(0, &[(Resource::Sent, 10)]), (1_000, &[(Resource::Sent, 9)])]);
    assert_eq!(profile.rate(Resource::Sent), None);
}

#[test]
fn a_reading_that_is_not_later_than_the_last_is_left_out() {
    let profile = after(&[
        (0, &[(Resource::Sent, 0)]),
        (1_000, &[(Resource::Sent, 7)]),
        (1_000, &[(Resource::Sent, 700)]),
    ]);
    assert_eq!(profile.rate(Resource::Sent), Some(7));
    assert_eq!(profile.last(), Some((ms(1_000), used(&[(Resource::Sent, 7)]))));
}

proptest! {
    #[test]
    fn no_two_readings_overflow_a_rate(before: u64, after: u64, nanos: u64) {
        let mut profile = ResourceProfile::default();
        profile.update(&used(&[(Resource::CpuUser, before)]), KernelTime::BOOT);
        let later = KernelTime::BOOT.saturating_add(Duration::from_nanos(nanos));
        profile.update(&used(&[(Resource::CpuUser, after)]), later);
        prop_assert!(profile.rate(Resource::CpuUser).is_none_or(|_| before <= after));
    }
}
