//! The one loop between the kernel and a verdict: read, decode, decide, act.
//!
//! It has a thread of its own, real-time where the system permits, because a violation must be answered while the
//! offender runs. Nothing slow is done here: what others want to know leaves through one bounded channel whose losses
//! are counted, and no reader can hold a verdict up.

pub(crate) mod act;
mod bell;
mod priority;
mod tap;
mod turn;

use std::{
    io,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use bell::Bell;
use picket_engine::{
    Arrival, Contain, Finding, IncidentId, KernelTime, Notice, Outcome, Policy, SandboxId,
};
pub use tap::{Passed, Tap};
use tokio::sync::mpsc as reports;

use crate::{
    export::Metrics,
    probe::{Losses, Rings, Slots},
    supervisor::Containment,
};

/// Reports that may wait for their reader; what comes then is counted as lost for the reader, never for the verdict.
const REPORTS: usize = 4_096;

/// What the loop lets others know.
#[derive(Debug)]
pub enum Report {
    /// The entry point runs: from here on the manifest counts.
    Running {
        /// Whose.
        sandbox: SandboxId,
    },
    /// A departure from the manifest.
    Finding(Finding),
    /// A step was decided.
    Deciding {
        /// The step and why.
        contain: Contain,
        /// When the engine had decided.
        decided: KernelTime,
        /// Shadow mode: nothing is done.
        dry_run: bool,
    },
    /// What the kernel confirmed about a step.
    Receipt {
        /// The step.
        contain: Contain,
        /// What came of it.
        outcome: Outcome,
        /// When the step was decided.
        decided: KernelTime,
        /// When the kernel confirmed.
        confirmed: KernelTime,
    },
    /// An incident is over.
    Closed {
        /// Whose.
        sandbox: SandboxId,
        /// Its number.
        incident: IncidentId,
    },
    /// The loop has judged everything of a sandbox and forgotten it.
    Forgotten {
        /// Whose.
        sandbox: SandboxId,
    },
    /// The loop itself has failed; nothing is judged any more.
    Broken {
        /// Why.
        error: io::Error,
    },
}

/// What the loop is asked to do.
enum Command {
    Tap(tap::Source),
    Register { sandbox: SandboxId, policy: Box<Policy>, arrival: Arrival, controls: Containment },
    Replace { sandbox: SandboxId, policy: Box<Policy> },
    Notice { sandbox: SandboxId, notice: Notice },
    Unregister { sandbox: SandboxId },
    Stop,
}

/// The running loop. Dropping it stops it.
#[derive(Debug)]
pub struct Watch {
    commands: mpsc::Sender<Command>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts the loop on the rings.
    ///
    /// # Errors
    /// The thread or its wake-up descriptor cannot be made.
    pub fn start(
        rings: Rings,
        slots: Arc<Slots>,
        losses: Arc<Losses>,
        metrics: Arc<Metrics>,
    ) -> io::Result<(Self, reports::Receiver<Report>)> {
        let (commands, inbox) = mpsc::channel();
        let (outbox, receiver) = reports::channel(REPORTS);
        let bell = Arc::new(Bell::new()?);
        let parts =
            turn::Parts { rings, slots, losses, metrics, inbox, outbox, bell: Arc::clone(&bell) };
        let thread = thread::Builder::new()
            .name("picket-watch".to_owned())
            .spawn(move || turn::run(parts))?;
        Ok((Self { commands, bell, thread: Some(thread) }, receiver))
    }

    /// Listens to everything that passes the engine from now on, through a queue of this many. Sandboxes registered
    /// after this are heard from their first input.
    #[must_use]
    pub fn tap(&self, capacity: usize) -> Tap {
        let (source, tap) = tap::open(capacity);
        self.tell(Command::Tap(source));
        tap
    }

    /// Starts judging a sandbox. Nothing that Picket starts may run before this returns.
    pub fn register(
        &self,
        sandbox: SandboxId,
        policy: Policy,
        arrival: Arrival,
        controls: Containment,
    ) {
        self.tell(Command::Register { sandbox, policy: Box::new(policy), arrival, controls });
    }

    /// Judges a sandbox by another policy from now on.
    pub fn replace(&self, sandbox: SandboxId, policy: Policy) {
        self.tell(Command::Replace { sandbox, policy: Box::new(policy) });
    }

    /// Passes on what the supervisor noticed.
    pub fn notice(&self, sandbox: SandboxId, notice: Notice) {
        self.tell(Command::Notice { sandbox, notice });
    }

    /// Stops judging a sandbox and frees its slot, once what it did has been judged.
    pub fn unregister(&self, sandbox: SandboxId) {
        self.tell(Command::Unregister { sandbox });
    }

    /// Commands arrive in order; a loop that is gone has said so with [`Report::Broken`].
    fn tell(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.bell.ring();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tell(Command::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watch loop had panicked");
        }
    }
}
