//! How often the kernel side may wake the loop.
//!
//! A wake-up costs the watched task microseconds, so after one the kernel side is silent until it is told that the next record
//! may wake again. Usually that is at once, and every record that finds the loop asleep wakes it. Under a flood it is after a
//! hold, in which records gather: at most one wake-up a [`HOLD`] then, and no record waits longer than that.

use std::time::Duration;

use picket_engine::KernelTime;

/// How long records may gather under a flood. No longer, because what a flood hides must be answered in time, too.
pub(super) const HOLD: Duration = Duration::from_micros(250);

/// Wake-ups in a row before the first hold: plugins that start one after the other make fewer, so that what one does wrong is
/// answered without a hold.
const IN_A_ROW: u64 = 256;

/// A wake-up is given back for each of these times that passes without a hold.
const EACH: Duration = Duration::from_micros(50);

/// Counts wake-ups.
#[derive(Debug)]
pub(super) struct Wakeups {
    left: u64,
    /// Until when what is left has been reckoned.
    reckoned: KernelTime,
    /// Since when records gather.
    held: Option<KernelTime>,
}

impl Wakeups {
    pub(super) fn new(now: KernelTime) -> Self {
        Self { left: IN_A_ROW, reckoned: now, held: None }
    }

    /// Whether records gather, so that waiting for them is of no use.
    pub(super) fn held(&self) -> bool {
        self.held.is_some()
    }

    /// To be asked after each reading of the rings: whether the next record may wake. `woken`: the kernel side may have been
    /// silent since. `stuck`: a record lies there that is not finished, because its maker was interrupted and wants to run.
    pub(super) fn may_wake(&mut self, woken: bool, stuck: bool, now: KernelTime) -> bool {
        if let Some(since) = self.held {
            if now.duration_since(since) < HOLD || stuck {
                return false;
            }
            // The wake-up that follows is paid by this hold.
            (self.held, self.reckoned) = (None, now);
            return true;
        }
        if stuck {
            self.held = Some(now);
            return false;
        }
        if !woken {
            return false;
        }
        self.reckon(now);
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.held = Some(now);
                false
            }
        }
    }

    fn reckon(&mut self, now: KernelTime) {
        let given = now.duration_since(self.reckoned).as_nanos() / EACH.as_nanos();
        if 0 < given {
            let given = u64::try_from(given).unwrap_or(u64::MAX);
            self.left = self.left.saturating_add(given).min(IN_A_ROW);
            self.reckoned = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: KernelTime = KernelTime::from_nanos(1_000_000_000);

    fn after(micros: u64) -> KernelTime {
        KernelTime::from_nanos(1_000_000_000 + micros * 1_000)
    }

    #[test]
    fn records_that_come_one_by_one_wake_each_time() {
        let mut wakeups = Wakeups::new(START);
        assert!((1..10_000).all(|n| wakeups.may_wake(true, false, after(n * 100))));
    }

    #[test]
    fn a_flood_wakes_no_more_than_once_a_hold() {
        let mut wakeups = Wakeups::new(START);
        let woken = (0..100_000).filter(|n| wakeups.may_wake(true, false, after(n * 10))).count();
        let holds = 100_000 * 10 / HOLD.as_micros();
        assert!(u128::try_from(woken).unwrap() <= holds + u128::from(IN_A_ROW), "{woken}");
        assert!(holds / 2 < u128::try_from(woken).unwrap(), "{woken}");
    }

    #[test]
    fn what_gathered_is_waited_for_no_longer_than_a_hold() {
        let mut wakeups = Wakeups::new(START);
        while wakeups.may_wake(true, false, START) {}
        assert!(wakeups.held());
        assert!(!wakeups.may_wake(true, false, after(249)));
        assert!(wakeups.may_wake(true, false, after(250)));
        assert!(!wakeups.held());
    }

    #[test]
    fn whoever_is_interrupted_with_a_record_in_hand_gets_time_to_finish_it() {
        let mut wakeups = Wakeups::new(START);
        assert!(!wakeups.may_wake(false, true, START));
        assert!(wakeups.held());
        assert!(wakeups.may_wake(true, false, after(250)));
    }

    #[test]
    fn a_turn_that_read_nothing_costs_no_wake_up() {
        let mut wakeups = Wakeups::new(START);
        assert!((0..1_000).all(|_| !wakeups.may_wake(false, false, START)));
        assert!(wakeups.may_wake(true, false, START));
    }
}
