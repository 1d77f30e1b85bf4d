//! `picket run`: watches sandboxes that others start.
//!
//! One task holds everything: it hears what discovery finds, what the watch loop reports and what people ask, and is
//! the only one to join and leave sandboxes. What takes time happens elsewhere and is sent back to it: walking the
//! cgroup tree (`discover`), reading files (`reload`), asking for names (`rules`). Verdicts do not pass through here
//! and wait for nothing of this.
//!
//! The daemon owns no sandbox. It removes none, kills none when it ends, and thaws none ever.

mod alerting;
mod answer;
mod containers;
mod discover;
mod files;
mod handle;
mod inotify;
mod kubelet;
mod learning;
mod news;
mod notify;
mod reload;
mod rules;
mod sandboxes;
mod tree;

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use containers::InRoot;
use discover::{Discoverer, Discovery};
use files::FileWatch;
pub use handle::{
    Follower, Gone, Handle, PassedOver, Reloaded, Request, RequestError, SandboxStatus, State,
    Status, Unwatched, Why,
};
use kubelet::Kubelet;
use learning::Learning;
pub use learning::LearningStatus;
use notify::Notifier;
use picket_engine::SandboxId;
use reload::Reloads;
use rules::{Resolver, Rules};
use sandboxes::Sandboxes;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, spawn_blocking},
    time::{Instant, MissedTickBehavior, interval, interval_at},
};
use tree::{Containers, Scope};

use crate::{
    alerts::{Alerts, OutboxError},
    config::{self, Config},
    export::{
        DaemonMetrics, Health, Stage,
        otlp::{self, Exporter},
    },
    kubernetes,
    session::{Options as SessionOptions, Session, SessionError},
    watch::Report,
};

/// Names are looked up and protected files are looked at again this often.
const REFRESH: Duration = Duration::from_secs(30);

/// Looks into containers' roots that may wait for the daemon; their threads wait when it is full.
const LOOKS: usize = 64;

/// The loop turns at least this often.
const BEAT: Duration = Duration::from_secs(1);

/// Who hears what happens: the terminal, a file.
pub trait Audience {
    /// The watch loop reports.
    fn report(&mut self, report: &Report);
    /// From now on a sandbox is called by its plugin's name.
    fn name(&mut self, sandbox: SandboxId, name: &str);
    /// A sandbox is not spoken of any more.
    fn forget(&mut self, sandbox: SandboxId);
    /// Something about no sandbox.
    fn remark(&mut self, event: &str, text: &str);
    /// Something about a sandbox.
    fn note(&mut self, sandbox: SandboxId, event: &str, text: &str);
}

/// Why the daemon ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Picket does not work on this host.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Telemetry cannot be sent.
    #[error(transparent)]
    Otlp(#[from] otlp::StartError),
    /// What is to be said of incidents could not be kept.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A thread or descriptor could not be made.
    #[error("{step}: {source}")]
    System {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Containers would have no names.
    #[error(
        "containers get their names from the kubelet's logs: {source}; mount the node's /var/log read-only, or write \
         where it is as `kubernetes.logs`"
    )]
    NoNames {
        /// Why they cannot be read.
        source: io::Error,
    },
    /// Picket was to watch its own pod and is in none.
    #[error(
        "`kubernetes.scope: pod` and Picket itself is in the cgroup {}, which belongs to no pod; run it as a container \
         of the pod with the node's cgroup2 file system mounted, or write `scope: node`",
        own.display()
    )]
    NoPod {
        /// The cgroup, from the mount on.
        own: PathBuf,
    },
    /// Nothing is judged any more.
    #[error("the watch loop is gone: nothing is judged any more")]
    Blind,
    /// New cgroups are not found any more.
    #[error("discovery has ended: new sandboxes would not be found")]
    Deaf,
}

/// What a daemon is made of.
#[derive(Debug)]
pub struct Options {
    /// What it watches.
    pub config: Config,
    /// The `picket` binary.
    pub program: PathBuf,
    /// Where it says how it is.
    pub health: Arc<Health>,
    /// What it is asked.
    pub requests: mpsc::Receiver<Request>,
    /// Where it sends telemetry.
    pub otlp: Option<otlp::Settings>,
}

/// Watches until `stop`, then leaves everything as it is.
///
/// # Errors
/// [`DaemonError`]; nothing of Picket stays in the kernel then either.
pub async fn run(
    options: Options,
    audience: &mut impl Audience,
    stop: impl Future<Output = ()>,
) -> Result<(), DaemonError> {
    let Options { config, program, health, mut requests, otlp } = options;
    let notifier = Notifier::from_environment();
    make_room();
    // Before the kernel side: a file that cannot be used is found while nothing depends on this Picket.
    let outbox = alerting::open(&config).await?;
    // One more: the self-test has a sandbox of its own.
    let max_sandboxes = config.max_sandboxes.saturating_add(1);
    let (node, series) = (config.node(), config.series);
    // It starts nothing, so nothing has a wall.
    let opening = SessionOptions { max_sandboxes, refusals: false, program, node, series };
    // Off this thread, so that those who ask for its health are answered meanwhile.
    let opened = spawn_blocking(move || Session::open(opening)).await;
    let (mut session, mut reports) = opened.map_err(|error| DaemonError::System {
        step: "opening the session",
        source: io::Error::other(error),
    })??;
    let metrics = Arc::clone(session.metrics());
    let exporter = otlp.map(|to| Exporter::start(to, session.outlets(), &metrics)).transpose()?;
    health.attach(Arc::clone(session.metrics()), session.watch().turned());
    health.enter(Stage::Searching);
    introduce(&session, audience);
    let mut log = session.probe().logger().map_err(|error| DaemonError::System {
        step: "listening to the kernel programs' log",
        source: io::Error::other(error),
    })?;
    let alerts = alerting::start(outbox, &config, &mut session)?;
    let learning = learning::start(&config, &session)?;
    let edges = Edges { alerts, learning, health, notifier };
    let (mut daemon, mut ears) = Daemon::open(session, config, edges, audience).await?;
    let mut beat = interval(daemon.notifier.heartbeat().unwrap_or(BEAT).min(BEAT));
    let mut refresh = interval_at(Instant::now() + REFRESH, REFRESH);
    for timer in [&mut beat, &mut refresh] {
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    tokio::pin!(stop);
    loop {
        daemon.health.beat();
        tokio::select! {
            () = &mut stop => break,
            report = reports.recv() => match report {
                None | Some(Report::Broken { .. }) => {
                    daemon.health.enter(Stage::Blind);
                    daemon.end_alerts().await;
                    return Err(DaemonError::Blind);
                }
                Some(report) => daemon.hear(&report),
            },
            discovery = ears.discoveries.recv() => match discovery {
                Some(discovery) => daemon.discover(discovery),
                None => {
                    daemon.end_alerts().await;
                    return Err(DaemonError::Deaf);
                }
            },
            Some(looked) = ears.looks.recv() => daemon.take_look(looked),
            Some(request) = requests.recv() => daemon.answer(request),
            Some(()) = ears.changes.recv() => daemon.reload(None),
            read = finished(&mut daemon.reloads.reading) => daemon.take_read(read),
            found = finished(&mut daemon.looking_up) => daemon.take_resolutions(found),
            _ = refresh.tick() => daemon.look_up(),
            _ = beat.tick() => {
                log.flush();
                daemon.tend_held();
                daemon.tend_learning();
                daemon.health.tampered(!daemon.session.breaches().is_empty());
                if daemon.health.lives().is_ok() {
                    daemon.notifier.alive();
                }
            }
        }
    }
    daemon.stop().await;
    // Last, because it may wait for a collector.
    drop(exporter);
    Ok(())
}

/// What stands beside the daemon.
struct Edges {
    alerts: Option<Alerts>,
    learning: Option<Learning>,
    health: Arc<Health>,
    notifier: Notifier,
}

/// What the daemon hears from its threads.
struct Ears {
    discoveries: mpsc::Receiver<Discovery>,
    looks: mpsc::Receiver<InRoot>,
    changes: mpsc::Receiver<()>,
}

/// Everything the task holds.
struct Daemon<'a, A> {
    session: Session,
    alerts: Option<Alerts>,
    learning: Option<Learning>,
    rules: Rules,
    resolver: Resolver,
    sandboxes: Sandboxes,
    audience: &'a mut A,
    health: Arc<Health>,
    notifier: Notifier,
    metrics: DaemonMetrics,
    discoverer: Discoverer,
    files: FileWatch,
    names: watch::Sender<Arc<BTreeMap<SandboxId, String>>>,
    reloads: Reloads,
    looking_up: Option<JoinHandle<(Arc<Config>, Vec<rules::Resolution>)>>,
    ready: bool,
}

impl<'a, A: Audience> Daemon<'a, A> {
    async fn open(
        session: Session,
        config: Config,
        edges: Edges,
        audience: &'a mut A,
    ) -> Result<(Self, Ears), DaemonError> {
        let Edges { alerts, learning, health, notifier } = edges;
        let failed = |step| move |source| DaemonError::System { step, source };
        let (resolver, config) = (Resolver::default(), Arc::new(config));
        let resolutions = {
            let (resolver, config) = (resolver.clone(), Arc::clone(&config));
            let resolved = spawn_blocking(move || resolver.resolve(&config, &[])).await;
            resolved.map_err(io::Error::other).map_err(failed("resolving the manifests"))?
        };
        let rules = Rules { config, resolutions };
        let root = session.root();
        let own = root
            .own()
            .map_err(failed("finding Picket's own cgroup"))?
            .unwrap_or_else(|| "/".into());
        let kubernetes = rules.config.kubernetes.as_ref();
        let kubelet = kubernetes.map(|kubernetes| Kubelet::open(&kubernetes.logs)).transpose();
        let kubelet = kubelet.map_err(|source| DaemonError::NoNames { source })?;
        let names = kubelet.as_ref().map(Kubelet::known);
        let scope = Scope {
            patterns: rules.patterns(),
            home: Path::new("/")
                .join(root.home().strip_prefix(root.mount()).unwrap_or(&root.home())),
            containers: kubernetes
                .map(|kubernetes| whose(kubernetes.scope, root.mount(), &own))
                .transpose()?,
            own,
            mount: root.mount().to_owned(),
        };
        let (files, changes) = FileWatch::start(rules.config.files().map(Path::to_owned).collect())
            .map_err(failed("watching the configuration's directories"))?;
        let (discoverer, discoveries) =
            Discoverer::start(scope, kubelet).map_err(failed("looking for cgroups"))?;
        let (outbox, looks) = mpsc::channel(LOOKS);
        for warning in &rules.config.warnings {
            audience.remark("warning", &warning.to_string());
        }
        let daemon = Self {
            metrics: DaemonMetrics::register(session.metrics()),
            session,
            alerts,
            learning,
            rules,
            resolver,
            sandboxes: Sandboxes::of(names, outbox),
            audience,
            health,
            notifier,
            discoverer,
            files,
            names: watch::Sender::default(),
            reloads: Reloads::default(),
            looking_up: None,
            ready: false,
        };
        Ok((daemon, Ears { discoveries, looks, changes }))
    }

    /// What was heard is written down before Picket ends.
    async fn end_alerts(&mut self) {
        if let Some(alerts) = self.alerts.take() {
            alerts.end().await;
        }
    }

    async fn stop(mut self) {
        self.health.enter(Stage::Stopping);
        self.notifier.stopping();
        self.end_alerts().await;
        let Self { mut session, sandboxes, learning, audience, .. } = self;
        for (id, watched) in sandboxes.watched {
            if watched.state == State::Frozen {
                let text = format!("is left frozen; its cgroup is {}", watched.path.display());
                audience.note(id, "left_frozen", &text);
            }
            session.leave(watched.joined);
        }
        for expected in sandboxes.containers.into_held() {
            session.give_up(expected);
        }
        // The watch loop with it: what it was told is done, and nothing follows.
        drop(session);
        if let Some(learning) = learning {
            learning.end(audience);
        }
        audience.remark("stopped", "nothing is watched any more");
    }
}

/// Whose containers are looked for.
fn whose(scope: config::Scope, mount: &Path, own: &Path) -> Result<Containers, DaemonError> {
    if scope == config::Scope::Node {
        return Ok(Containers::All);
    }
    let no_pod = || DaemonError::NoPod { own: own.to_owned() };
    let pod = kubernetes::own_pod(own).ok_or_else(no_pod)?;
    let place = mount.join(pod.strip_prefix("/").unwrap_or(&pod));
    let id = fs::metadata(place).map_err(|_| no_pod())?.ino();
    Ok(Containers::Of { pod, id })
}

/// What a task on another thread came to.
type Looked<T> = Result<T, tokio::task::JoinError>;

/// Waits for a task that is under way, for ever when none is.
async fn finished<T>(task: &mut Option<JoinHandle<T>>) -> Looked<T> {
    let Some(running) = task else {
        return std::future::pending().await;
    };
    let outcome = running.await;
    *task = None;
    outcome
}

fn introduce(session: &Session, audience: &mut impl Audience) {
    for (event, text) in session.introduction() {
        audience.remark(event, &text);
    }
}

/// Each sandbox takes nine descriptors: three control files and six links.
fn make_room() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

fn plural(sandboxes: usize) -> String {
    match sandboxes {
        1 => "1 sandbox".to_owned(),
        n => format!("{n} sandboxes"),
    }
}
