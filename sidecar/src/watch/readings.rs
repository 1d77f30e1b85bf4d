//! What sandboxes have used, on its way from whoever reads it to the watch loop.
//!
//! The newest reading of each sandbox and no other: a loop that is behind has no more to do for it, and never waits for
//! whoever reads.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use picket_engine::{KernelTime, SandboxId, Usage};

type Newest = BTreeMap<SandboxId, (Usage, KernelTime)>;

/// Readings that the loop has not taken yet.
#[derive(Clone, Debug, Default)]
pub struct Readings(Arc<Mutex<Newest>>);

impl Readings {
    /// Puts a reading in the place of the one before.
    pub fn put(&self, sandbox: SandboxId, usage: Usage, at: KernelTime) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.insert(sandbox, (usage, at));
    }

    /// All of them; none when one is just being put there.
    pub(super) fn take(&self) -> Newest {
        self.0.try_lock().map(|mut readings| mem::take(&mut *readings)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use picket_engine::Resource;

    use super::*;

    #[test]
    fn only_the_newest_reading_of_a_sandbox_waits_for_the_loop() {
        let readings = Readings::default();
        let sandbox = SandboxId { slot: 1, generation: 1 };
        for amount in [1, 2] {
            let usage = Usage::from_iter([(Resource::Tasks, amount)]);
            readings.put(sandbox, usage, KernelTime::from_nanos(amount));
        }
        let newest = (Usage::from_iter([(Resource::Tasks, 2)]), KernelTime::from_nanos(2));
        assert_eq!(readings.take(), BTreeMap::from([(sandbox, newest)]));
        assert_eq!(readings.take(), BTreeMap::new());
    }

    #[test]
    fn the_loop_does_not_wait_for_a_reading_that_is_just_being_put_there() {
        let readings = Readings::default();
        let _putting = readings.0.lock().unwrap();
        assert_eq!(readings.take(), BTreeMap::new());
    }
}
