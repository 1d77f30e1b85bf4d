//! What leaves the node about single events: findings, containments and their receipts, ends of incidents.
//!
//! This is the privacy border. A [`Report`](crate::watch::Report) with words of the watched code goes in; an
//! [`Outgoing`] comes out, made of closed enums, numbers, times, [words of the operator](OperatorWord) and
//! [keyed pseudonyms](Object). Exporters of logs, spans and alerts see nothing else.

mod object;
mod outlets;
mod pseudonym;
mod subject;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

pub use object::Object;
pub use outlets::Outlets;
use picket_engine::{Closure, Contain, FindingLabels, KernelTime, Outcome, Step, Trigger};
pub use subject::{IncidentKey, OperatorWord, Origin, Place, Subject};

/// One message to every output.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Whose incident.
    pub subject: Arc<Subject>,
    /// Which incident.
    pub incident: IncidentKey,
    /// What happened.
    pub what: What,
    /// When it happened: of a finding the event itself, of a decision and a receipt their own moment.
    pub at: SystemTime,
}

/// What happened in an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A departure; the first one opens the incident.
    Finding {
        /// What was departed from, why it is one, what is to be done.
        labels: FindingLabels,
        /// What it is about, without its name.
        object: Object,
    },
    /// A step was decided.
    Decided(Measured),
    /// What the kernel confirmed, or did not.
    Receipt {
        /// The step.
        step: Measured,
        /// What came of it.
        outcome: Outcome,
        /// From the offence to the confirmation.
        took: Duration,
    },
    /// Nothing will join the incident any more.
    Closed {
        /// Why.
        why: Closure,
    },
}

/// A containment step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// What is done.
    pub step: Step,
    /// Why now.
    pub trigger: Trigger,
    /// 1 when it was ordered for the first time.
    pub attempt: u32,
    /// Shadow mode: nothing was done.
    pub dry_run: bool,
    /// The finding that asked for it.
    pub because: FindingLabels,
    /// From the offence to the decision.
    pub decided_after: Duration,
}

impl Measured {
    fn new(contain: &Contain, decided: KernelTime, dry_run: bool) -> Self {
        let Contain { step, trigger, attempt, because, .. } = *contain;
        Self { step, trigger, attempt, dry_run, because, decided_after: contain.latency(decided) }
    }
}

/// What came of a message that was handed to an output. With the number queued this is all there is to know of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The other side has it.
    Sent,
    /// The other side did not take it and never will; it is not tried again.
    Failed,
    /// The queue was full.
    Dropped,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sent, Self::Failed, Self::Dropped];

    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

#[cfg(test)]
mod tests;
