//! `picket exec`: one plugin in a sandbox of its own, watched and contained.

mod launch;
mod record;

use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use picket_engine::{Action, Outcome, Policy, SandboxId, Step};
use record::Recording;
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{
    Output, exit,
    follow::{Event, Stage},
    narrate::Narrator,
    signals::Signals,
    words,
};
use crate::{
    export::{self, otlp},
    manifest::{Manifest, ResolveError},
    session::PluginError,
    supervisor::{ExecError, Exit, Notice, StartError},
    watch::Report,
};

/// Names are looked up again this often: the system's resolver does not tell how long an answer holds.
const REFRESH: Duration = Duration::from_secs(30);

/// A plugin that was told to end has this long.
const GRACE: Duration = Duration::from_secs(10);

/// A launcher that says nothing for this long after its plugin was killed is not there any more.
const AFTERMATH: Duration = Duration::from_secs(5);

/// Sandboxes at once: the plugin's and, before it, the self-test's.
const SANDBOXES: u32 = 2;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What the plugin declares.
    #[arg(short, long, value_name = "FILE", required_unless_present = "record")]
    manifest: Option<PathBuf>,
    /// Records everything Picket learns into a trace, for `replay`, `simulate` and `manifest suggest`. It holds paths,
    /// arguments and addresses of the plugin. Without a manifest the plugin is only observed.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Passes an environment variable on, or sets it. Without this a plugin gets PATH, HOME, USER, LOGNAME, LANG,
    /// LC_ALL, TERM and TZ.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<OsString>,
    /// Serves Prometheus metrics on this address, for example 127.0.0.1:9464.
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// How reports are written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
    /// Writes reports to a file instead of standard error.
    #[arg(long, value_name = "FILE")]
    report_to: Option<PathBuf>,
    /// The plugin and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(super) fn run(arguments: Arguments) -> exit::Exit {
    let manifest = match record::manifest(&arguments) {
        Ok(manifest) => manifest,
        Err(error) => {
            words::error(&format!("{error}\nNothing was started."));
            return exit::CONFIGURATION;
        }
    };
    let otlp = match otlp::Settings::from_environment(None) {
        Ok(settings) => settings,
        Err(error) => {
            words::error(&format!("{error}\nNothing was started."));
            return exit::CONFIGURATION;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("starting the runtime: {error}")),
    };
    let code = runtime.block_on(execute(&Arc::new(manifest), arguments, otlp));
    // Nobody waits for a resolver that does not answer.
    runtime.shutdown_background();
    code
}

async fn execute(
    manifest: &Arc<Manifest>,
    arguments: Arguments,
    otlp: Option<otlp::Settings>,
) -> exit::Exit {
    let launch = match launch::launch(&arguments) {
        Ok(launch) => launch,
        Err((code, error)) => {
            words::error(&format!("{error}\nNothing was started."));
            return code;
        }
    };
    let narrator = match Narrator::new(arguments.output, arguments.report_to.as_deref()) {
        // Where nothing is declared, everything departs from it.
        Ok(narrator) => narrator.with_findings(arguments.manifest.is_some()),
        Err(error) => {
            let file = arguments.report_to.as_deref().unwrap_or(Path::new("standard error"));
            return failed(&format!("{}: {error}\nNothing was started.", file.display()));
        }
    };
    // Before anything exists that a signal would leave behind.
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("listening for signals: {error}")),
    };
    let program = match super::own_program() {
        Ok(program) => program,
        Err(error) => return failed(&format!("finding the picket binary: {error}")),
    };
    let mut stage = match Stage::open(program, SANDBOXES, manifest.has_wall(), narrator) {
        Ok(stage) => stage,
        Err(error) => return failed(&format!("{error}\nNothing was started.")),
    };
    if let Some(files) = manifest.strict_files() {
        stage.narrator.remark("confinement", &format!("confinement strict: {files}"));
    }
    if let Some(address) = arguments.metrics {
        match export::serve(address, Arc::clone(stage.session.metrics())).await {
            Ok(bound) => {
                stage.narrator.remark("metrics", &format!("metrics on http://{bound}/metrics"))
            }
            Err(error) => return failed(&format!("{error}\nNothing was started.")),
        }
    }
    let exporter = match otlp.map(|settings| stage.export(settings)) {
        Some(Ok(exporter)) => Some(exporter),
        Some(Err(error)) => return failed(&format!("{error}\nNothing was started.")),
        None => None,
    };
    // Before the plugin is registered, or its beginning would be missing.
    let recording =
        match arguments.record.as_deref().map(|path| Recording::start(path, manifest, &stage)) {
            Some(Ok(recording)) => Some(recording),
            Some(Err(error)) => return failed(&format!("{error}\nNothing was started.")),
            None => None,
        };
    let id = match stage.start(manifest, launch) {
        Ok(id) => id,
        Err(error) => {
            // The recording ends with the watch loop.
            drop(stage);
            recording.into_iter().for_each(Recording::discard);
            return refused(&error);
        }
    };
    let ending = follow(&mut stage, manifest, id, &mut signals).await;
    let code = conclude(stage, id, ending, recording).await;
    // Last, because it may wait for a collector.
    drop(exporter);
    code
}

/// How a plugin's run came to its end.
enum Ending {
    Exited(Exit),
    LauncherLost,
    Blind,
}

async fn follow(
    stage: &mut Stage,
    manifest: &Arc<Manifest>,
    id: SandboxId,
    signals: &mut Signals,
) -> Ending {
    let mut refresh = interval_at(Instant::now() + REFRESH, REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looked_up: Option<JoinHandle<Result<Policy, ResolveError>>> = None;
    let mut grace: Option<Instant> = None;
    let mut killed: Option<Instant> = None;
    loop {
        tokio::select! {
            event = stage.next() => match event {
                Event::Notice(_, Notice::Exited(exit)) => return Ending::Exited(exit),
                Event::Notice(_, Notice::LauncherLost) => return Ending::LauncherLost,
                // Judged by the engine, and told as its finding.
                Event::Notice(_, Notice::Unattended) => {}
                Event::Blind => return Ending::Blind,
                Event::Report(Report::Receipt { contain, outcome: Outcome::Done, .. })
                    if contain.step == Step::Freeze && is_held(stage, id, contain.because.action) =>
                {
                    stage.narrator.note(id, "held", "is held frozen, its memory kept; Ctrl-C kills it");
                }
                Event::Report(_) => {}
            },
            number = signals.next() => {
                if grace.is_some() || is_contained(stage, id) || !pass_on(stage, id, number) {
                    kill(stage, id);
                    killed.get_or_insert_with(|| Instant::now() + AFTERMATH);
                }
                grace = Some(Instant::now() + GRACE);
            }
            () = until(grace) => {
                stage.narrator.note(id, "grace_over", "did not end by itself, it is killed");
                kill(stage, id);
                killed.get_or_insert_with(|| Instant::now() + AFTERMATH);
                grace = None;
            }
            () = until(killed) => return Ending::LauncherLost,
            _ = refresh.tick(), if manifest.has_names() && looked_up.is_none() => {
                let plugin = stage.plugins.get(&id).map(|followed| &followed.plugin);
                looked_up = plugin.map(|plugin| spawn_blocking(plugin.refresh(manifest)));
            }
            found = finished(&mut looked_up) => {
                looked_up = None;
                renew(stage, id, found);
            }
        }
    }
}

/// Waits for a look-up that is under way, for ever when none is.
async fn finished(
    looked_up: &mut Option<JoinHandle<Result<Policy, ResolveError>>>,
) -> Result<Policy, String> {
    match looked_up {
        None => std::future::pending().await,
        Some(task) => match task.await {
            Ok(found) => found.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
    }
}

/// Puts new addresses in force; what fails leaves the former ones there.
fn renew(stage: &mut Stage, id: SandboxId, found: Result<Policy, String>) {
    let Some(followed) = stage.plugins.get_mut(&id) else {
        return;
    };
    let renewed = found.and_then(|policy| {
        let renewed = stage.session.renew(&mut followed.plugin, policy);
        renewed.map_err(|error| error.to_string())
    });
    if let Err(error) = renewed {
        stage.narrator.note(id, "refresh_failed", &format!("keeps its addresses: {error}"));
    }
}

async fn conclude(
    mut stage: Stage,
    id: SandboxId,
    ending: Ending,
    recording: Option<Recording>,
) -> exit::Exit {
    let ended = stage.end(id).await;
    // With the session ends the watch loop, and with that the recording.
    let Stage { session, mut narrator, .. } = stage;
    drop(session);
    let recorded = recording.is_none_or(|recording| recording.finish(&mut narrator));
    let fate = match ended {
        Ok(fate) => fate,
        Err(error) => {
            words::error(&format!("ending the sandbox: {error}"));
            return exit::PICKET;
        }
    };
    let code = match ending {
        Ending::Blind => {
            words::error("the watch loop is gone, so the plugin was ended");
            exit::PICKET
        }
        Ending::LauncherLost => {
            words::error("the launcher was killed, so the plugin was ended");
            exit::PICKET
        }
        _ if fate.contained => exit::CONTAINED,
        _ if !recorded => exit::NOT_RECORDED,
        Ending::Exited(Exit::Code(code)) => exit::Exit::of_plugin(code),
        Ending::Exited(Exit::Signal(signal)) => exit::Exit::of_signal(signal),
    };
    let findings = match fate.findings {
        _ if !narrator.tells_findings() => "nothing was declared".to_owned(),
        0 => "no departure from its manifest".to_owned(),
        1 => "1 finding".to_owned(),
        n => format!("{n} findings"),
    };
    let contained = if fate.contained { ", contained" } else { "" };
    narrator.note(id, "ended", &format!("ended: {findings}{contained}; exit code {}", code.code()));
    code
}

/// A frozen plugin stays so until somebody ends it.
fn is_held(stage: &Stage, id: SandboxId, action: Action) -> bool {
    action != Action::Kill
        && stage.plugins.get(&id).is_some_and(|followed| followed.plugin.is_held_when_frozen())
}

fn is_contained(stage: &Stage, id: SandboxId) -> bool {
    stage.plugins.get(&id).is_some_and(|followed| followed.fate.contained)
}

/// Hands the signal to the entry point; false when that cannot be done.
fn pass_on(stage: &Stage, id: SandboxId, number: rustix::process::Signal) -> bool {
    stage
        .plugins
        .get(&id)
        .and_then(|followed| rustix::process::Pid::from_raw(followed.plugin.pid().cast_signed()))
        .is_some_and(|pid| rustix::process::kill_process(pid, number).is_ok())
}

fn kill(stage: &Stage, id: SandboxId) {
    if let Some(followed) = stage.plugins.get(&id)
        && let Err(error) = followed.plugin.kill()
    {
        words::error(&error.to_string());
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Why a plugin did not start, as an exit code.
fn refused(error: &PluginError) -> exit::Exit {
    words::error(&format!("{error}\nNothing was started."));
    match error {
        PluginError::Resolve(ResolveError::Entry { cause: source, .. })
        | PluginError::Start(StartError::Exec(ExecError::Refused { source, .. })) => {
            match source.kind() {
                io::ErrorKind::NotFound => exit::NOT_FOUND,
                _ => exit::NOT_EXECUTABLE,
            }
        }
        PluginError::Resolve(_) => exit::CONFIGURATION,
        _ => exit::PICKET,
    }
}

fn failed(message: &str) -> exit::Exit {
    words::error(message);
    exit::PICKET
}
