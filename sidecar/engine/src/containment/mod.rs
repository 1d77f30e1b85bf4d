//! The ladder of one incident: freeze first, then hold or kill. Pure, and one way only.
//!
//! ```text
//!            finding            freeze done            lease over, or goal is kill
//! (nothing) ─────────▶ Freezing ───────────▶ Frozen ─────────────────────────────▶ Killing ─▶ Killed
//!                         │ freeze failed                                             ▲
//!                         └───────────────────────────────────────────────────────────┘
//! ```
//!
//! What was only learned never goes beyond `Frozen`: a freeze of it that failed is asked for again.
//!
//! Freeze comes first even when the goal is to kill: it stops everything at once, a kill of many
//! processes does not. A step is said once; only a missing receipt makes a tick say it again.

use core::time::Duration;

use crate::{Action, Capability, ContainmentPlan, FindingLabels, KernelTime, OnExpiry};

closed_enum! {
    /// A step that the supervisor is asked to take.
    pub enum Step {
        /// Freeze the sandbox's cgroup.
        Freeze = "freeze",
        /// Kill everything in it.
        Kill = "kill",
    }
}

closed_enum! {
    /// What the kernel said when the step was read back.
    pub enum Outcome {
        /// It is so.
        Done = "done",
        /// It is not so, and the supervisor has given up.
        Failed = "failed",
    }
}

closed_enum! {
    /// Why a step is due.
    pub enum Trigger {
        /// A finding asks for it.
        Finding = "finding",
        /// The freeze that had to come first is confirmed.
        FreezeConfirmed = "freeze_confirmed",
        /// The freeze failed, and nothing gentler is left.
        FreezeFailed = "freeze_failed",
        /// The lease of the freeze has run out.
        LeaseExpired = "lease_expired",
    }
}

closed_enum! {
    /// How far the containment of a sandbox has come.
    pub enum Rung {
        /// A freeze is asked for.
        Freezing = "freezing",
        /// The kernel confirmed that it is frozen.
        Frozen = "frozen",
        /// A kill is asked for.
        Killing = "killing",
        /// The kernel confirmed that it is empty.
        Killed = "killed",
    }
}

/// What a finding demands, and the record of why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) goal: Step,
    pub(crate) because: FindingLabels,
    pub(crate) offence: KernelTime,
}

impl Demand {
    /// `None`: an alert demands nothing.
    pub(crate) fn of(labels: FindingLabels, offence: KernelTime) -> Option<Self> {
        let goal = match labels.action {
            Action::Alert => return None,
            Action::Freeze => Step::Freeze,
            Action::Kill => Step::Kill,
        };
        Some(Self { goal, because: labels, offence })
    }

    /// What was learned may freeze and nothing else: neither a lease that runs out nor a freeze that fails makes a kill of
    /// it.
    fn is_learned(&self) -> bool {
        self.because.capability == Capability::Behaviour
    }

    /// What outweighs what has been demanded: more, or the same for something declared.
    fn outweighs(&self, other: &Self) -> bool {
        other.goal < self.goal
            || (self.goal == other.goal && other.is_learned() && !self.is_learned())
    }
}

/// A step that is due now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) step: Step,
    pub(crate) trigger: Trigger,
    pub(crate) attempt: u32,
    pub(crate) demand: Demand,
}

/// The containment of one incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ladder {
    // The most severe demand so far; the reason of every step from then on.
    demand: Demand,
    // As it was when containment began: what comes later may not shorten a lease.
    plan: ContainmentPlan,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Asked { step: Step, trigger: Trigger, attempt: u32, at: KernelTime },
    Frozen { lease_ends: Option<KernelTime> },
    Killed,
}

impl Ladder {
    /// Starts with the freeze that is due now.
    pub(crate) fn start(demand: Demand, plan: ContainmentPlan, now: KernelTime) -> (Self, Due) {
        let (step, trigger, attempt) = (Step::Freeze, Trigger::Finding, 1);
        let state = State::Asked { step, trigger, attempt, at: now };
        (Self { demand, plan, state }, Due { step, trigger, attempt, demand })
    }

    pub(crate) const fn rung(&self) -> Rung {
        match self.state {
            State::Asked { step: Step::Freeze, .. } => Rung::Freezing,
            State::Asked { step: Step::Kill, .. } => Rung::Killing,
            State::Frozen { .. } => Rung::Frozen,
            State::Killed => Rung::Killed,
        }
    }

    /// Another finding of the same incident: raises the goal, never lowers it.
    pub(crate) fn demand(&mut self, demand: Demand, now: KernelTime) -> Option<Due> {
        if !demand.outweighs(&self.demand) {
            return None;
        }
        self.demand = demand;
        // While freezing, the receipt leads on; while killing, there is nothing above.
        let State::Frozen { lease_ends } = &mut self.state else { return None };
        if demand.goal == Step::Kill {
            return Some(self.ask(Step::Kill, Trigger::Finding, now));
        }
        *lease_ends = lease(self.plan, &demand, now);
        None
    }

    /// `Err` when the receipt answers nothing that was asked: late, doubled, or of another step.
    pub(crate) fn receipt(
        &mut self,
        step: Step,
        outcome: Outcome,
        at: KernelTime,
    ) -> Result<Option<Due>, Unasked> {
        if !matches!(self.state, State::Asked { step: asked, .. } if asked == step) {
            return Err(Unasked);
        }
        match (step, outcome) {
            // The next tick asks again.
            (Step::Freeze, Outcome::Failed) if self.demand.is_learned() => Ok(None),
            (Step::Freeze, Outcome::Failed) => {
                Ok(Some(self.ask(Step::Kill, Trigger::FreezeFailed, at)))
            }
            (Step::Freeze, Outcome::Done) if self.demand.goal == Step::Kill => {
                Ok(Some(self.ask(Step::Kill, Trigger::FreezeConfirmed, at)))
            }
            (Step::Freeze, Outcome::Done) => {
                let lease_ends = lease(self.plan, &self.demand, at);
                self.state = State::Frozen { lease_ends };
                Ok(None)
            }
            (Step::Kill, Outcome::Done) => {
                self.state = State::Killed;
                Ok(None)
            }
            // The next tick asks again: there is nothing above a kill.
            (Step::Kill, Outcome::Failed) => Ok(None),
        }
    }

    /// What runs out by itself: the lease of a freeze, and the patience with a missing receipt.
    pub(crate) fn tick(&mut self, now: KernelTime, patience: Duration) -> Option<Due> {
        match self.state {
            State::Asked { step, trigger, attempt, at } if at.saturating_add(patience) <= now => {
                let attempt = attempt.saturating_add(1);
                self.state = State::Asked { step, trigger, attempt, at: now };
                Some(Due { step, trigger, attempt, demand: self.demand })
            }
            State::Frozen { lease_ends: Some(end) } if end <= now => {
                Some(self.ask(Step::Kill, Trigger::LeaseExpired, now))
            }
            _ => None,
        }
    }

    fn ask(&mut self, step: Step, trigger: Trigger, at: KernelTime) -> Due {
        let attempt = 1;
        self.state = State::Asked { step, trigger, attempt, at };
        Due { step, trigger, attempt, demand: self.demand }
    }
}

/// When a freeze that was confirmed `at` becomes a kill, if it does.
fn lease(plan: ContainmentPlan, demand: &Demand, at: KernelTime) -> Option<KernelTime> {
    let kills = plan.on_expiry == OnExpiry::Kill && !demand.is_learned();
    kills.then(|| at.saturating_add(plan.hold))
}

/// The receipt answers nothing that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unasked;

#[cfg(test)]
mod tests;
