//! The judgement of Picket: what a sandbox did, compared with what its plugin declared, becomes
//! findings, incidents and containment steps.
//!
//! Everything goes through [`Engine::handle`]: one [`Input`] in, any number of [`Effect`]s out. The
//! caller does all reading of kernels and all freezing of cgroups; the engine only decides.
//!
//! # Invariants
//!
//! * **Time and order are data.** The crate is `no_std`: a clock, file, thread or random hash order
//!   cannot even be named. The same inputs give the same effects on every machine.
//! * **Sandboxes do not influence each other.** What the engine says about one is a function of the
//!   inputs that name it and of the inputs that name nobody, such as [`Input::Tick`].
//! * **Nothing here loosens.** No input thaws a sandbox; a lease runs out into a kill or stays.
//! * **Memory is bounded by policy, not by the watched code.** An incident keeps a fixed number of
//!   findings and counts the rest.
//! * **Words of the watched code stay in [`Evidence`].** It prints as a placeholder and opens only
//!   by [`Evidence::reveal`]; what an exporter may take is [`FindingLabels`], closed enums only.
//!
//! # Where to look
//!
//! What can be declared: [`Policy`]. Who judges: the `lanes` module, one file a
//! lane. What follows from a finding: `incident` and `containment`. The order of system calls: [`sequence`].

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[macro_use]
mod closed;

mod action;
pub mod baseline;
mod containment;
mod effect;
mod engine;
mod evidence;
mod identity;
mod incident;
mod input;
mod lanes;
pub mod learned;
mod pattern;
mod policy;
mod processes;
mod reason;
mod resources;
mod sandbox;
pub mod sequence;
mod sockets;
mod syscalls;
#[cfg(test)]
mod testing;
mod time;

pub use action::{Action, Actions, Capability, ContainmentPlan, Denials, Mode, OnExpiry};
pub use containment::{Outcome, Rung, Step, Trigger};
pub use effect::{Closure, Contain, Effect, Finding, FindingLabels, Narrowing};
pub use engine::{Engine, Settings};
pub use evidence::{Declared, Deed, Evidence, Revealed};
pub use identity::{FileId, IncidentId, Order, Process, SandboxId};
pub use input::{
    Arrival, Departure, Fact, FactKind, FileOperation, Input, MemoryUse, NetworkOperation, Notice,
    ObservedArgv, ObservedPath, Reach, Tampering, Unresolved, Whose,
};
pub use pattern::{ArgPattern, Pattern, PatternError, PatternFault};
pub use policy::{AccessSet, EndpointRule, ExecRule, FileRule, Policy, Protocol};
pub use reason::Reason;
pub use resources::{Resource, ResourceProfile, Usage};
pub use sandbox::SandboxState;
pub use sockets::{SocketClass, SocketSet};
pub use syscalls::{
    Arguments, CLONE_FLAGS_DECLARED_BY, DANGER, LAUNCHER, SyscallAbi, SyscallSet, is_dangerous,
};
pub use time::KernelTime;
