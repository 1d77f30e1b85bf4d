//! One Picket at work: kernel side loaded and proven, watch loop running, sandboxes started and ended.
//!
//! The order is the promise: sweep what a crashed Picket left, load, prove every hook with the canary, and only then
//! start anything. A plugin is registered with kernel and engine between the gate and its first instruction.

mod join;
pub(crate) mod patrol;
mod plugin;
mod sampler;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use join::{Expected, JoinError, Joined};
use patrol::{Beat, Patrol};
use picket_engine::{ResourceProfile, SandboxId};
pub use plugin::{Launch, Plugin, PluginError};
use sampler::Sampler;
use tokio::sync::mpsc::Receiver;

use crate::{
    export::{Metrics, OperatorWord, Origin, Outlets, SeriesBudget, Subject},
    probe::{
        self, LoadError, Probe, Rings, TierReport,
        canary::{self, Canary, CanaryError, Proof},
    },
    supervisor::{self, CgroupError, CgroupRoot, Sweep},
    watch::{Breach, Report, Watch},
};

/// Why Picket does not work on this host.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No usable cgroup v2.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The kernel side is not there.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The kernel side is there and does not tell the truth.
    #[error("self-test: {0}")]
    Canary(#[from] CanaryError),
    /// A thread or descriptor could not be made.
    #[error("{step}: {source}")]
    System {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// How a session is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sandboxes at once, the self-test's own included.
    pub max_sandboxes: u32,
    /// Whether what Landlock refuses has to be seen: a plugin with such a wall is to be started.
    pub refusals: bool,
    /// The `picket` binary: canary and launcher are processes of it.
    pub program: PathBuf,
    /// What the node is called in all that leaves it.
    pub node: OperatorWord,
    /// How many series plugins and sandboxes may have.
    pub series: SeriesBudget,
}

/// Picket at work.
#[derive(Debug)]
pub struct Session {
    root: CgroupRoot,
    metrics: Arc<Metrics>,
    outlets: Outlets,
    proof: Proof,
    swept: Sweep,
    program: PathBuf,
    // Before the loop, which answers it.
    patrol: Patrol,
    sampler: Sampler,
    // Before the probe: the loop must have stopped when the programs are detached.
    watch: Watch,
    probe: Probe,
}

impl Session {
    /// Opens a session. What happens in it comes out of the receiver.
    ///
    /// # Errors
    /// [`SessionError`]; nothing of Picket stays in the kernel then.
    pub fn open(options: Options) -> Result<(Self, Receiver<Report>), SessionError> {
        let root = CgroupRoot::find()?;
        let swept = supervisor::sweep_stale(&root).map_err(|source| SessionError::System {
            step: "sweeping what an earlier Picket left",
            source,
        })?;
        let mut probe = Probe::load(probe::Settings {
            max_sandboxes: options.max_sandboxes,
            refusals: options.refusals,
        })?;
        let mut rings = probe.take_rings().ok_or(CanaryError::NoRings)?;
        let (proof, canary) = prove(&mut probe, &mut rings, &root, &options.program)?;
        let metrics = Metrics::new(&options.node, probe.tier().tier, options.series);
        let metrics = Arc::new(metrics);
        metrics.attached(&probe.attached());
        let origin = Origin::new(options.node, probe.tier().tier)
            .and_then(|origin| Outlets::new(Arc::new(origin)));
        let outlets = origin
            .map_err(|source| SessionError::System { step: "making random numbers", source })?;
        if let Ok(reasons) = probe.losses().by_reason() {
            // A counter exists before it counts, or its first loss is no increase to whoever scrapes it.
            metrics.lost(&reasons);
        }
        let (watch, reports) = Watch::start(
            rings,
            Arc::clone(probe.slots()),
            Arc::clone(probe.losses()),
            Arc::clone(&metrics),
        )
        .map_err(|source| SessionError::System { step: "starting the watch loop", source })?;
        let patrol = Patrol::start(Beat {
            canary,
            slots: Arc::clone(probe.slots()),
            links: Arc::clone(probe.links()),
            losses: Arc::clone(probe.losses()),
            line: watch.line(),
            metrics: Arc::clone(&metrics),
            hooks: probe.attached(),
            acts: proof.hooks.clone(),
        })
        .map_err(|source| SessionError::System { step: "starting the patrol", source })?;
        let losses = Arc::clone(probe.losses());
        let sampler =
            Sampler::start(watch.readings(), losses).map_err(|source| SessionError::System {
                step: "starting the thread that reads what sandboxes use",
                source,
            })?;
        let program = options.program;
        let session =
            Self { root, metrics, outlets, proof, swept, program, patrol, sampler, watch, probe };
        Ok((session, reports))
    }

    /// What this kernel lets Picket see.
    #[must_use]
    pub fn tier(&self) -> &TierReport {
        self.probe.tier()
    }

    /// What the self-test proved.
    #[must_use]
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// What an earlier Picket had left.
    #[must_use]
    pub fn swept(&self) -> &Sweep {
        &self.swept
    }

    /// What there is to say when it has been opened: events and sentences.
    #[must_use]
    pub fn introduction(&self) -> Vec<(&'static str, String)> {
        let mut said = Vec::new();
        let removed = self.swept.removed.join(", ");
        if !removed.is_empty() {
            said.push(("swept", format!("removed what an earlier Picket had left: {removed}")));
        }
        let failed: Vec<String> =
            self.swept.failed.iter().map(|(name, error)| format!("{name} ({error})")).collect();
        if !failed.is_empty() {
            said.push(("not_swept", format!("could not remove {}", failed.join(", "))));
        }
        let TierReport { tier, because } = self.tier();
        let because = because.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        let (acts, took) = (self.proof.hooks.len(), self.proof.took.as_millis());
        let text = format!("tier {tier}{because}; {acts} acts of the self-test seen in {took} ms");
        said.push(("ready", text));
        said
    }

    /// What of the kernel side is not as Picket left it, at the last look.
    #[must_use]
    pub fn breaches(&self) -> Vec<Breach> {
        self.patrol.standing()
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The ways out of the node.
    pub fn outlets(&mut self) -> &mut Outlets {
        &mut self.outlets
    }

    /// Says from now on something else of a sandbox, in metrics and messages.
    pub fn rename(&mut self, sandbox: SandboxId, subject: &Arc<Subject>) {
        self.watch.name(sandbox, subject);
        self.outlets.introduce(sandbox, Arc::clone(subject));
    }

    /// The kernel side, for its counters and its log.
    pub fn probe(&mut self) -> &mut Probe {
        &mut self.probe
    }

    /// Where sandboxes live.
    #[must_use]
    pub fn root(&self) -> &CgroupRoot {
        &self.root
    }

    /// What a sandbox uses; `None` before it was read for the first time.
    #[must_use]
    pub fn resources(&self, sandbox: SandboxId) -> Option<ResourceProfile> {
        self.sampler.profile(sandbox)
    }

    /// The loop that judges.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    fn open_cgroup(path: &Path) -> Result<File, SessionError> {
        File::open(path)
            .map_err(|source| SessionError::System { step: "opening the sandbox's cgroup", source })
    }
}

/// Runs the self-test. An LSM program that is attached and never runs costs its tier, not the start.
///
/// # Errors
/// The kernel side does not tell the truth, or could not fall back.
pub fn prove(
    probe: &mut Probe,
    rings: &mut Rings,
    root: &CgroupRoot,
    program: &Path,
) -> Result<(Proof, Canary), SessionError> {
    match canary::run(probe, rings, root, program) {
        Err(error) if error.is_idle_lsm() => {
            let because = "LSM programs load and never run: bpf is not among the kernel's active security modules; \
                           add it to the boot parameter lsm= for the tier lsm";
            probe.fall_back_to_trace(because.to_owned())?;
            Ok(canary::run(probe, rings, root, program)?)
        }
        outcome => Ok(outcome?),
    }
}
