//! Follows the plugins of a session: what the watch loop reports and what the launchers say, in one stream.
#![expect(
    unsafe_code,
    reason = "registering a descriptor with the runtime is unsafe since tokio 1.54"
)]

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::PathBuf,
    sync::Arc,
};

use picket_engine::{Outcome, SandboxId, Step};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::mpsc,
};

use super::narrate::Narrator;
use crate::{
    export::{
        Origin, SeriesBudget,
        otlp::{Exporter, Settings, StartError},
    },
    manifest::Manifest,
    session::{Launch, Options, Plugin, PluginError, Session, SessionError},
    supervisor::Notice,
    watch::Report,
};

/// Launchers that may have something to say before anyone listens.
const WAKES: usize = 64;

/// What happened next.
#[derive(Debug)]
pub(super) enum Event {
    /// The watch loop has something to say.
    Report(Report),
    /// A launcher has.
    Notice(SandboxId, Notice),
    /// The watch loop is gone.
    Blind,
}

/// A plugin and what became of it so far.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) plugin: Plugin,
    pub(super) fate: Fate,
}

/// What Picket did to a plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// Departures from its manifest.
    pub(super) findings: u64,
    /// A step was decided and not only simulated.
    pub(super) contained: bool,
    /// The kernel confirmed the freeze; microseconds from the offence.
    pub(super) frozen_after: Option<u64>,
    /// The kernel confirmed the kill.
    pub(super) killed: bool,
}

/// A session with its plugins and its audience.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) session: Session,
    pub(super) narrator: Narrator,
    pub(super) plugins: BTreeMap<SandboxId, Followed>,
    reports: mpsc::Receiver<Report>,
    /// What launchers said and nobody has heard yet.
    noticed: VecDeque<(SandboxId, Notice)>,
    wakes: mpsc::Receiver<SandboxId>,
    waker: mpsc::Sender<SandboxId>,
}

impl Stage {
    /// Opens a session. Must run inside a Tokio runtime.
    pub(super) fn open(
        program: PathBuf,
        max_sandboxes: u32,
        refusals: bool,
        narrator: Narrator,
    ) -> Result<Self, SessionError> {
        let (node, series) = (Origin::default_node(), SeriesBudget::DEFAULT);
        let options = Options { max_sandboxes, refusals, program, node, series };
        let (session, reports) = Session::open(options)?;
        let (waker, wakes) = mpsc::channel(WAKES);
        let mut stage = Self {
            session,
            narrator,
            plugins: BTreeMap::new(),
            reports,
            noticed: VecDeque::new(),
            wakes,
            waker,
        };
        stage.introduce();
        stage.relay_kernel_log()?;
        Ok(stage)
    }

    /// Exports by OTLP what happens from now on.
    pub(super) fn export(&mut self, settings: Settings) -> Result<Exporter, StartError> {
        let metrics = Arc::clone(self.session.metrics());
        Exporter::start(settings, self.session.outlets(), &metrics)
    }

    /// What the kernel programs say about paths that should not be taken goes to Picket's own log.
    fn relay_kernel_log(&mut self) -> Result<(), SessionError> {
        let failed =
            |source| SessionError::System { step: "listening to the kernel programs' log", source };
        let mut log =
            self.session.probe().logger().map_err(|error| failed(io::Error::other(error)))?;
        let ready = log.as_fd().try_clone_to_owned().and_then(watch_descriptor).map_err(failed)?;
        tokio::spawn(async move {
            while let Ok(mut ready) = ready.readable().await {
                log.flush();
                ready.clear_ready();
            }
        });
        Ok(())
    }

    fn introduce(&mut self) {
        for (event, text) in self.session.introduction() {
            self.narrator.remark(event, &text);
        }
    }

    /// Starts a plugin and follows it.
    pub(super) fn start(
        &mut self,
        manifest: &Manifest,
        launch: Launch,
    ) -> Result<SandboxId, PluginError> {
        let plugin = self.session.start(manifest, launch)?;
        let id = plugin.id();
        let notices = plugin
            .notices()
            .and_then(watch_descriptor)
            .map_err(|source| SessionError::System { step: "listening to the launcher", source })?;
        tokio::spawn(listen(notices, id, self.waker.clone()));
        self.narrator.name(id, plugin.name());
        self.plugins.insert(id, Followed { plugin, fate: Fate::default() });
        // A plugin that ended at once was reported while it was being started: its socket stays silent about that.
        if self.waker.try_send(id).is_err() {
            tracing::error!(sandbox = %id, "too many launchers have something to say at once");
        }
        Ok(id)
    }

    /// Waits for what happens next and tells it.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            if let Some((id, notice)) = self.noticed.pop_front() {
                return Event::Notice(id, notice);
            }
            tokio::select! {
                // Reports first: what a plugin did is told before its end.
                biased;
                report = self.reports.recv() => {
                    return match report {
                        Some(Report::Broken { .. }) | None => Event::Blind,
                        Some(report) => {
                            self.take(&report);
                            Event::Report(report)
                        }
                    };
                }
                Some(id) = self.wakes.recv() => {
                    if let Some(followed) = self.plugins.get_mut(&id) {
                        while let Some(notice) = self.session.next_notice(&mut followed.plugin) {
                            self.noticed.push_back((id, notice));
                        }
                    }
                }
            }
        }
    }

    /// Tells a report and books it with its plugin.
    fn take(&mut self, report: &Report) {
        self.session.outlets().tell(report);
        self.narrator.report(report);
        self.book(report);
    }

    fn book(&mut self, report: &Report) {
        if let Some(followed) = sandbox_of(report).and_then(|id| self.plugins.get_mut(&id)) {
            followed.fate.book(report);
        }
    }

    /// Ends a plugin, tells what was still under way, and answers its fate.
    ///
    /// # Errors
    /// Something of it could not be removed; the next Picket sweeps it.
    pub(super) async fn end(&mut self, id: SandboxId) -> Result<Fate, PluginError> {
        let Some(Followed { plugin, mut fate }) = self.plugins.remove(&id) else {
            return Ok(Fate::default());
        };
        let ended = self.session.end(plugin);
        while let Some(report) = self.reports.recv().await {
            self.session.outlets().tell(&report);
            if matches!(report, Report::Forgotten { sandbox } if sandbox == id) {
                break;
            }
            self.narrator.report(&report);
            if sandbox_of(&report) == Some(id) {
                fate.book(&report);
            } else {
                self.book(&report);
            }
        }
        ended.map(|()| fate)
    }
}

impl Fate {
    fn book(&mut self, report: &Report) {
        match report {
            Report::Finding(_) => self.findings += 1,
            Report::Deciding { dry_run: false, .. } => self.contained = true,
            Report::Receipt { contain, outcome: Outcome::Done, confirmed, .. } => {
                match contain.step {
                    Step::Freeze => {
                        self.frozen_after =
                            u64::try_from(contain.latency(*confirmed).as_micros()).ok();
                    }
                    Step::Kill => self.killed = true,
                }
            }
            _ => {}
        }
    }
}

fn sandbox_of(report: &Report) -> Option<SandboxId> {
    match report {
        Report::Running { sandbox }
        | Report::Found { sandbox }
        | Report::Begun { sandbox }
        | Report::Closed { sandbox, .. }
        | Report::Forgotten { sandbox } => Some(*sandbox),
        Report::Finding(finding) => Some(finding.sandbox),
        Report::Deciding { contain, .. } | Report::Receipt { contain, .. } => Some(contain.sandbox),
        Report::Tampered { breach, .. } | Report::Mended { breach } => breach.sandbox,
        Report::Broken { .. } => None,
    }
}

fn watch_descriptor(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor keeps its number until it is dropped, and `AsyncFd` drops it after deregistering.
    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }
        .map_err(|error| error.into_parts().1)
}

/// Passes on that a launcher has something to say, until its socket or the audience is gone.
async fn listen(
    notices: AsyncFd<OwnedFd>,
    id: SandboxId,
    waker: mpsc::Sender<SandboxId>,
) -> io::Result<()> {
    tracing::trace!(fd = notices.as_raw_fd(), "listening to a launcher");
    loop {
        let mut ready = notices.readable().await?;
        // A closed socket stays ready for ever.
        let closed = ready.ready().is_read_closed();
        // Cleared before the listener reads: what arrives meanwhile is a new edge.
        ready.clear_ready();
        if waker.send(id).await.is_err() || closed {
            return Ok(());
        }
    }
}
