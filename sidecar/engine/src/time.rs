//! When something happened, on the one clock that kernel and user space share.

use core::time::Duration;

/// Nanoseconds since boot, suspend included (`CLOCK_BOOTTIME`). Never wall time: stepping the
/// system clock must not change a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelTime(u64);

impl KernelTime {
    /// The boot itself.
    pub const BOOT: Self = Self(0);
    /// Later than any kernel will run.
    pub const MAX: Self = Self(u64::MAX);

    /// The time `nanos` nanoseconds after boot.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since boot.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// `None` when the sum lies beyond [`KernelTime::MAX`].
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// Stops at [`KernelTime::MAX`], so that an endless lease ends never instead of long ago.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::MAX)
    }

    /// Zero when `earlier` is the later one: events of two CPUs may arrive out of order, and a
    /// negative latency would be nonsense.
    pub const fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
