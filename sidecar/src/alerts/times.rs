//! Times as the outbox keeps them, and dice.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::rand::{GetRandomFlags, getrandom};

use crate::clock;

/// The clock of due times: milliseconds since boot, which nobody can set.
pub(super) fn tick() -> i64 {
    i64::try_from(clock::now().as_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970.
pub(super) fn millis(time: SystemTime) -> i64 {
    whole_millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

pub(super) fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Any number; without the kernel's random numbers the longest wait, more or less.
pub(super) fn dice() -> u64 {
    let mut bytes = [0; 8];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(_) => u64::from_ne_bytes(bytes),
        Err(_) => u64::MAX,
    }
}
