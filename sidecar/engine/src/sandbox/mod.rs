//! One sandbox: its life, and what follows when a lane finds a departure.

mod respond;

use alloc::vec::Vec;

use crate::baseline::Anomaly;
use crate::containment::Ladder;
use crate::incident::Incident;
use crate::lanes::{self, Context, Offence};
use crate::processes::Processes;
use crate::{
    Arrival, Capability, Closure, Deed, Departure, Effect, Fact, IncidentId, KernelTime, Narrowing,
    Notice, Order, Outcome, Policy, Process, Reason, ResourceProfile, Rung, SandboxId, Settings,
    Step, Tampering, Usage,
};
use respond::Source;

/// Where a sandbox is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxState {
    /// Its entry point has not run yet: only who starts it is at work.
    Starting,
    /// Judged by its manifest.
    Running,
    /// An incident is being contained, or has been.
    Contained(Rung),
    /// Its entry point has ended and nothing is being contained.
    Ended,
}

/// Who is at work in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Picket's launcher.
    Launching,
    /// Another supervisor, until its first exec or this time.
    SettingUp { until: KernelTime },
    /// The plugin.
    Running,
}

/// Everything the engine knows about one sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    id: SandboxId,
    policy: Policy,
    stage: Stage,
    // The entry point has ended; what it left behind may live on.
    ended: bool,
    // The latest time that any input brought: events of several CPUs come a little out of order,
    // and patience with a receipt must not be measured from an event that was read late.
    now: KernelTime,
    next_expiry: Option<KernelTime>,
    processes: Processes,
    resources: ResourceProfile,
    incident: Option<Incident>,
    incidents: u32,
}

impl Sandbox {
    pub(crate) fn new(id: SandboxId, policy: Policy, arrival: Arrival, at: KernelTime) -> Self {
        let next_expiry = policy.next_expiry(at);
        let mut processes = Processes::default();
        let stage = match arrival {
            Arrival::Gated => Stage::Launching,
            Arrival::Empty { until } => Stage::SettingUp { until },
            Arrival::Running { processes: alive } => {
                for tgid in alive {
                    processes.enter(tgid);
                }
                Stage::Running
            }
        };
        Self {
            id,
            policy,
            stage,
            ended: false,
            now: at,
            next_expiry,
            processes,
            resources: ResourceProfile::default(),
            incident: None,
            incidents: 0,
        }
    }

    pub(crate) fn state(&self) -> SandboxState {
        let ladder = self.incident.as_ref().and_then(|incident| incident.ladder.as_ref());
        match ladder.map(Ladder::rung) {
            None | Some(Rung::Killed) if self.ended => SandboxState::Ended,
            Some(rung) => SandboxState::Contained(rung),
            None if self.stage == Stage::Running => SandboxState::Running,
            None => SandboxState::Starting,
        }
    }

    pub(crate) fn replace_policy(
        &mut self,
        policy: Policy,
        at: KernelTime,
        effects: &mut Vec<Effect>,
    ) {
        self.advance(at);
        if self.policy == policy {
            return;
        }
        self.policy = policy;
        self.next_expiry = self.policy.next_expiry(self.now);
        self.narrowed(Narrowing::PolicyReplaced, effects);
    }

    pub(crate) fn event(
        &mut self,
        order: Order,
        process: Process,
        fact: Fact,
        settings: &Settings,
        effects: &mut Vec<Effect>,
    ) {
        self.advance(order.time);
        self.end_setup(order.time, effects);
        let entered = self.follow(process, &fact);
        let first_exec = self.stage != Stage::Running && matches!(fact, Fact::Exec { .. });
        if let Some(offence) = self.judge(order.time, &fact, entered) {
            let source = Source { order, process: Some(process) };
            self.offend(offence, source, Deed::Fact(fact), settings, effects);
        }
        if first_exec {
            self.stage = Stage::Running;
            self.narrowed(Narrowing::EntryPoint, effects);
        }
    }

    fn judge(&self, at: KernelTime, fact: &Fact, entered: bool) -> Option<Offence> {
        let context = self.context(at);
        let setting_up = matches!(self.stage, Stage::SettingUp { .. });
        match fact {
            // Not the plugin's doing; what it executes first is.
            fact if setting_up && !matches!(fact, Fact::Exec { .. }) => None,
            // The gate lets exactly one task in.
            Fact::Entered {} if context.starting && entered && context.alive == 1 => None,
            // A thread, or a process that is known already: nothing has grown.
            Fact::Fork { .. } if !entered => None,
            fact => lanes::judge(&context, fact),
        }
    }

    fn context(&self, at: KernelTime) -> Context<'_> {
        let starting = self.stage == Stage::Launching;
        Context { policy: &self.policy, starting, alive: self.processes.alive(), at }
    }

    /// Keeps the processes; says whether a process joined that was not known.
    fn follow(&mut self, process: Process, fact: &Fact) -> bool {
        match fact {
            Fact::Fork { child_tgid, .. } if *child_tgid != process.tgid => {
                self.processes.enter(*child_tgid)
            }
            Fact::Entered {} => self.processes.enter(process.tgid),
            Fact::Exec { .. } if self.stage != Stage::Running => self.processes.enter(process.tgid),
            Fact::Exit { .. } | Fact::Left { how: Departure::Migrated, .. } => {
                self.processes.leave(process.tgid);
                false
            }
            _ => false,
        }
    }

    pub(crate) fn lost(
        &mut self,
        lost: u64,
        at: KernelTime,
        settings: &Settings,
        effects: &mut Vec<Effect>,
    ) {
        self.advance(at);
        if lost == 0 {
            return;
        }
        self.processes.forget();
        let offence = Offence::new(Capability::Telemetry, Reason::EventsLost);
        self.offend(offence, Source::outside(at), Deed::Lost(lost), settings, effects);
    }

    pub(crate) fn used(&mut self, usage: &Usage, at: KernelTime) {
        self.advance(at);
        self.resources.update(usage, at);
    }

    pub(crate) const fn resources(&self) -> &ResourceProfile {
        &self.resources
    }

    pub(crate) fn tampered(
        &mut self,
        tampering: Tampering,
        at: KernelTime,
        settings: &Settings,
        effects: &mut Vec<Effect>,
    ) {
        self.advance(at);
        let offence = Offence::new(Capability::Telemetry, Reason::KernelSideTampered);
        self.offend(offence, Source::outside(at), Deed::Tampered(tampering), settings, effects);
    }

    /// Learned evidence has reached a budget.
    pub(crate) fn anomalous(
        &mut self,
        anomaly: Anomaly,
        at: KernelTime,
        settings: &Settings,
        effects: &mut Vec<Effect>,
    ) {
        self.advance(at);
        let offence = Offence::new(Capability::Behaviour, Reason::AnomalousBehaviour);
        self.offend(offence, Source::outside(at), Deed::Anomaly(anomaly), settings, effects);
    }

    pub(crate) fn notice(
        &mut self,
        notice: Notice,
        at: KernelTime,
        settings: &Settings,
        effects: &mut Vec<Effect>,
    ) {
        self.advance(at);
        match notice {
            // The gate opening changes nothing: until its first exec the child is the launcher.
            Notice::Started => {}
            // No reason to contain less: a child that outlives the entry point is still watched.
            Notice::Exited { .. } => self.ended = true,
            Notice::Unattended => {
                let offence = Offence::new(Capability::Telemetry, Reason::Unattended);
                self.offend(offence, Source::outside(at), Deed::Unattended, settings, effects);
            }
            // Its work is done, and its end is part of the end.
            Notice::LauncherLost if self.ended => {}
            Notice::LauncherLost => {
                let offence = Offence::new(Capability::Telemetry, Reason::LauncherLost);
                self.offend(offence, Source::outside(at), Deed::LauncherLost, settings, effects);
            }
        }
    }

    /// `false` when nothing like it was asked for.
    pub(crate) fn receipt(
        &mut self,
        incident: IncidentId,
        step: Step,
        outcome: Outcome,
        at: KernelTime,
        effects: &mut Vec<Effect>,
    ) -> bool {
        self.advance(at);
        let Some(open) = self.incident.as_mut().filter(|open| open.id == incident) else {
            return false;
        };
        let Some(ladder) = &mut open.ladder else {
            return false;
        };
        let Ok(due) = ladder.receipt(step, outcome, at) else {
            return false;
        };
        let contain = |due| Effect::Contain(open.contain(self.id, due));
        effects.extend(due.map(contain));
        true
    }

    pub(crate) fn tick(&mut self, at: KernelTime, settings: &Settings, effects: &mut Vec<Effect>) {
        self.advance(at);
        self.end_setup(at, effects);
        if self.next_expiry.is_some_and(|expiry| expiry <= self.now) {
            self.next_expiry = self.policy.next_expiry(self.now);
            self.narrowed(Narrowing::GrantExpired, effects);
        }
        let Some(incident) = &mut self.incident else {
            return;
        };
        let (id, now, patience) = (self.id, self.now, settings.receipt_within);
        if let Some(due) = incident.ladder.as_mut().and_then(|ladder| ladder.tick(now, patience)) {
            effects.push(Effect::Contain(incident.contain(id, due)));
        }
        let rehearsed = incident.rehearsal.as_mut().and_then(|ladder| ladder.tick(now, patience));
        incident.rehearse(id, rehearsed, now, effects);
        let quiet_since = incident.last.saturating_add(settings.quiet_after);
        if incident.ladder.is_none() && quiet_since <= now {
            self.close(Closure::Quiet, effects);
        }
    }

    pub(crate) fn unregister(mut self, at: KernelTime, effects: &mut Vec<Effect>) {
        self.advance(at);
        self.close(Closure::Unregistered, effects);
    }

    /// Setting up takes a moment; what goes on for longer without an exec is the plugin.
    fn end_setup(&mut self, at: KernelTime, effects: &mut Vec<Effect>) {
        if matches!(self.stage, Stage::SettingUp { until } if until <= at) {
            self.stage = Stage::Running;
            self.narrowed(Narrowing::SetupOver, effects);
        }
    }

    fn advance(&mut self, at: KernelTime) {
        self.now = self.now.max(at);
    }

    fn narrowed(&self, why: Narrowing, effects: &mut Vec<Effect>) {
        effects.push(Effect::Narrowed { sandbox: self.id, why });
    }
}

#[cfg(test)]
mod tests;
