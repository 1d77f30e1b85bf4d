//! From the inputs of a recording to runs: which sandbox lived when, which facts are the plugin's, what went wrong.
//!
//! What happens before the entry point's exec belongs to whoever starts the plugin, and is left out.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::reduce::{self, OwnIds};
use super::{Fault, Run};
use crate::learned::PluginTime;
use crate::{Arrival, Fact, FileId, Input, KernelTime, Outcome, SandboxId};

/// A run, and the sandbox that it was in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// As the recording numbers it.
    pub sandbox: SandboxId,
    /// What it did.
    pub run: Run,
}

/// Hears a recording. Time is data: nothing is asked of a clock.
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

    /// Hears the next input.
    pub fn hear(&mut self, input: &Input) {
        match input {
            Input::Register { sandbox, policy, arrival, at } => {
                self.now = self.now.max(*at);
                let new = Watched::new(arrival, policy.inherited.clone(), *at);
                self.sandboxes.entry(*sandbox).or_insert(new);
            }
            Input::Event { sandbox, order, process, fact } => {
                self.now = self.now.max(order.time);
                if let Some(watched) = self.sandboxes.get_mut(sandbox) {
                    watched.own.insert(process.tgid);
                    watched.own.insert(process.tid);
                    watched.event(order.time, fact);
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
            | Input::Supervisor { at, .. }
            | Input::Resources { at, .. }
            | Input::Tick { at } => self.now = self.now.max(*at),
        }
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

    fn end(&mut self, sandbox: SandboxId, watched: Watched) {
        if matches!(watched.stage, Stage::Starting(_)) {
            return;
        }
        let after_boot = watched.began.duration_since(self.boot).as_secs();
        let before_boot = self.boot.duration_since(watched.began).as_secs();
        let began = self.unix_s.saturating_add(after_boot).saturating_sub(before_boot);
        let lasted = self.now.duration_since(watched.began).as_millis();
        let lasted = PluginTime::from_millis(u64::try_from(lasted).unwrap_or(u64::MAX));
        let run = watched.run.placed(began, lasted, watched.started, watched.facts);
        self.over.push(Observed { sandbox, run });
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

    fn event(&mut self, at: KernelTime, fact: &Fact) {
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
        reduce::deeds(fact, &self.inherited, &self.own, |family, template| {
            run.count(family, &template, 1);
        });
    }
}
