//! What can be departed from, what follows, and how far the engine may go.

use core::time::Duration;

closed_enum! {
    /// One thing a manifest declares. Every finding belongs to exactly one.
    pub enum Capability {
        /// Programs executed.
        Exec = "exec",
        /// Files opened.
        Files = "files",
        /// Destinations connected or sent to.
        Network = "network",
        /// Addresses bound.
        Listen = "listen",
        /// System calls that are merely undeclared.
        Syscalls = "syscalls",
        /// System calls of [`crate::DANGER`], and those of another ABI.
        Danger = "danger",
        /// Who runs in the sandbox, and how many.
        Processes = "processes",
        /// Tasks that left the sandbox.
        Escape = "escape",
        /// Picket's own sight of the sandbox.
        Telemetry = "telemetry",
        /// What the plugin was seen to do before, which no manifest declares.
        Behaviour = "behaviour",
    }
}

closed_enum! {
    /// What a departure leads to. Ordered by severity; later rungs slot in between.
    pub enum Action {
        /// Tell somebody.
        Alert = "alert",
        /// Stop it, keep its memory.
        Freeze = "freeze",
        /// Freeze first, end it as soon as the freeze is confirmed.
        Kill = "kill",
    }
}

closed_enum! {
    /// How far the engine may go. Findings are the same in every mode.
    pub enum Mode {
        /// Findings only.
        Observe = "observe",
        /// Findings, and the record of what would have been done.
        Shadow = "shadow",
        /// Findings and containment.
        Enforce = "enforce",
    }
}

closed_enum! {
    /// What becomes of a frozen sandbox whose lease has run out. Thawing is not among the answers.
    pub enum OnExpiry {
        /// End it.
        Kill = "kill",
        /// Leave it frozen until a person decides.
        Hold = "hold",
    }
}

impl Capability {
    /// Those that a manifest declares, and says the action of.
    pub fn declared() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|capability| *capability != Self::Behaviour)
    }
}

/// One action for every capability that is declared. Nothing is missing, so nothing falls back to a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actions {
    exec: Action,
    files: Action,
    network: Action,
    listen: Action,
    syscalls: Action,
    danger: Action,
    processes: Action,
    escape: Action,
    telemetry: Action,
    denials: Denials,
}

/// What follows a refused attempt, whatever capability it would have departed from: it has already
/// failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denials {
    /// The first ones of an incident.
    pub first: Action,
    /// Those from the third on.
    pub repeated: Action,
}

impl Denials {
    /// A refused attempt is told, a repeated one stopped.
    pub const STANDARD: Self = Self { first: Action::Alert, repeated: Action::Freeze };
}

impl Actions {
    /// Freeze whatever the departure.
    pub const fn strict() -> Self {
        Self {
            exec: Action::Freeze,
            files: Action::Freeze,
            network: Action::Freeze,
            listen: Action::Freeze,
            syscalls: Action::Freeze,
            danger: Action::Freeze,
            processes: Action::Freeze,
            escape: Action::Freeze,
            telemetry: Action::Freeze,
            denials: Denials { first: Action::Freeze, repeated: Action::Freeze },
        }
    }

    /// What follows refused attempts.
    pub const fn denials(&self) -> Denials {
        self.denials
    }

    /// The same actions but for refused attempts.
    #[must_use]
    pub const fn with_denials(mut self, denials: Denials) -> Self {
        self.denials = denials;
        self
    }

    /// The action declared for a capability. Nobody declares one for learned behaviour: its budgets say which it is.
    pub const fn get(&self, capability: Capability) -> Action {
        match capability {
            Capability::Exec => self.exec,
            Capability::Files => self.files,
            Capability::Network => self.network,
            Capability::Listen => self.listen,
            Capability::Syscalls => self.syscalls,
            Capability::Danger => self.danger,
            Capability::Processes => self.processes,
            Capability::Escape => self.escape,
            Capability::Telemetry => self.telemetry,
            Capability::Behaviour => Action::Alert,
        }
    }

    /// The same actions but for one capability, which is not learned behaviour.
    #[must_use]
    pub const fn with(mut self, capability: Capability, action: Action) -> Self {
        match capability {
            Capability::Exec => self.exec = action,
            Capability::Files => self.files = action,
            Capability::Network => self.network = action,
            Capability::Listen => self.listen = action,
            Capability::Syscalls => self.syscalls = action,
            Capability::Danger => self.danger = action,
            Capability::Processes => self.processes = action,
            Capability::Escape => self.escape = action,
            Capability::Telemetry => self.telemetry = action,
            Capability::Behaviour => {}
        }
        self
    }
}

/// How long a freeze holds, and what comes then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainmentPlan {
    /// The lease of a freeze, counted from its receipt.
    pub hold: Duration,
    /// What follows when the lease has run out.
    pub on_expiry: OnExpiry,
}
