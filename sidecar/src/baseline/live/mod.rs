//! Learns from the sandboxes that the daemon watches, and once enough is known judges them by that, in a thread of its
//! own behind a bounded queue: no verdict of a declaration waits for a store.
//!
//! The daemon says which sandbox is whose ([`Live::assign`]); nothing else is learned. A run that goes on for long is
//! stored in pieces: the thread names it ([`Live::due`]), the daemon has the kernel side forget what it has seen, and
//! where that passes the engine, the run is cut. So a piece lacks nothing that happened in it.
//!
//! # Invariants
//!
//! * What found the queue full makes every run useless that lived then: no half run teaches.
//! * A baseline that is known well enough is left alone, so that nothing is absorbed while it counts.
//! * What a baseline that is known makes of a run reaches the engine like any other input, and is decided on there.
//! * A store that cannot be used stops learning and judging by what was learned, is said, and is tried again. It stops
//!   nothing else.

mod bench;
mod judge;
mod lesson;
#[cfg(test)]
mod tests;
mod whatif;
mod work;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use picket_engine::{
    SandboxId,
    baseline::Condition,
    learned::{PluginTime, Rung, Standing},
};

use super::{Budgets, Identity};
use crate::{
    export::{BaselineMetrics, OperatorWord},
    watch::{Accuser, Tap},
};
pub use whatif::{WhatIf, WhatIfError};
use work::Worker;

/// Inputs that may wait for the thread.
pub const QUEUE: usize = 1 << 16;

/// News that wait for the daemon; it asks each second.
const NEWS: usize = 64;

/// Baselines whose progress is shown. Of more, those without a living sandbox go.
const SHOWN: usize = 1_024;

/// Whose runs are learned, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pupil {
    /// Whose baseline.
    pub identity: Identity,
    /// The plugin's name, as it may leave the node.
    pub plugin: OperatorWord,
    /// It runs all the time: days of watching count, not runs.
    pub continuous: bool,
    /// How often what was learned of it may act for nothing.
    pub budgets: Budgets,
}

/// Where in its life a baseline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Conditions of learning are missing.
    Learning,
    /// Enough is known; conditions of the certificate are missing.
    Calibrating,
    /// There is a certificate.
    Certified,
    /// It has learned since it was certified.
    Stale,
}

impl Stage {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Calibrating => "calibrating",
            Self::Certified => "certified",
            Self::Stale => "stale",
        }
    }
}

/// How far learning is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Whose baseline.
    pub identity: Identity,
    /// Runs in the store that may be learned from.
    pub usable: u64,
    /// Runs in the store that teach nothing.
    pub unusable: u64,
    /// Conditions that are not met. None: it is known, and left alone.
    pub missing: BTreeSet<Condition>,
    /// Where in its life it is.
    pub stage: Stage,
    /// What its runs amount to, once it is certified and has a budget.
    pub evidence: Option<Evidence>,
}

/// What live runs of a baseline amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Whether it may act.
    pub standing: Standing,
    /// Each rung, and how much there is before the open block: acted on when it reaches the budget.
    pub rungs: Vec<(Rung, PluginTime)>,
    /// The plugin-time of its calibration: what a budget claims up to that was tried, and beyond is extrapolated.
    pub calibrated: PluginTime,
}

impl Progress {
    /// Whether it is known well enough.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing.is_empty()
    }
}

/// What there is to say about learning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveStatus {
    /// The store's file.
    pub store: PathBuf,
    /// Why it cannot be used at the moment.
    pub trouble: Option<String>,
    /// Inputs that found the queue full.
    pub missed: u64,
    /// Every baseline that is learned, by plugin.
    pub plugins: Vec<Progress>,
}

impl Evidence {
    /// Nothing is made evidence of.
    pub(crate) const WITHOUT_BUDGET: Self = Self {
        standing: Standing::Active,
        rungs: Vec::new(),
        calibrated: PluginTime::from_millis(0),
    };
}

/// The thread, from outside.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What both sides know.
#[derive(Debug)]
struct Shared {
    store: PathBuf,
    state: Mutex<State>,
}

/// Whose a sandbox is.
#[derive(Debug)]
struct Assigned {
    /// The run under way is this one's; `None`: nobody's.
    run: Option<Arc<Pupil>>,
    /// What follows where the kernel side forgets is this one's.
    next: Option<Arc<Pupil>>,
}

#[derive(Debug, Default)]
struct State {
    /// Absent: the daemon has not said yet.
    assigned: BTreeMap<SandboxId, Assigned>,
    due: BTreeSet<SandboxId>,
    progress: BTreeMap<Identity, Progress>,
    trouble: Option<String>,
    missed: u64,
    news: Vec<(&'static str, String)>,
}

impl Live {
    /// Listens to `tap`, which is to be opened before any sandbox is registered.
    ///
    /// # Errors
    /// The thread cannot be made.
    pub fn start(
        store: &Path,
        tap: Tap,
        accuser: Accuser,
        metrics: BaselineMetrics,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { store: store.to_owned(), state: Mutex::default() });
        let worker = Worker::new(Arc::clone(&shared), accuser, metrics)?;
        let thread = thread::Builder::new()
            .name("picket-learn".to_owned())
            .spawn(move || worker.run(tap))?;
        Ok(Self { shared, thread })
    }

    /// Whose runs this sandbox's are; `None`: nobody's, and what was seen of the one under way is forgotten. To be called
    /// for every sandbox, and before it is unregistered.
    pub fn assign(&self, sandbox: SandboxId, pupil: Option<Pupil>) {
        self.shared.assign(sandbox, pupil);
    }

    /// Sandboxes whose run goes on for so long that the kernel side should forget what it has seen of them.
    #[must_use]
    pub fn due(&self) -> BTreeSet<SandboxId> {
        std::mem::take(&mut self.shared.lock().due)
    }

    /// What happened since the last call: events and sentences.
    #[must_use]
    pub fn news(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.shared.lock().news)
    }

    /// How far learning is.
    #[must_use]
    pub fn status(&self) -> LiveStatus {
        let state = self.shared.lock();
        LiveStatus {
            store: self.shared.store.clone(),
            trouble: state.trouble.clone(),
            missed: state.missed,
            plugins: state.progress.values().cloned().collect(),
        }
    }

    /// Waits until what is under way has been stored. To be called when the watch loop has ended. Answers the last news.
    #[must_use]
    pub fn end(self) -> Vec<(&'static str, String)> {
        if self.thread.join().is_err() {
            tracing::error!("the thread that learns had panicked");
        }
        std::mem::take(&mut self.shared.lock().news)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one insertion or removal.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn assign(&self, sandbox: SandboxId, pupil: Option<Pupil>) {
        let pupil = pupil.map(Arc::new);
        let mut state = self.lock();
        let first = Assigned { run: pupil.clone(), next: pupil.clone() };
        let assigned = state.assigned.entry(sandbox).or_insert(first);
        if pupil.is_none() {
            assigned.run = None;
        }
        assigned.next = pupil;
    }

    fn tell(&self, event: &'static str, text: String) {
        let mut state = self.lock();
        if state.news.len() < NEWS {
            state.news.push((event, text));
        }
    }

    fn show(&self, progress: Progress) {
        let mut state = self.lock();
        if SHOWN <= state.progress.len() {
            let living: BTreeSet<Identity> = state
                .assigned
                .values()
                .filter_map(|it| Some(it.run.as_ref()?.identity.clone()))
                .collect();
            state.progress.retain(|identity, _| living.contains(identity));
        }
        let identity = progress.identity.clone();
        // What judges a run says how much there is; what ends one knows nothing of it.
        let known = state.progress.remove(&identity).and_then(|former| former.evidence);
        let evidence = progress.evidence.or(known.filter(|_| progress.stage == Stage::Certified));
        state.progress.insert(identity, Progress { evidence, ..progress });
    }
}
