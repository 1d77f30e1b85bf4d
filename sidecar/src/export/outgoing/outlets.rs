//! Hands every message to every output, and waits for none.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use picket_engine::{KernelTime, SandboxId};
use prometheus::IntCounter;
use tokio::sync::mpsc;

use super::{IncidentKey, Measured, Object, Origin, Outgoing, Subject, What, pseudonym::Key};
use crate::{
    clock,
    export::{Metrics, Value},
    watch::Report,
};

/// Messages that may wait for an output. One that is this far behind loses what comes next, counted.
const WAITING: usize = 1_024;

/// The way into one output.
#[derive(Debug)]
struct Outlet {
    messages: mpsc::Sender<Arc<Outgoing>>,
    queued: IntCounter,
    dropped: IntCounter,
}

/// The ways into all of them.
#[derive(Debug)]
pub struct Outlets {
    origin: Arc<Origin>,
    outlets: Vec<Outlet>,
    subjects: BTreeMap<SandboxId, Arc<Subject>>,
    key: Key,
}

impl Outlets {
    /// Without an output yet.
    ///
    /// # Errors
    /// The kernel has no random numbers.
    pub fn new(origin: Arc<Origin>) -> io::Result<Self> {
        let key = Key::new(SystemTime::now())?;
        Ok(Self { origin, outlets: Vec::new(), subjects: BTreeMap::new(), key })
    }

    /// Who sends.
    #[must_use]
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// A queue for one more output; `name` is what its counters call it.
    #[must_use]
    pub fn add<'a>(
        &mut self,
        name: impl Into<Value<'a>>,
        metrics: &Metrics,
    ) -> mpsc::Receiver<Arc<Outgoing>> {
        let name = name.into();
        let (messages, receiver) = mpsc::channel(WAITING);
        let queued = metrics.queued(name);
        let dropped = metrics.exported(name, super::Fate::Dropped);
        self.outlets.push(Outlet { messages, queued, dropped });
        receiver
    }

    /// From now on messages about this sandbox say this of it.
    pub fn introduce(&mut self, sandbox: SandboxId, subject: Arc<Subject>) {
        self.subjects.insert(sandbox, subject);
    }

    /// Tells every output what a report says, as far as it may leave the node.
    pub fn tell(&mut self, report: &Report) {
        if let Report::Forgotten { sandbox } = report {
            self.subjects.remove(sandbox);
        }
        if self.outlets.is_empty() {
            return;
        }
        let Some(message) = self.message(report) else { return };
        let message = Arc::new(message);
        for Outlet { messages, queued, dropped } in &self.outlets {
            match messages.try_send(Arc::clone(&message)) {
                Ok(()) => queued.inc(),
                Err(_) => dropped.inc(),
            }
        }
    }

    fn message(&mut self, report: &Report) -> Option<Outgoing> {
        let clocks = Clocks::read();
        self.key.turn_to(clocks.wall);
        let (sandbox, incident, at, what) = match report {
            Report::Finding(finding) => {
                let object = Object::of(&finding.evidence.reveal().done, &self.key);
                let what = What::Finding { labels: finding.labels(), object };
                (finding.sandbox, finding.incident, finding.order.time, what)
            }
            Report::Deciding { contain, decided, dry_run } => {
                let what = What::Decided(Measured::new(contain, *decided, *dry_run));
                (contain.sandbox, contain.incident, *decided, what)
            }
            Report::Receipt { contain, outcome, decided, confirmed } => {
                let what = What::Receipt {
                    step: Measured::new(contain, *decided, false),
                    outcome: *outcome,
                    took: contain.latency(*confirmed),
                };
                (contain.sandbox, contain.incident, *confirmed, what)
            }
            Report::Closed { sandbox, incident, at, why } => {
                (*sandbox, *incident, *at, What::Closed { why: *why })
            }
            Report::Begun { .. }
            | Report::Running { .. }
            | Report::Found { .. }
            | Report::Forgotten { .. }
            // Told of each sandbox by a finding of its own.
            | Report::Tampered { .. }
            | Report::Mended { .. }
            | Report::Broken { .. } => return None,
        };
        let subject = Arc::clone(self.subjects.get(&sandbox)?);
        let incident = IncidentKey { instance: self.origin.instance, sandbox, incident };
        Some(Outgoing { subject, incident, what, at: clocks.wall_time(at) })
    }
}

/// Two readings this close are good enough.
const CLOSE: Duration = Duration::from_micros(5);

/// More are not tried.
const READINGS: u32 = 8;

/// Both clocks at one moment.
struct Clocks {
    wall: SystemTime,
    boot: KernelTime,
}

impl Clocks {
    /// Whoever is interrupted between two clocks sees them apart by as much, so the closest of some readings counts:
    /// the parts of one incident shall not change their order.
    fn read() -> Self {
        let one = || {
            let (before, wall) = (clock::now(), SystemTime::now());
            (clock::now().duration_since(before), Self { wall, boot: before })
        };
        let mut best = one();
        for _ in 0..READINGS {
            if best.0 < CLOSE {
                break;
            }
            let next = one();
            if next.0 < best.0 {
                best = next;
            }
        }
        best.1
    }

    /// Wall time of a moment on the kernel's clock; not after now.
    fn wall_time(&self, at: KernelTime) -> SystemTime {
        let ago = self.boot.duration_since(at);
        self.wall.checked_sub(ago).unwrap_or(self.wall)
    }
}
