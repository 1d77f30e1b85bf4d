//! `picket manifest`: everything about a manifest that starts nothing.

mod explain;
mod lint;
mod schema;

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
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    match &arguments.command {
        Command::Explain(arguments) => explain::run(arguments),
        Command::Lint(arguments) => lint::run(arguments),
        Command::Schema => schema::run(),
    }
}

/// The manifest at `path`; complaints about it have been printed when there is none.
fn load(path: &Path) -> Result<Manifest, exit::Exit> {
    manifest::load(path).map_err(|error| {
        words::error(&error.to_string());
        exit::CONFIGURATION
    })
}
