//! What follows from an offence: an incident, a finding, a containment step, in that order.

use alloc::vec::Vec;

use super::Sandbox;
use crate::containment::{Demand, Due, Ladder};
use crate::incident::Incident;
use crate::lanes::{Offence, declared};
use crate::{
    Action, Actions, Capability, Closure, Contain, ContainmentPlan, Declared, Deed, Effect,
    Evidence, Finding, FindingLabels, IncidentId, KernelTime, Mode, Order, Outcome, Process,
    Reason, SandboxId, Settings,
};

/// Who did something, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) order: Order,
    pub(super) process: Option<Process>,
}

impl Source {
    /// Something that no task of the sandbox did.
    pub(super) const fn outside(at: KernelTime) -> Self {
        Self { order: Order::at(at), process: None }
    }
}

impl Sandbox {
    pub(super) fn offend(
        &mut self,
        offence: Offence,
        source: Source,
        deed: Deed,
        settings: &Settings,
        effects: &mut Vec<Effect>,
    ) {
        let Offence { capability, reason } = offence;
        let at = source.order.time;
        let (sandbox, mode, plan, now) =
            (self.id, self.policy.mode, self.policy.containment, self.now);

        let incident = self.incident.get_or_insert_with(|| {
            self.incidents = self.incidents.saturating_add(1);
            let incident = IncidentId(self.incidents);
            effects.push(Effect::IncidentOpened { sandbox, incident, at });
            Incident::open(incident, at)
        });
        let action = match &deed {
            Deed::Anomaly(anomaly) => anomaly.action(),
            _ => action(&self.policy.actions, offence, incident),
        };
        let labels = FindingLabels { capability, reason, action };
        let id = incident.id;
        let mut steps = Vec::new();
        if let Some(demand) = Demand::of(labels, at) {
            incident.answer(sandbox, mode, demand, plan, now, &mut steps);
        }
        let news = incident.is_news(capability, reason, &deed, settings.findings_kept);
        // A step never stands without the finding that it names.
        let said = news || !steps.is_empty();
        incident.count(said, at);
        if said {
            let declared = match &deed {
                Deed::Fact(fact) => declared::nearest(&self.context(at), fact, offence),
                Deed::Lost(_)
                | Deed::Tampered(_)
                | Deed::Unattended
                | Deed::LauncherLost
                | Deed::Anomaly(_) => Declared::Nothing,
            };
            effects.push(Effect::Finding(Finding {
                sandbox,
                incident: id,
                capability,
                reason,
                action,
                order: source.order,
                process: source.process,
                evidence: Evidence::new(deed, declared),
            }));
        }
        effects.append(&mut steps);
    }

    pub(super) fn close(&mut self, why: Closure, effects: &mut Vec<Effect>) {
        if let Some(Incident { id: incident, findings, uncounted, .. }) = self.incident.take() {
            let (sandbox, at) = (self.id, self.now);
            effects.push(Effect::IncidentClosed {
                sandbox,
                incident,
                at,
                why,
                findings,
                uncounted,
            });
        }
    }
}

/// The declared action, but never less than a freeze for what nobody watches or holds any more, or
/// what could have had a hand in not being watched.
fn action(declared: &Actions, offence: Offence, incident: &mut Incident) -> Action {
    match (offence.capability, offence.reason) {
        (_, Reason::DeniedAttempt) if incident.is_repeated_denial() => declared.denials().repeated,
        (_, Reason::DeniedAttempt) => declared.denials().first,
        (Capability::Escape, _) | (_, Reason::LauncherLost | Reason::Unattended) => {
            declared.get(offence.capability).max(Action::Freeze)
        }
        _ => declared.get(offence.capability),
    }
}

impl Incident {
    /// What a demand leads to in this mode. Findings alone never stop what is already under way.
    fn answer(
        &mut self,
        sandbox: SandboxId,
        mode: Mode,
        demand: Demand,
        plan: ContainmentPlan,
        now: KernelTime,
        effects: &mut Vec<Effect>,
    ) {
        let ladder = match mode {
            Mode::Observe => return,
            Mode::Enforce => &mut self.ladder,
            // What is really contained needs no rehearsal.
            Mode::Shadow if self.ladder.is_some() => return,
            Mode::Shadow => &mut self.rehearsal,
        };
        let due = match ladder {
            Some(ladder) => ladder.demand(demand, now),
            None => {
                let (started, due) = Ladder::start(demand, plan, now);
                *ladder = Some(started);
                Some(due)
            }
        };
        match mode {
            Mode::Shadow => self.rehearse(sandbox, due, now, effects),
            _ => effects.extend(due.map(|due| Effect::Contain(self.contain(sandbox, due)))),
        }
    }

    /// In shadow every step succeeds at once, because nobody takes it.
    pub(super) fn rehearse(
        &mut self,
        sandbox: SandboxId,
        mut due: Option<Due>,
        now: KernelTime,
        effects: &mut Vec<Effect>,
    ) {
        while let Some(step) = due {
            effects.push(Effect::WouldContain(self.contain(sandbox, step)));
            let ladder = self.rehearsal.as_mut();
            due = ladder.and_then(|ladder| ladder.receipt(step.step, Outcome::Done, now).ok()?);
        }
    }

    pub(super) const fn contain(&self, sandbox: SandboxId, due: Due) -> Contain {
        Contain {
            sandbox,
            incident: self.id,
            step: due.step,
            trigger: due.trigger,
            attempt: due.attempt,
            because: due.demand.because,
            offence: due.demand.offence,
        }
    }
}
