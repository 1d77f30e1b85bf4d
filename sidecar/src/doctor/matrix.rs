//! What a node can observe and enforce, for each thing that a manifest declares: a table with reasons.

use picket_engine::Capability;

use crate::probe::Tier;

/// How far something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All of it.
    Yes,
    /// With the exceptions that are named.
    Partly,
    /// Not at all.
    No,
    /// There is nothing to do.
    NotApplicable,
}

impl Answer {
    /// As it is written to JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Partly => "partly",
            Self::No => "no",
            Self::NotApplicable => "not_applicable",
        }
    }
}

/// An answer and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ability {
    /// How far.
    pub answer: Answer,
    /// What limits it, or what it consists of. Never empty.
    pub why: &'static str,
}

/// One capability of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub capability: &'static str,
    /// Whether departures are seen.
    pub observe: Ability,
    /// Whether the kernel refuses them.
    pub deny: Ability,
    /// Whether they are answered by a freeze or a kill, after the fact.
    pub contain: Ability,
}

const fn yes(why: &'static str) -> Ability {
    Ability { answer: Answer::Yes, why }
}

const fn partly(why: &'static str) -> Ability {
    Ability { answer: Answer::Partly, why }
}

const fn no(why: &'static str) -> Ability {
    Ability { answer: Answer::No, why }
}

const fn nothing_to_do(why: &'static str) -> Ability {
    Ability { answer: Answer::NotApplicable, why }
}

const CONTAINED: Ability = yes("freeze or kill, after the fact");
const REFUSED: Ability = yes("refused with EPERM in mode enforce, unless the action is alert");
const NO_DENIAL: Ability = no("programs that refuse opens and execs are not built, in any tier");
const FILTER: Ability = partly(
    "with `confinement: strict`, before they run and by number; for plugins that Picket starts",
);
const BEFORE_START: Ability = nothing_to_do("settled before the first instruction");
const NOT_BUILT: Ability = no("read and checked in the manifest, not enforced yet");

/// The table for a tier.
#[must_use]
pub fn matrix(tier: Tier) -> Vec<Row> {
    let mut rows: Vec<Row> =
        Capability::ALL.iter().map(|capability| judged(*capability, tier)).collect();
    rows.extend(settled());
    rows
}

/// What the engine judges while a plugin runs.
fn judged(capability: Capability, tier: Tier) -> Row {
    let (observe, deny, contain) = match capability {
        Capability::Exec => {
            (yes("every exec, with path, inode and arguments"), NO_DENIAL, CONTAINED)
        }
        Capability::Files => (files(tier), NO_DENIAL, CONTAINED),
        Capability::Network => (
            partly(network(tier)),
            partly("TCP, UDP and other Internet sockets, in mode enforce; no other family"),
            CONTAINED,
        ),
        Capability::Listen => (
            partly("declared and undeclared binds; not port 0 and listening without a bind"),
            REFUSED,
            CONTAINED,
        ),
        Capability::Syscalls => (yes("by number"), FILTER, CONTAINED),
        Capability::Danger => (danger(tier), FILTER, CONTAINED),
        Capability::Processes => (
            partly("all but tasks that io_uring makes in the kernel"),
            no("the pids controller is not used"),
            CONTAINED,
        ),
        Capability::Escape => (
            yes("tasks moved out, and children created outside"),
            partly("plugins that Picket starts see no cgroup but their own; others are not held"),
            yes("always at least a freeze"),
        ),
        Capability::Telemetry => (
            partly(
                "losses, and counters that do not add up, each second; nothing else that is done to the kernel side",
            ),
            nothing_to_do("a loss cannot be refused"),
            CONTAINED,
        ),
        Capability::Behaviour => (
            partly(
                "plugins with a certificate and a budget, run by run; not those that run all the time",
            ),
            nothing_to_do("what is unusual is not therefore forbidden"),
            yes("frozen within the budget of `baselines.budgets.contain`, never killed"),
        ),
    };
    Row { capability: capability.as_str(), observe, deny, contain }
}

fn files(tier: Tier) -> Ability {
    match tier {
        Tier::Lsm => {
            yes("every way to open but O_PATH; changes, and descriptors that are received")
        }
        Tier::Trace => partly(
            "when the call returns; not by io_uring, 32-bit calls or the kernel itself; changes other than opens, and \
             descriptors that are received, by the call's number only (tier trace)",
        ),
    }
}

const fn network(tier: Tier) -> &'static str {
    match tier {
        Tier::Lsm => "TCP, UDP, and Unix sockets of others; of other sockets their kind",
        Tier::Trace => "TCP and UDP; of other sockets their kind, Unix ones excepted",
    }
}

const fn danger(tier: Tier) -> Ability {
    match tier {
        Tier::Lsm => yes(
            "each call that is not declared by name; executable memory and namespaces by what the kernel does; signals \
             out of the sandbox, looks into other processes",
        ),
        Tier::Trace => partly(
            "each call that is not declared by name, and signals out of the sandbox; executable memory only by 64-bit \
             calls, not whose process a call looks into (tier trace)",
        ),
    }
}

/// What is decided before a plugin runs, or not at all yet.
fn settled() -> [Row; 5] {
    let row = |capability, observe, deny, contain| Row { capability, observe, deny, contain };
    [
        row(
            "capabilities",
            yes("all five sets compared before the start; plugins that Picket starts"),
            yes("undeclared ones are given up for good; plugins that Picket starts"),
            BEFORE_START,
        ),
        row(
            "descriptors",
            partly("compared before the start; not what arrives later by a socket"),
            yes("undeclared ones are closed; plugins that Picket starts"),
            BEFORE_START,
        ),
        row(
            "confinement",
            nothing_to_do("a set of refusals"),
            partly(
                "for plugins that Picket starts; `strict` refuses system calls, not files and destinations",
            ),
            nothing_to_do("a set of refusals"),
        ),
        row("resources", NOT_BUILT, NOT_BUILT, NOT_BUILT),
        row("reports", NOT_BUILT, nothing_to_do("nothing to refuse"), NOT_BUILT),
    ]
}
