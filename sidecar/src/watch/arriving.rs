//! Sandboxes on their way in: the kernel side reports about them already, and how they arrive is not known yet.
//!
//! The order is membership first, then a look at who is there, because whoever comes after the membership is reported
//! by the kernel and whoever comes before it can only be found by looking. Until the look is in, reports wait here. A
//! process that the look found *and* whose entry was reported came afterwards. All others were there before, and may
//! have run anything: with one such process the sandbox was found at work.

use std::collections::{BTreeMap, BTreeSet};

use picket_engine::{Arrival, Fact, KernelTime, Policy, SandboxId};

use crate::decode::Decoded;

/// Reports held for one sandbox. A look takes less than a millisecond, and a container of Kubernetes has its name soon
/// after its start; what is beyond counts as lost.
const HELD: usize = 16_384;

/// Reports held for all of them, so that many that wait for their names cost no more memory than a few.
const HELD_IN_ALL: usize = 8 * HELD;

/// What a look at a sandbox found once its membership was in force.
#[derive(Clone, Debug)]
pub struct Found {
    /// Processes in it and below it, by tgid.
    pub processes: BTreeSet<u32>,
    /// If nobody was there before: when its setting up is over at the latest.
    pub setup_until: KernelTime,
}

/// What was held back for one sandbox.
#[derive(Default)]
pub(super) struct Held {
    pub(super) records: Vec<Decoded>,
    /// How many found no room.
    pub(super) lost: u64,
    /// What the kernel side goes by from the first exec on.
    after_exec: Option<Policy>,
}

impl Held {
    /// How the sandbox arrives.
    pub(super) fn arrival(&self, found: Found) -> Arrival {
        let Found { mut processes, setup_until } = found;
        for record in &self.records {
            if matches!(record.fact, Fact::Entered {}) {
                processes.remove(&record.process.tgid);
            }
        }
        // Without a whole record of who entered, nobody can be shown to have come later.
        if processes.is_empty() && self.lost == 0 {
            Arrival::Empty { until: setup_until }
        } else {
            Arrival::Running { processes: processes.into_iter().collect() }
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Arriving {
    sandboxes: BTreeMap<SandboxId, Held>,
    in_all: usize,
}

impl Arriving {
    pub(super) fn expect(&mut self, sandbox: SandboxId, after_exec: Option<Policy>) {
        self.sandboxes.entry(sandbox).or_default().after_exec = after_exec;
    }

    /// What the kernel side is to go by if this record is the first exec of one that may wait for long: what was seen
    /// while it was set up must not pass for what it has shown.
    pub(super) fn begins(&mut self, record: &Decoded) -> Option<Policy> {
        if !matches!(record.fact, Fact::Exec { .. }) {
            return None;
        }
        self.sandboxes.get_mut(&record.sandbox)?.after_exec.take()
    }

    pub(super) fn expects(&self, sandbox: SandboxId) -> bool {
        self.sandboxes.contains_key(&sandbox)
    }

    /// Keeps the record if its sandbox is on its way; hands it back otherwise.
    pub(super) fn hold(&mut self, record: Decoded) -> Option<Decoded> {
        let Some(held) = self.sandboxes.get_mut(&record.sandbox) else {
            return Some(record);
        };
        if held.records.len() < HELD && self.in_all < HELD_IN_ALL {
            held.records.push(record);
            self.in_all += 1;
        } else {
            held.lost += 1;
        }
        None
    }

    /// It has arrived, or was given up.
    pub(super) fn take(&mut self, sandbox: SandboxId) -> Held {
        let held = self.sandboxes.remove(&sandbox).unwrap_or_default();
        self.in_all -= held.records.len();
        held
    }
}

#[cfg(test)]
mod tests {
    use picket_engine::{Order, Process};

    use super::*;

    const SANDBOX: SandboxId = SandboxId { slot: 1, generation: 2 };
    const UNTIL: KernelTime = KernelTime::from_nanos(10);

    fn record(tgid: u32, fact: Fact) -> Decoded {
        let order = Order { time: KernelTime::from_nanos(1), cpu: 0, sequence: 0 };
        let process = Process { tgid, tid: tgid, start: KernelTime::from_nanos(0) };
        Decoded { sandbox: SANDBOX, hook: 0, order, process, fact }
    }

    fn arrival(found: &[u32], reported: Vec<Decoded>) -> Arrival {
        let mut arriving = Arriving::default();
        arriving.expect(SANDBOX, None);
        for record in reported {
            assert!(arriving.hold(record).is_none());
        }
        let processes = found.iter().copied().collect();
        arriving.take(SANDBOX).arrival(Found { processes, setup_until: UNTIL })
    }

    #[test]
    fn an_empty_sandbox_is_being_set_up() {
        assert_eq!(arrival(&[], vec![]), Arrival::Empty { until: UNTIL });
    }

    #[test]
    fn who_was_there_before_the_membership_makes_it_found_at_work() {
        assert_eq!(arrival(&[7], vec![]), Arrival::Running { processes: vec![7] });
    }

    #[test]
    fn who_entered_after_the_membership_does_not() {
        assert_eq!(
            arrival(&[7], vec![record(7, Fact::Entered {})]),
            Arrival::Empty { until: UNTIL }
        );
    }

    #[test]
    fn a_child_of_somebody_who_was_there_before_does() {
        let forked = Fact::Fork { child_tgid: 8, child_tid: 8 };
        let arrival = arrival(&[8], vec![record(7, forked)]);
        assert_eq!(arrival, Arrival::Running { processes: vec![8] });
    }

    #[test]
    fn many_that_wait_share_a_bound_and_what_is_beyond_counts_as_lost() {
        let mut arriving = Arriving::default();
        let sandboxes: Vec<_> = (0..10).map(|slot| SandboxId { slot, generation: 1 }).collect();
        for &sandbox in &sandboxes {
            arriving.expect(sandbox, None);
            for _ in 0..HELD {
                arriving.hold(Decoded { sandbox, ..record(7, Fact::Entered {}) });
            }
        }
        let held: Vec<_> = sandboxes.iter().map(|&one| arriving.take(one)).collect();
        let kept: usize = held.iter().map(|one| one.records.len()).sum();
        let lost: u64 = held.iter().map(|one| one.lost).sum();
        assert_eq!((kept, lost, arriving.in_all), (HELD_IN_ALL, 2 * HELD as u64, 0));
    }

    #[test]
    fn records_of_other_sandboxes_are_not_held() {
        let mut arriving = Arriving::default();
        assert!(arriving.hold(record(7, Fact::Entered {})).is_some());
    }
}
