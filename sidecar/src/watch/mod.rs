//! The one loop between the kernel and a verdict: read, decode, decide, act.
//!
//! It has a thread of its own, real-time where the system permits, because a violation must be answered while the
//! offender runs. Nothing slow is done here: what others want to know leaves through one bounded channel whose losses
//! are counted, and no reader can hold a verdict up.

pub(crate) mod act;
mod arriving;
mod attempts;
pub(crate) mod balance;
mod bell;
mod count;
mod line;
mod priority;
mod readings;
mod tap;
mod turn;
mod wakeups;

use std::{
    io,
    sync::{Arc, atomic::AtomicU64, mpsc},
    thread::{self, JoinHandle},
};

pub use arriving::Found;
use bell::Bell;
pub(crate) use line::Line;
pub use line::{Accuser, Breach};
use picket_engine::{
    Arrival, Closure, Contain, Finding, IncidentId, KernelTime, Notice, Outcome, Policy, SandboxId,
    baseline::Anomaly,
};
pub(crate) use priority::real_time;
pub use readings::Readings;
pub use tap::{Passed, Tap};
#[cfg(test)]
pub(crate) use tap::{Source, open as open_tap};
use tokio::sync::mpsc as reports;

use crate::{
    decode::Decoded,
    export::{Metrics, SandboxSeries, Subject},
    probe::{Losses, Rings, Slots},
    supervisor::{Containment, Listener},
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
    /// It was at work when it was found: from here on its manifest counts.
    Found {
        /// Whose.
        sandbox: SandboxId,
    },
    /// One that is expected for long has executed a program.
    Begun {
        /// Which.
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
        /// When.
        at: KernelTime,
        /// Why.
        why: Closure,
    },
    /// Somebody interfered with the kernel side.
    Tampered {
        /// What was done, to which part, and whose.
        breach: Breach,
        /// When it was noticed.
        at: KernelTime,
        /// When it was last seen to be as it should: it was done after this.
        sound: KernelTime,
    },
    /// What was done to the kernel side is undone.
    Mended {
        /// What it was.
        breach: Breach,
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
    Early(Early),
    Late(Late),
}

/// What comes before anything a sandbox does. A record may be read in the turn in which one of these is still in the
/// inbox, and must not find its sandbox unknown: they are taken before it is judged.
enum Early {
    Tap(tap::Source),
    Register { sandbox: SandboxId, policy: Box<Policy>, arrival: Arrival, controls: Containment },
    Expect { sandbox: SandboxId, after_exec: Option<Box<Policy>> },
    Name { sandbox: SandboxId, series: Box<SandboxSeries> },
    Attend { sandbox: SandboxId, attempts: Listener },
    Canary { sandbox: SandboxId },
}

/// What has its turn between records.
enum Late {
    Join { sandbox: SandboxId, policy: Box<Policy>, found: Found, controls: Containment },
    Replace { sandbox: SandboxId, policy: Box<Policy> },
    Remind { sandbox: SandboxId },
    Accuse { sandbox: SandboxId, anomaly: Box<Anomaly>, at: KernelTime },
    Notice { sandbox: SandboxId, notice: Notice },
    Unregister { sandbox: SandboxId },
    Canary { reply: mpsc::SyncSender<Vec<Decoded>> },
    Breach { breach: Breach, sound: KernelTime },
    Mended { breach: Breach },
    Stop,
}

/// The running loop. Dropping it stops it.
#[derive(Debug)]
pub struct Watch {
    commands: mpsc::Sender<Command>,
    bell: Arc<Bell>,
    metrics: Arc<Metrics>,
    turned: Arc<AtomicU64>,
    readings: Readings,
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
        let turned = Arc::new(AtomicU64::new(crate::clock::now().as_nanos()));
        let readings = Readings::default();
        let parts = turn::Parts {
            rings,
            slots,
            losses,
            metrics: Arc::clone(&metrics),
            inbox,
            outbox,
            bell: Arc::clone(&bell),
            turned: Arc::clone(&turned),
            readings: readings.clone(),
        };
        let thread = thread::Builder::new()
            .name("picket-watch".to_owned())
            .spawn(move || turn::run(parts))?;
        Ok((Self { commands, bell, metrics, turned, readings, thread: Some(thread) }, receiver))
    }

    /// Listens to everything that passes the engine from now on, through a queue of this many. Sandboxes registered
    /// after this are heard from their first input.
    #[must_use]
    pub fn tap(&self, capacity: usize) -> Tap {
        let (source, tap) = tap::open(capacity);
        self.tell(Command::Early(Early::Tap(source)));
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
        let policy = Box::new(policy);
        self.tell(Command::Early(Early::Register { sandbox, policy, arrival, controls }));
    }

    /// Judges and then refuses the calls that the sandbox's filter holds. To be called after it was registered, and
    /// before anything in it runs.
    pub fn attend(&self, sandbox: SandboxId, attempts: Listener) {
        self.tell(Command::Early(Early::Attend { sandbox, attempts }));
    }

    /// Holds back what the kernel reports about a sandbox until [`Watch::join`]: to be called before the kernel side
    /// may report anything. That may be long with `after_exec`: what the kernel side goes by once it has reported an
    /// exec, so that it reports what is new from then on, and not everything as during the setting up.
    pub fn expect(&self, sandbox: SandboxId, after_exec: Option<Policy>) {
        let after_exec = after_exec.map(Box::new);
        self.tell(Command::Early(Early::Expect { sandbox, after_exec }));
    }

    /// Starts judging a sandbox that others started, with what was held back since [`Watch::expect`].
    pub fn join(&self, sandbox: SandboxId, policy: Policy, found: Found, controls: Containment) {
        let policy = Box::new(policy);
        self.tell(Command::Late(Late::Join { sandbox, policy, found, controls }));
    }

    /// For whoever weighs what was learned.
    #[must_use]
    pub fn accuser(&self) -> Accuser {
        Accuser { line: self.line() }
    }

    /// What the patrol asks.
    pub(crate) fn line(&self) -> Line {
        Line { commands: self.commands.clone(), bell: Arc::clone(&self.bell) }
    }

    /// Where the loop writes the kernel clock's nanoseconds each turn, at least every quarter of a second.
    #[must_use]
    pub fn turned(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.turned)
    }

    /// Where the loop takes from what sandboxes have used, once a second.
    #[must_use]
    pub fn readings(&self) -> Readings {
        self.readings.clone()
    }

    /// Says who a sandbox is, for its metrics. To be called before it is registered.
    pub fn name(&self, sandbox: SandboxId, subject: &Arc<Subject>) {
        // Here and not in the loop: this waits for whoever is scraping.
        let series = Box::new(self.metrics.sandbox(sandbox, subject));
        self.tell(Command::Early(Early::Name { sandbox, series }));
    }

    /// Judges a sandbox by another policy from now on.
    pub fn replace(&self, sandbox: SandboxId, policy: Policy) {
        self.tell(Command::Late(Late::Replace { sandbox, policy: Box::new(policy) }));
    }

    /// Has the kernel side forget what it has seen of a sandbox that runs, so that everything it does is reported once more.
    /// Right before that, the policy that it has passes the engine again: what comes after it is reported whole.
    pub fn remind(&self, sandbox: SandboxId) {
        self.tell(Command::Late(Late::Remind { sandbox }));
    }

    /// Passes on what the supervisor noticed.
    pub fn notice(&self, sandbox: SandboxId, notice: Notice) {
        self.tell(Command::Late(Late::Notice { sandbox, notice }));
    }

    /// Stops judging a sandbox and frees its slot, once what it did has been judged.
    pub fn unregister(&self, sandbox: SandboxId) {
        self.tell(Command::Late(Late::Unregister { sandbox }));
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
        self.tell(Command::Late(Late::Stop));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watch loop had panicked");
        }
    }
}
