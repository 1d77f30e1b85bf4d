//! The door: inputs in, effects out.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::sandbox::Sandbox;
use crate::{Effect, Input, ResourceProfile, SandboxId, SandboxState};

/// How the engine itself behaves, the same for all sandboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a containment step may go unanswered before it is said again.
    pub receipt_within: Duration,
    /// After how long without a departure an incident that nobody contains is over.
    pub quiet_after: Duration,
    /// How many findings an incident keeps apart; the rest is counted.
    pub findings_kept: usize,
}

impl Settings {
    /// What Picket uses unless a test needs otherwise.
    pub const STANDARD: Self = Self {
        // Freezing takes milliseconds; the supervisor's own deadline lies below this.
        receipt_within: Duration::from_secs(1),
        quiet_after: Duration::from_secs(600),
        // What a person reads of one incident, and about 40 KiB at worst.
        findings_kept: 64,
    };
}

/// All sandboxes of a node, and the judgement about them.
#[derive(Clone, Debug)]
pub struct Engine {
    settings: Settings,
    sandboxes: BTreeMap<SandboxId, Sandbox>,
    ignored: u64,
}

impl Engine {
    /// An engine that knows no sandbox yet.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, sandboxes: BTreeMap::new(), ignored: 0 }
    }

    /// Takes one input and appends what follows from it.
    pub fn handle(&mut self, input: Input, effects: &mut Vec<Effect>) {
        let settings = self.settings;
        match input {
            Input::Register { sandbox, policy, arrival, at } => {
                self.register(sandbox, || Sandbox::new(sandbox, policy, arrival, at))
            }
            Input::Policy { sandbox, policy, at } => {
                self.with(sandbox, |it| it.replace_policy(policy, at, effects));
            }
            Input::Event { sandbox, order, process, fact } => {
                self.with(sandbox, |it| it.event(order, process, fact, &settings, effects));
            }
            Input::Loss { sandbox, lost, at } => {
                self.with(sandbox, |it| it.lost(lost, at, &settings, effects));
            }
            Input::Resources { sandbox, usage, at } => {
                self.with(sandbox, |it| it.used(&usage, at));
            }
            Input::Tampered { sandbox: Some(sandbox), tampering, at } => {
                self.with(sandbox, |it| it.tampered(tampering, at, &settings, effects));
            }
            Input::Tampered { sandbox: None, tampering, at } => {
                for sandbox in self.sandboxes.values_mut() {
                    sandbox.tampered(tampering, at, &settings, effects);
                }
            }
            Input::Anomaly { sandbox, anomaly, at } => {
                self.with(sandbox, |it| it.anomalous(anomaly, at, &settings, effects));
            }
            Input::Supervisor { sandbox, notice, at } => {
                self.with(sandbox, |it| it.notice(notice, at, &settings, effects));
            }
            Input::Receipt { sandbox, incident, step, outcome, at } => {
                let receive = |it: &mut Sandbox| it.receipt(incident, step, outcome, at, effects);
                // `None`, an unknown sandbox, is counted by `with`.
                if self.with(sandbox, receive) == Some(false) {
                    self.ignore();
                }
            }
            Input::Tick { at } => {
                for sandbox in self.sandboxes.values_mut() {
                    sandbox.tick(at, &settings, effects);
                }
            }
            Input::Unregister { sandbox, at } => match self.sandboxes.remove(&sandbox) {
                Some(sandbox) => sandbox.unregister(at, effects),
                None => self.ignore(),
            },
        }
    }

    /// Inputs that concerned nothing known: a sandbox that is not registered (or is already), a
    /// receipt for a step that nobody asked for. A late event of a sandbox that is gone is normal;
    /// many are a fault of the caller.
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Where a sandbox is in its life. `None` when it is not registered.
    pub fn state(&self, sandbox: SandboxId) -> Option<SandboxState> {
        self.sandboxes.get(&sandbox).map(Sandbox::state)
    }

    /// What a sandbox uses. `None` when it is not registered.
    pub fn resources(&self, sandbox: SandboxId) -> Option<&ResourceProfile> {
        self.sandboxes.get(&sandbox).map(Sandbox::resources)
    }

    /// All registered sandboxes in order.
    pub fn sandboxes(&self) -> impl Iterator<Item = (SandboxId, SandboxState)> {
        self.sandboxes.iter().map(|(id, sandbox)| (*id, sandbox.state()))
    }

    fn register(&mut self, id: SandboxId, make: impl FnOnce() -> Sandbox) {
        use alloc::collections::btree_map::Entry;

        match self.sandboxes.entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(make());
            }
            Entry::Occupied(_) => self.ignore(),
        }
    }

    fn with<R>(&mut self, id: SandboxId, act: impl FnOnce(&mut Sandbox) -> R) -> Option<R> {
        let result = self.sandboxes.get_mut(&id).map(act);
        if result.is_none() {
            self.ignore();
        }
        result
    }

    const fn ignore(&mut self) {
        self.ignored = self.ignored.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
