//! How others ask the daemon: requests and answers, all of them plain data.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use picket_engine::{Mode, ResourceProfile, SandboxId};
use tokio::sync::{mpsc, oneshot, watch};

use super::learning::LearningStatus;
use crate::{
    kubernetes::Workload,
    probe::Tier,
    watch::{Breach, Tap},
};

/// Requests that may wait for the daemon.
const REQUESTS: usize = 64;

/// What the daemon says about itself.
#[derive(Clone, Debug)]
pub struct Status {
    /// What this kernel lets it see.
    pub tier: Tier,
    /// The configuration that is in force.
    pub config: PathBuf,
    /// Why the newest configuration is not the one in force; `None` when it is.
    pub refused: Option<String>,
    /// Every sandbox that is watched, in the order of their identities.
    pub sandboxes: Vec<SandboxStatus>,
    /// What of the kernel side is not as Picket left it.
    pub tampered: Vec<Breach>,
    /// Every cgroup that the configuration means and that is not watched, in the order of their paths.
    pub unwatched: Vec<Unwatched>,
    /// Every container of Kubernetes that is there and that nobody judges, in the order of their paths.
    pub passed_over: Vec<PassedOver>,
    /// How far learning is; `None`: nothing is learned.
    pub learning: Option<LearningStatus>,
}

/// A container of Kubernetes that nobody judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its path, from the cgroup2 mount on.
    pub cgroup: PathBuf,
    /// The namespace of its pod, if that is known.
    pub namespace: Option<String>,
    /// Its pod, if that is known.
    pub pod: Option<String>,
    /// Its name in the pod, if that is known.
    pub container: Option<String>,
    /// Why.
    pub why: Why,
}

/// Why nobody judges a container of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No manifest is bound to it.
    Unbound,
    /// Manifests are bound to its pod, and it has no name: the one that holds the pod's namespaces never has.
    Unnamed,
}

impl Why {
    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unbound => "unbound",
            Self::Unnamed => "unnamed",
        }
    }
}

/// A cgroup that the configuration means and that is not watched.
#[derive(Clone, Debug)]
pub struct Unwatched {
    /// Its path, from the cgroup2 mount on.
    pub cgroup: PathBuf,
    /// Why, and the way out.
    pub reason: String,
}

/// What the daemon says about a sandbox.
#[derive(Clone, Debug)]
pub struct SandboxStatus {
    /// Slot and generation.
    pub sandbox: SandboxId,
    /// The plugin's name in its manifest.
    pub plugin: String,
    /// Its cgroup, from the cgroup2 mount on.
    pub cgroup: PathBuf,
    /// The manifest it is judged by.
    pub manifest: PathBuf,
    /// How far the daemon may go.
    pub mode: Mode,
    /// What became of it.
    pub state: State,
    /// Departures from its manifest so far.
    pub findings: u64,
    /// A process in it sees another tree of files than the daemon, whose names the manifest's rules are looked up by.
    pub other_root: bool,
    /// What it uses; `None` before it was read for the first time.
    pub resources: Option<ResourceProfile>,
    /// What it is called, if it is a container of Kubernetes.
    pub workload: Option<Workload>,
}

/// What became of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Found empty: not judged before its first exec.
    Starting,
    /// Judged by its manifest.
    Running,
    /// The kernel confirmed that it stands still.
    Frozen,
    /// The kernel confirmed that nothing of it is left.
    Killed,
}

impl State {
    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Frozen => "frozen",
            Self::Killed => "killed",
        }
    }
}

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Sandboxes watched since then.
    pub added: usize,
    /// Sandboxes no longer watched.
    pub removed: usize,
    /// Sandboxes judged by another policy since then.
    pub changed: usize,
}

/// Everything that passes the engine, with the names of the sandboxes that are watched.
#[derive(Debug)]
pub struct Follower {
    /// What passes.
    pub tap: Tap,
    /// Plugin names as they stand; the newest can be had at any time.
    pub names: watch::Receiver<Arc<BTreeMap<SandboxId, String>>>,
}

/// Why a request was not granted.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The daemon is ending.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// No sandbox of this identity is watched.
    #[error("sandbox {0} is not watched")]
    Unknown(SandboxId),
    /// The daemon said no; the text has the reason and the way out.
    #[error("{0}")]
    Refused(String),
}

/// The daemon is ending and answers no more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the daemon is ending")]
pub struct Gone;

/// What the daemon can be asked.
#[derive(Debug)]
pub enum Request {
    /// What is there.
    Status(oneshot::Sender<Status>),
    /// Another mode for one sandbox, from now on.
    SetMode {
        /// Which.
        sandbox: SandboxId,
        /// How far to go.
        mode: Mode,
        /// The sandbox as it is then.
        reply: oneshot::Sender<Result<SandboxStatus, RequestError>>,
    },
    /// The configuration read again.
    Reload(oneshot::Sender<Result<Reloaded, RequestError>>),
    /// A seat for a listener.
    Follow(oneshot::Sender<Follower>),
}

/// The asking end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
}

impl Handle {
    /// A pair of ends: the daemon keeps the receiver.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Request>) {
        let (requests, inbox) = mpsc::channel(REQUESTS);
        (Self { requests }, inbox)
    }

    /// What is there.
    ///
    /// # Errors
    /// The daemon is ending.
    pub async fn status(&self) -> Result<Status, Gone> {
        self.ask(Request::Status).await
    }

    /// Switches the mode of one sandbox. Lasts until the sandbox ends or the configuration that says otherwise changes.
    ///
    /// # Errors
    /// The daemon is ending, does not know the sandbox, or cannot do what the mode asks for.
    pub async fn set_mode(
        &self,
        sandbox: SandboxId,
        mode: Mode,
    ) -> Result<SandboxStatus, RequestError> {
        self.ask(|reply| Request::SetMode { sandbox, mode, reply }).await?
    }

    /// Reads the configuration again.
    ///
    /// # Errors
    /// The daemon is ending, or the new configuration is no good: the old one stays in force.
    pub async fn reload(&self) -> Result<Reloaded, RequestError> {
        self.ask(Request::Reload).await?
    }

    /// Listens to everything from now on.
    ///
    /// # Errors
    /// The daemon is ending.
    pub async fn follow(&self) -> Result<Follower, Gone> {
        self.ask(Request::Follow).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}
