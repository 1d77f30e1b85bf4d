//! Everything the engine can say. Closed, and data only.

use core::time::Duration;

use crate::{
    Action, Capability, Evidence, IncidentId, KernelTime, Order, Process, Reason, SandboxId, Step,
    Trigger,
};

/// One thing the engine says. Effects of one input come in the order in which they matter:
/// incident opened, finding, containment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A departure that is new in its incident.
    Finding(Finding),
    /// Do this now, and answer with a receipt. Idempotent: an unanswered step is said again.
    Contain(Contain),
    /// Shadow mode: this is what would have been said.
    WouldContain(Contain),
    /// The first departure of a sandbox that had no open incident.
    IncidentOpened {
        /// Whose.
        sandbox: SandboxId,
        /// Its number.
        incident: IncidentId,
        /// When the departure happened.
        at: KernelTime,
    },
    /// Nothing will join this incident any more.
    IncidentClosed {
        /// Whose.
        sandbox: SandboxId,
        /// Its number.
        incident: IncidentId,
        /// When.
        at: KernelTime,
        /// Why.
        why: Closure,
        /// Findings that were said.
        findings: u32,
        /// Departures that repeated one of them, or were too many to be kept apart.
        uncounted: u64,
    },
    /// Less is allowed than before: rewrite the kernel's rules and forget what was *seen*, or the
    /// kernel goes on counting as known what is a departure now.
    Narrowed {
        /// Whose rules.
        sandbox: SandboxId,
        /// Why.
        why: Narrowing,
    },
}

closed_enum! {
    /// Why less is allowed than before.
    pub enum Narrowing {
        /// The entry point runs: from here on the manifest counts, not the launcher's list.
        EntryPoint = "entry_point",
        /// Nobody executed anything in the time that setting a sandbox up may take.
        SetupOver = "setup_over",
        /// A grant has run out.
        GrantExpired = "grant_expired",
        /// The policy was replaced by a different one.
        PolicyReplaced = "policy_replaced",
    }
}

closed_enum! {
    /// Why an incident is over.
    pub enum Closure {
        /// Nothing was contained and nothing more happened for a while.
        Quiet = "quiet",
        /// The sandbox is gone.
        Unregistered = "unregistered",
    }
}

/// A departure, and what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whose.
    pub sandbox: SandboxId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// What was departed from.
    pub capability: Capability,
    /// Why it is a departure.
    pub reason: Reason,
    /// What the policy says to do, whatever the mode lets the engine do.
    pub action: Action,
    /// When, among all events. [`Order::at`] when it was no kernel event.
    pub order: Order,
    /// Which task. `None` when it was no kernel event.
    pub process: Option<Process>,
    /// What exactly was done, and what was declared instead. For the terminal, not for exporters.
    pub evidence: Evidence,
}

impl Finding {
    /// All of the finding that may leave the node.
    pub const fn labels(&self) -> FindingLabels {
        FindingLabels { capability: self.capability, reason: self.reason, action: self.action }
    }
}

/// All of a finding that may leave the node: closed enums and nothing else, by type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingLabels {
    /// What was departed from.
    pub capability: Capability,
    /// Why it is a departure.
    pub reason: Reason,
    /// What the policy says to do.
    pub action: Action,
}

/// A containment step to take, with all that its record needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contain {
    /// Whom.
    pub sandbox: SandboxId,
    /// For which incident; the receipt names it again.
    pub incident: IncidentId,
    /// What to do.
    pub step: Step,
    /// Why now.
    pub trigger: Trigger,
    /// 1 when it is said for the first time.
    pub attempt: u32,
    /// The finding that asked for it.
    pub because: FindingLabels,
    /// When that departure happened, on the kernel's clock: latency is measured from here.
    pub offence: KernelTime,
}

impl Contain {
    /// From the departure to a moment after it.
    pub const fn latency(&self, until: KernelTime) -> Duration {
        until.duration_since(self.offence)
    }
}
