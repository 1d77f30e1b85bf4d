//! `picket run`: the daemon that watches sandboxes which others start.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use picket_engine::SandboxId;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::oneshot;

use super::{Output, exit, narrate::Narrator, signals::Signals, words};
use crate::{
    api,
    config::{self, Config},
    daemon::{self, Audience, Handle, Options},
    export::{self, Health, otlp},
    watch::Report,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What is watched, and by which manifests it is judged.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// How reports are written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
    /// Writes reports to a file instead of standard error.
    #[arg(long, value_name = "FILE")]
    report_to: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let config = match config::load(&arguments.config) {
        Ok(config) => config,
        Err(error) => {
            words::error(&format!("{error}\nNothing is watched."));
            return exit::CONFIGURATION;
        }
    };
    let otlp = match otlp::Settings::from_environment(config.otlp.as_ref()) {
        Ok(settings) => settings,
        Err(error) => {
            words::error(&format!("{error}\nNothing is watched."));
            return exit::CONFIGURATION;
        }
    };
    let narrator = match Narrator::new(arguments.output, arguments.report_to.as_deref()) {
        Ok(narrator) => narrator,
        Err(error) => return failed(&format!("the file for reports: {error}")),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("starting the runtime: {error}")),
    };
    let outcome = runtime.block_on(serve(config, otlp, narrator));
    // Nobody waits for a resolver that does not answer.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => exit::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn serve(
    config: Config,
    otlp: Option<otlp::Settings>,
    mut narrator: Narrator,
) -> Result<(), String> {
    // Before anything exists that a signal would leave behind.
    let signals = Signals::listen().map_err(|error| format!("listening for signals: {error}"))?;
    let program =
        super::own_program().map_err(|error| format!("finding the picket binary: {error}"))?;
    let health = Health::new();
    if let Some(address) = config.metrics {
        // Before the kernel side, so that whoever asks is told that it is not ready.
        let bound = export::serve_health(address, Arc::clone(&health)).await;
        let bound = bound.map_err(|error| error.to_string())?;
        narrator.remark("metrics", &format!("metrics on http://{bound}/metrics"));
    }
    raise_descriptors();
    let (handle, requests) = Handle::new();
    // Also before it, so that a second daemon finds the first. Who asks meanwhile waits for the answer.
    let socket = api::Socket { path: config.api.socket.clone(), group: config.api.group };
    let api = api::serve(socket, handle.clone()).await.map_err(|error| error.to_string())?;
    narrator.remark("api", &format!("asked on {}", api.path().display()));
    let (stopper, stopped) = oneshot::channel();
    tokio::spawn(obey(signals, handle, stopper));
    let options = Options { config, program, health, requests, otlp };
    let outcome = daemon::run(options, &mut narrator, async {
        // Nobody is left to stop it: that is a reason, too.
        drop(stopped.await);
    })
    .await;
    api.end().await;
    outcome.map_err(|error| error.to_string())
}

/// What counts is held open, about a dozen files a sandbox: as many as this process may have at all.
fn raise_descriptors() {
    let limits = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limits.maximum, ..limits };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::warn!(%error, "the limit of open files stays: less is counted of many sandboxes");
    }
}

/// SIGHUP reads the configuration again; every other signal ends the daemon.
async fn obey(mut signals: Signals, handle: Handle, stopper: oneshot::Sender<()>) {
    while signals.next().await == rustix::process::Signal::HUP {
        let handle = handle.clone();
        // The daemon says itself what came of it.
        tokio::spawn(async move { drop(handle.reload().await) });
    }
    drop(stopper);
}

impl Audience for Narrator {
    fn report(&mut self, report: &Report) {
        Narrator::report(self, report);
    }

    fn name(&mut self, sandbox: SandboxId, name: &str) {
        Narrator::name(self, sandbox, name);
    }

    fn forget(&mut self, sandbox: SandboxId) {
        Narrator::forget(self, sandbox);
    }

    fn remark(&mut self, event: &str, text: &str) {
        Narrator::remark(self, event, text);
    }

    fn note(&mut self, sandbox: SandboxId, event: &str, text: &str) {
        Narrator::note(self, sandbox, event, text);
    }
}

fn failed(message: &str) -> exit::Exit {
    words::error(message);
    exit::FAILURE
}
