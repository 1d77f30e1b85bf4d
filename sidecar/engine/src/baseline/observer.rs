//! From inputs to runs, of a recording or as they pass the engine: which sandbox lived when, which facts are the
//! plugin's, what went wrong.
//!
//! What happens before the entry point's exec belongs to whoever starts the plugin, and is left out. Invariant: at most
//! one sandbox for each slot is held, so that whoever listens for months and misses an end keeps no more than there are
//! slots.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::reduce::{self, OwnIds};
use super::run::cut;
use super::{Family, Fault, Run};
use crate::learned::PluginTime;
use crate::{Arrival, Fact, FileId, Input, KernelTime, Outcome, SandboxId};

/// A run, and the sandbox that it was in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// As the inputs number it.
    pub sandbox: SandboxId,
    /// When it began, on the kernel's clock.
    pub at: KernelTime,
    /// What it did.
    pub run: Run,
}

/// Hears inputs. Time is data: nothing is asked of a clock.
#[derive(Debug)]
pub struct Observer {
    boot: KernelTime,
    unix_s: u64,
    sandboxes: BTreeMap<SandboxId, Watched>,
    over: Vec<Observed>,
    now: KernelTime,
}

#[derive(Debug)]
struct Watched {
    stage: Stage,
    began: KernelTime,
    started: bool,
    facts: u64,
    inherited: BTreeSet<FileId>,
    own: OwnIds,
    run: Run,
}

#[derive(Debug)]
enum Stage {
    /// Until the first exec, or until this time.
    Starting(KernelTime),
    Running,
}

impl Observer {
    /// `boot` on the kernel's clock is `unix_s` seconds since 1970.
    pub fn new(boot: KernelTime, unix_s: u64) -> Self {
        let (sandboxes, over) = (BTreeMap::new(), Vec::new());
        Self { boot, unix_s, sandboxes, over, now: KernelTime::BOOT }
    }

    /// From now on `boot` on the kernel's clock is `unix_s` seconds since 1970: the wall clock may be set while one listens.
    pub fn set_clock(&mut self, boot: KernelTime, unix_s: u64) {
        (self.boot, self.unix_s) = (boot, unix_s);
    }

    /// Hears the next input.
    pub fn hear(&mut self, input: &Input) {
        self.hear_deeds(input, |_, _| {});
    }

    /// As [`Observer::hear`]; `deed` is told of everything that is counted of it, as the template that it is counted as.
    /// Also of a run that teaches nothing because something of it was lost, but of nothing that follows a containment.
    pub fn hear_deeds(&mut self, input: &Input, deed: impl FnMut(Family, &str)) {
        match input {
            Input::Register { sandbox, policy, arrival, at } => {
                self.now = self.now.max(*at);
                self.end_former(*sandbox);
                let new = Watched::new(arrival, policy.inherited.clone(), *at);
                self.sandboxes.entry(*sandbox).or_insert(new);
            }
            Input::Event { sandbox, order, process, fact } => {
                self.now = self.now.max(order.time);
                if let Some(watched) = self.sandboxes.get_mut(sandbox) {
                    watched.own.insert(process.tgid);
                    watched.own.insert(process.tid);
                    watched.event(order.time, fact, deed);
                }
            }
            Input::Loss { sandbox, lost, at } => {
                self.now = self.now.max(*at);
                self.fail(Some(*sandbox), Fault::Lost, *lost);
            }
            Input::Tampered { sandbox, at, .. } => {
                self.now = self.now.max(*at);
                self.fail(*sandbox, Fault::Tampered, 1);
            }
            Input::Receipt { sandbox, outcome: Outcome::Done, at, .. } => {
                self.now = self.now.max(*at);
                self.fail(Some(*sandbox), Fault::Contained, 1);
            }
            Input::Unregister { sandbox, at } => {
                self.now = self.now.max(*at);
                if let Some(watched) = self.sandboxes.remove(sandbox) {
                    self.end(*sandbox, watched);
                }
            }
            Input::Receipt { at, .. }
            | Input::Policy { at, .. }
            | Input::Anomaly { at, .. }
            | Input::Supervisor { at, .. }
            | Input::Resources { at, .. }
            | Input::Tick { at } => self.now = self.now.max(*at),
        }
    }

    /// The runs that are over and were not taken yet, in the order in which they ended.
    pub fn take(&mut self) -> Vec<Observed> {
        core::mem::take(&mut self.over)
    }

    /// So many inputs were not heard, and nobody knows whose: no run that lives may teach anything.
    pub fn missed(&mut self, inputs: u64) {
        self.fail(None, Fault::Gaps, inputs);
    }

    /// Sandboxes that run, the run of each so far, and for how long it is watched.
    pub fn running(&self) -> impl Iterator<Item = (SandboxId, &Run, Duration)> {
        let runs = self.sandboxes.iter().filter(|(_, watched)| watched.runs());
        runs.map(|(id, watched)| (*id, &watched.run, self.now.duration_since(watched.began)))
    }

    /// The run of a sandbox that runs, when it began, in seconds since 1970, and whether its start was seen.
    pub fn running_in(&self, sandbox: SandboxId) -> Option<(&Run, u64, bool)> {
        let watched = self.sandboxes.get(&sandbox).filter(|watched| watched.runs())?;
        Some((&watched.run, self.unix_seconds(watched.began), watched.started))
    }

    /// The run of a sandbox is over here, and another one begins, whose start was not seen. Only right where the kernel
    /// side was told to forget what it has seen: it sends first times, and the new run would lack all of the former's.
    pub fn cut(&mut self, sandbox: SandboxId) {
        if let Some(watched) = self.sandboxes.get_mut(&sandbox).filter(|watched| watched.runs()) {
            let next = watched.next(self.now);
            let former = core::mem::replace(watched, next);
            self.end(sandbox, former);
        }
    }

    /// Hears no more of the sandboxes that nobody wants, and keeps nothing of them.
    pub fn keep_only(&mut self, wanted: impl Fn(SandboxId) -> bool) {
        self.sandboxes.retain(|sandbox, _| wanted(*sandbox));
    }

    /// Every run in the order in which they ended, those that the recording did not see end last. Sandboxes of which the
    /// plugin's entry point never ran are left out.
    pub fn finish(mut self) -> Vec<Observed> {
        for (sandbox, watched) in core::mem::take(&mut self.sandboxes) {
            self.end(sandbox, watched);
        }
        self.over
    }

    fn fail(&mut self, sandbox: Option<SandboxId>, fault: Fault, times: u64) {
        let concerned = self.sandboxes.iter_mut();
        concerned
            .filter(|(id, _)| sandbox.is_none_or(|sandbox| sandbox == **id))
            .for_each(|(_, watched)| watched.run.fail(fault, times));
    }

    /// Whoever was in the slot before has ended, and that was not heard.
    fn end_former(&mut self, sandbox: SandboxId) {
        let slot = sandbox.slot;
        let former = SandboxId { slot, generation: 0 }..=SandboxId { slot, generation: u32::MAX };
        let former: Vec<_> = self.sandboxes.range(former).map(|(id, _)| *id).collect();
        for id in former.into_iter().filter(|id| *id != sandbox) {
            if let Some(mut watched) = self.sandboxes.remove(&id) {
                watched.run.fail(Fault::Gaps, 1);
                self.end(id, watched);
            }
        }
    }

    fn unix_seconds(&self, at: KernelTime) -> u64 {
        let after_boot = at.duration_since(self.boot).as_secs();
        let before_boot = self.boot.duration_since(at).as_secs();
        self.unix_s.saturating_add(after_boot).saturating_sub(before_boot)
    }

    fn end(&mut self, sandbox: SandboxId, watched: Watched) {
        if !watched.runs() {
            return;
        }
        let began = self.unix_seconds(watched.began);
        let lasted = self.now.duration_since(watched.began).as_millis();
        let lasted = PluginTime::from_millis(u64::try_from(lasted).unwrap_or(u64::MAX));
        let run = watched.run.placed(began, lasted, watched.started, watched.facts);
        self.over.push(Observed { sandbox, at: watched.began, run });
    }
}

impl Watched {
    fn new(arrival: &Arrival, inherited: BTreeSet<FileId>, at: KernelTime) -> Self {
        let (stage, alive): (_, &[u32]) = match arrival {
            Arrival::Gated => (Stage::Starting(KernelTime::MAX), &[]),
            Arrival::Empty { until } => (Stage::Starting(*until), &[]),
            Arrival::Running { processes } => (Stage::Running, processes),
        };
        let mut own = OwnIds::default();
        alive.iter().for_each(|tgid| own.insert(*tgid));
        Self { stage, began: at, started: false, facts: 0, inherited, own, run: Run::default() }
    }

    const fn runs(&self) -> bool {
        matches!(self.stage, Stage::Running)
    }

    /// What follows when a run is cut. A sandbox that was interfered with or contained is not itself any more, also later.
    fn next(&self, at: KernelTime) -> Self {
        let mut run = Run::default();
        for fault in [Fault::Tampered, Fault::Contained] {
            if let Some(times) = self.run.faults().get(&fault) {
                run.fail(fault, *times);
            }
        }
        let (inherited, own) = (self.inherited.clone(), self.own.clone());
        Self { stage: Stage::Running, began: at, started: false, facts: 0, inherited, own, run }
    }

    fn event(&mut self, at: KernelTime, fact: &Fact, mut deed: impl FnMut(Family, &str)) {
        if let Fact::Fork { child_tgid, child_tid } = fact {
            self.own.insert(*child_tgid);
            self.own.insert(*child_tid);
        }
        match self.stage {
            Stage::Running => {}
            Stage::Starting(until) if until <= at => self.stage = Stage::Running,
            Stage::Starting(_) if matches!(fact, Fact::Exec { .. }) => {
                (self.stage, self.began, self.started) = (Stage::Running, at, true);
            }
            Stage::Starting(_) => return,
        }
        self.facts = self.facts.saturating_add(1);
        let run = &mut self.run;
        let is_itself = !run.faults().contains_key(&Fault::Contained);
        reduce::deeds(fact, &self.inherited, &self.own, |family, template| {
            run.count(family, &template, 1);
            if is_itself {
                deed(family, &cut(&template));
            }
        });
    }
}
