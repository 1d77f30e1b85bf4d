//! `picket baseline`: what is learned of plugins from recorded runs, how far that has come, and how it travels.

mod accept;
mod calibrate;
mod evidence;
mod exchange;
mod learn;
mod list;
mod recorded;
mod rule;
mod score;
mod show;
mod standing;
mod status;
mod suggest;

use std::{fmt::Display, path::PathBuf, time::UNIX_EPOCH};

use clap::{Args, Subcommand};

use super::{Output, exit, reach, words};
use crate::baseline::{Identity, Store, StoreError};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Learns recorded runs of a plugin. A run that is known already changes nothing.
    Learn(learn::Arguments),
    /// Lists what was learned, and of what.
    List(list::Arguments),
    /// Shows what a baseline holds.
    Show(show::Arguments),
    /// Says how far learning has come: each condition, its value and what is missing.
    Status(status::Arguments),
    /// Scores recorded runs by what was learned: how surprising each is, and why. Changes nothing.
    Score(score::Arguments),
    /// Lets recorded runs certify how often a baseline is surprised while nobody attacks.
    Calibrate(calibrate::Arguments),
    /// Takes deeds for harmless that were not learned.
    Accept(accept::Arguments),
    /// Says what a containment by learned evidence was: nothing, or deserved.
    Rule(rule::Arguments),
    /// Compares the manifest with what was learned: declared and never used, used and not declared.
    Diff(suggest::diff::Arguments),
    /// Writes rules that let pass what was learned, for a container runtime or a cluster to enforce.
    Suggest(suggest::Arguments),
    /// Writes baselines to a file that another store can import.
    Export(exchange::Export),
    /// Joins baselines from files with those of the store.
    Import(exchange::Import),
    /// Joins several exported files to one, in any order, without a store.
    Merge(exchange::Merge),
}

/// Which store, and how it is spoken of.
#[derive(Debug, Args)]
struct Which {
    /// The store of baselines.
    #[arg(long, value_name = "FILE", default_value = "/var/lib/picket/baselines.db")]
    store: PathBuf,
    /// How the answer is written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

/// Why a command came to nothing.
enum Refusal {
    /// What was given is wrong.
    Configuration(String),
    Other(String),
    /// Nobody reads on.
    Closed,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NoSuch { .. } | StoreError::Ambiguous { .. } => {
                Self::Configuration(error.to_string())
            }
            _ => Self::Other(error.to_string()),
        }
    }
}

impl Refusal {
    fn configuration(error: impl Display) -> Self {
        Self::Configuration(error.to_string())
    }
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let done = match &arguments.command {
        Command::Learn(arguments) => learn::run(arguments),
        Command::List(arguments) => list::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Status(arguments) => status::run(arguments),
        Command::Score(arguments) => score::run(arguments),
        Command::Calibrate(arguments) => calibrate::run(arguments),
        Command::Accept(arguments) => accept::run(arguments),
        Command::Rule(arguments) => rule::run(arguments),
        Command::Diff(arguments) => suggest::diff::run(arguments),
        Command::Suggest(arguments) => suggest::run(arguments),
        Command::Export(arguments) => exchange::export(arguments),
        Command::Import(arguments) => exchange::import(arguments),
        Command::Merge(arguments) => exchange::merge(arguments),
    };
    let (message, code) = match done {
        Ok(code) => return code,
        Err(Refusal::Closed) => return exit::SUCCESS,
        Err(Refusal::Configuration(message)) => (message, exit::CONFIGURATION),
        Err(Refusal::Other(message)) => (message, exit::FAILURE),
    };
    // File names and words of others may be in it.
    let lines: Vec<String> = message.lines().map(|line| words::text(line.as_bytes())).collect();
    words::error(&lines.join("\n"));
    code
}

impl Which {
    /// Opens a store that is there.
    fn open(&self) -> Result<Store, Refusal> {
        Ok(Store::open(&self.store)?)
    }

    /// Opens a store, and makes it if it is not there.
    fn make(&self) -> Result<Store, Refusal> {
        Ok(Store::make(&self.store)?)
    }

    fn say(&self, object: &serde_json::Value, line: &str) -> Result<(), Refusal> {
        let line = match self.output {
            Output::Json => &object.to_string(),
            Output::Human => line,
        };
        print(line)
    }

    fn is_human(&self) -> bool {
        self.output == Output::Human
    }
}

fn print(line: &str) -> Result<(), Refusal> {
    reach::line(line).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Refusal::Closed,
        _ => Refusal::Other(format!("standard output: {error}")),
    })
}

/// Whose a baseline is, as objects say it.
fn whose(identity: &Identity) -> serde_json::Value {
    serde_json::json!({
        "key": identity.key(), "plugin": identity.plugin, "artifact": identity.artifact.to_string(),
        "manifest": identity.manifest.to_string(), "deployment": identity.deployment.as_str(),
    })
}

/// Whose a baseline is, in a line.
fn title(identity: &Identity) -> String {
    format!("{} in {} [{}]", identity.plugin, identity.deployment, identity.short())
}

fn time(seconds: u64) -> String {
    // What the calendar of the formatter ends with.
    const LAST: u64 = 253_402_300_799;
    let since = std::time::Duration::from_secs(seconds.min(LAST));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

/// One object with the members of both.
fn with(mut one: serde_json::Value, other: serde_json::Value) -> serde_json::Value {
    if let (Some(members), serde_json::Value::Object(more)) = (one.as_object_mut(), other) {
        members.extend(more);
    }
    one
}

/// Lines of cells, each column as wide as its widest cell.
fn table(rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    rows.iter()
        .map(|row| {
            let cells = row.iter().enumerate();
            let cells = cells.map(|(at, cell)| format!("{cell:<width$}", width = width(at)));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}
