//! The kernel's clock, read at the edges. The engine is handed times and never asks.
#![expect(unsafe_code, reason = "clock_gettime(2) for CLOCK_BOOTTIME is not in std")]

use picket_engine::KernelTime;

/// Nanoseconds since boot, sleep included: the clock of every record.
#[must_use]
pub fn now() -> KernelTime {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid clock and a timespec to write to.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    assert!(failed == 0, "CLOCK_BOOTTIME exists since Linux 2.6.39");
    let nanos = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    KernelTime::from_nanos(
        u64::try_from(nanos).expect("boot lies in the past, less than 584 years ago"),
    )
}
