//! The lanes: independent judges of the same facts, each explainable on its own.
//!
//! A lane sees one fact of one sandbox in its [`Context`] and may return an [`Offence`]; what
//! follows from it (incident, action, containment) is not its business. This is the place where
//! lanes plug in: one module each, one line each in [`judge`], the most certain lane first,
//! because a fact becomes at most one finding.
//!
//! * L0 [`declared`]: a departure from the manifest is a finding by itself.
//! * L1 (novelty in the danger set), L2 (novelty by family), the sequence lane and L3 (rates) score runs instead of
//!   deciding about facts: `baseline::votes`. Whoever weighs them tells the engine what they amount to
//!   ([`Input::Anomaly`](crate::Input::Anomaly)), so that what is declared as a departure never waits for evidence to add up.

pub(crate) mod declared;

use crate::{Capability, Fact, KernelTime, Policy, Reason};

/// What a lane may know besides the fact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) policy: &'a Policy,
    /// The entry point has not run yet: only the launcher can be at work.
    pub(crate) starting: bool,
    /// Processes known to be alive.
    pub(crate) alive: u32,
    /// When the fact happened: a grant that ended since then still covers it.
    pub(crate) at: KernelTime,
}

/// A departure, without its circumstances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offence {
    pub(crate) capability: Capability,
    pub(crate) reason: Reason,
}

impl Offence {
    pub(crate) const fn new(capability: Capability, reason: Reason) -> Self {
        Self { capability, reason }
    }
}

pub(crate) fn judge(context: &Context<'_>, fact: &Fact) -> Option<Offence> {
    declared::judge(context, fact)
}
