//! Takes containment steps and waits for the kernel to confirm them, without holding the loop up.

use std::{
    collections::BTreeMap,
    os::fd::{AsRawFd, RawFd},
    time::Duration,
};

use picket_engine::{Contain, KernelTime, Outcome, SandboxId, Step};

use crate::supervisor::Containment;

/// A step that is not confirmed by then has failed; the engine decides what follows.
const DEADLINE: Duration = Duration::from_secs(1);

/// The kernel throttles its notifications to one per 10 ms, so a step is looked at more often than it is announced: each
/// time it has waited this share longer. A receipt is late by no more than that, whether it takes microseconds or
/// milliseconds, and one that never comes costs some 250 looks.
const SHARE: u32 = 8;
/// Where the loop and the offender share a processor, each look keeps the offender from the point where it freezes: 10 µs
/// made receipts half as slow again, 30 µs a fifth faster than 50 µs.
const SOONEST: Duration = Duration::from_micros(30);
const LATEST: Duration = Duration::from_millis(5);

/// What the kernel confirmed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmed {
    pub(crate) contain: Contain,
    pub(crate) outcome: Outcome,
    pub(crate) decided: KernelTime,
    pub(crate) confirmed: KernelTime,
}

/// Finds the controls of a sandbox.
pub(super) trait Controls {
    fn controls(&self, sandbox: SandboxId) -> Option<&Containment>;
}

struct Pending {
    contain: Contain,
    decided: KernelTime,
    events: RawFd,
    /// The step could not even be written.
    refused: bool,
}

/// Steps that wait for their confirmation. Key: sandbox and step, so a repeated order is the same one.
#[derive(Default)]
pub(super) struct Steps {
    pending: BTreeMap<(SandboxId, Step), Pending>,
}

impl Steps {
    /// Takes a step. Writing again what is pending already is harmless: the kernel's switches are levels.
    pub(super) fn take(&mut self, contain: Contain, controls: &Containment, decided: KernelTime) {
        let written = match contain.step {
            Step::Freeze => controls.freeze(),
            Step::Kill => controls.kill(),
        };
        if let Err(error) = &written {
            tracing::error!(%error, sandbox = %contain.sandbox, step = contain.step.as_str(), "containment");
        }
        let events = controls.events_fd().as_raw_fd();
        let pending = Pending { contain, decided, events, refused: written.is_err() };
        self.pending.insert((contain.sandbox, contain.step), pending);
    }

    /// Steps whose confirmation has come, or is overdue.
    pub(super) fn receipts(
        &mut self,
        sandboxes: &impl Controls,
        now: KernelTime,
    ) -> Vec<Confirmed> {
        let mut receipts = Vec::new();
        self.pending.retain(|(sandbox, step), pending| {
            let state = sandboxes.controls(*sandbox).map(Containment::state);
            let reached = state.is_some_and(|state| match (step, state) {
                (Step::Freeze, Ok(state)) => state.frozen,
                (Step::Kill, Ok(state)) => !state.populated,
                // Only an empty cgroup can be removed.
                (Step::Kill, Err(error)) => error.raw_os_error() == Some(libc::ENODEV),
                (Step::Freeze, Err(_)) => false,
            });
            let overdue = DEADLINE <= now.duration_since(pending.decided);
            if !reached && !pending.refused && !overdue {
                return true;
            }
            receipts.push(Confirmed {
                contain: pending.contain,
                outcome: if reached { Outcome::Done } else { Outcome::Failed },
                decided: pending.decided,
                confirmed: crate::clock::now(),
            });
            false
        });
        receipts
    }

    /// The sandbox is gone, and with it what was asked of it.
    pub(super) fn forget(&mut self, sandbox: SandboxId) {
        self.pending.retain(|(pending, _), _| *pending != sandbox);
    }

    /// Descriptors that announce a confirmation.
    pub(super) fn pending_descriptors(&self) -> impl Iterator<Item = RawFd> + '_ {
        self.pending.values().map(|pending| pending.events)
    }

    /// How long the loop may sleep while a confirmation is out; `None` when none is.
    pub(super) fn patience(&self) -> Option<Duration> {
        let newest = self.pending.values().map(|pending| pending.decided).max()?;
        Some(look_again(crate::clock::now().duration_since(newest)))
    }
}

/// After how long a step that has waited so long is looked at again.
fn look_again(waited: Duration) -> Duration {
    (waited / SHARE).clamp(SOONEST, LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_late_by_an_eighth_of_its_wait_within_bounds() {
        for (waited, wait) in [(0, 30), (240, 30), (800, 100), (40_000, 5_000), (900_000, 5_000)] {
            let (waited, wait) = (Duration::from_micros(waited), Duration::from_micros(wait));
            assert_eq!(look_again(waited), wait, "after {waited:?}");
        }
    }

    #[test]
    fn a_step_that_is_never_confirmed_is_looked_at_a_few_hundred_times() {
        let (mut waited, mut looks) = (Duration::ZERO, 0);
        while waited < DEADLINE {
            waited += look_again(waited);
            looks += 1;
        }
        assert!(looks < 300, "{looks} looks");
    }
}
