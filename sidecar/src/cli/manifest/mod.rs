//! `picket manifest`: everything about a manifest that starts nothing.

mod diff;
mod explain;
mod lint;
mod schema;
mod suggest;
mod traces;

use std::path::Path;

use clap::{Args, Subcommand};

use super::{exit, words};
use crate::manifest::{self, Manifest};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says in sentences what a manifest allows, groups written out.
    Explain(explain::Arguments),
    /// Checks manifests, and points out what may not be meant.
    Lint(lint::Arguments),
    /// Prints the JSON Schema of manifests, for editors.
    Schema,
    /// Writes a manifest that covers what recorded runs of a plugin did.
    Suggest(suggest::Arguments),
    /// Compares a manifest with recorded runs: declared and never seen, seen and not declared.
    Diff(diff::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    match &arguments.command {
        Command::Explain(arguments) => explain::run(arguments),
        Command::Lint(arguments) => lint::run(arguments),
        Command::Schema => schema::run(),
        Command::Suggest(arguments) => suggest::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
    }
}

/// The manifest at `path`; complaints about it have been printed when there is none.
fn load(path: &Path) -> Result<Manifest, exit::Exit> {
    manifest::load(path).map_err(|error| {
        words::error(&error.to_string());
        exit::CONFIGURATION
    })
}
