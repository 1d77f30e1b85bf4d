//! The command line: what each subcommand does is in the file of its name.

mod alerts;
mod baseline;
mod completions;
mod config;
mod demo;
mod doctor;
mod events;
mod exec;
mod exit;
mod explain;
mod follow;
mod man;
mod manifest;
mod mode;
mod narrate;
mod problems;
mod reach;
mod reload;
mod replay;
mod run;
mod signals;
mod simulate;
mod status;
mod tell;

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use tracing_log::LogTracer;
use tracing_subscriber::EnvFilter;

use crate::{supervisor, words};

/// A sentry outside the sandbox: watches untrusted code from the kernel, compares it with what it declared, and
/// stops it.
#[derive(Debug, Parser)]
#[command(name = "picket", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a plugin in a sandbox of its own and contains it when it departs from its manifest.
    Exec(exec::Arguments),
    /// Watches sandboxes that others start, as a configuration says, until it is told to stop.
    Run(run::Arguments),
    /// Shows an honest and three rogue plugins on real processes.
    Demo(demo::Arguments),
    /// Looks at the daemon's configuration without starting anything.
    Config(config::Arguments),
    /// Looks at a manifest without starting anything.
    Manifest(manifest::Arguments),
    /// Shows what a running daemon sees and decides, while it happens.
    Events(events::Arguments),
    /// Shows what a running daemon watches.
    Status(status::Arguments),
    /// Sets how far a running daemon may go with one sandbox.
    Mode(mode::Arguments),
    /// Has a running daemon read its configuration again.
    Reload(reload::Arguments),
    /// Shows what was not told yet of incidents, has it tried again, and tests who is told.
    Alerts(alerts::Arguments),
    /// Decides again what was recorded with `exec --record`, and compares.
    Replay(replay::Arguments),
    /// Says of each finding and each containment of a recorded run why it came to it, and what would allow it.
    Explain(explain::Arguments),
    /// Says what another manifest would have found and done in a recorded run.
    Simulate(simulate::Arguments),
    /// Learns what plugins do from recorded runs, and shows, accepts, exports and joins what was learned.
    Baseline(baseline::Arguments),
    /// Says whether this node can run Picket, and what can be observed and enforced on it.
    Doctor(doctor::Arguments),
    /// Prints completions for a shell.
    Completions(completions::Arguments),
    /// Prints the manual page, or writes the page of every subcommand.
    Man(man::Arguments),
}

/// How reports are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Sentences for a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// Runs the command line. See `exit` for the codes.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors and go to standard output.
            let code = if error.use_stderr() { exit::CONFIGURATION } else { exit::SUCCESS };
            drop(error.print());
            return code.into();
        }
    };
    if let Err(error) = supervisor::hide_memory() {
        words::error(&format!("cannot hide this process's memory from plugins: {error}"));
        return exit::FAILURE.into();
    }
    start_log();
    // Before the first connection: with more than one provider in the program, or none, TLS would panic.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a provider of cryptography was there already");
    }
    match arguments.command {
        Command::Exec(arguments) => exec::run(arguments).into(),
        Command::Run(arguments) => run::run(&arguments).into(),
        Command::Demo(arguments) => demo::run(&arguments).into(),
        Command::Config(arguments) => config::run(&arguments).into(),
        Command::Manifest(arguments) => manifest::run(&arguments).into(),
        Command::Events(arguments) => events::run(arguments).into(),
        Command::Status(arguments) => status::run(arguments).into(),
        Command::Mode(arguments) => mode::run(arguments).into(),
        Command::Reload(arguments) => reload::run(arguments).into(),
        Command::Alerts(arguments) => alerts::run(&arguments).into(),
        Command::Replay(arguments) => replay::run(&arguments).into(),
        Command::Explain(arguments) => explain::run(&arguments).into(),
        Command::Simulate(arguments) => simulate::run(&arguments).into(),
        Command::Baseline(arguments) => baseline::run(&arguments).into(),
        Command::Doctor(arguments) => doctor::run(&arguments).into(),
        Command::Completions(arguments) => completions::run(&arguments).into(),
        Command::Man(arguments) => man::run(&arguments).into(),
    }
}

/// Picket's own log, to standard error; `PICKET_LOG` sets the filter.
fn start_log() {
    // The kernel programs' log comes by way of the crate `log`; what is not wanted here is not even compiled there.
    let bridge = LogTracer::builder().with_max_level(log::LevelFilter::Warn).init();
    let filter = EnvFilter::try_from_env("PICKET_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let ready = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(narrate::is_coloured(&io::stderr()))
        .with_writer(io::stderr)
        .without_time()
        .try_init();
    if let Err(error) =
        ready.map_err(|error| error.to_string()).and(bridge.map_err(|error| error.to_string()))
    {
        words::error(&format!("no log: {error}"));
    }
}

/// The running `picket` binary, for its hidden roles.
fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}
