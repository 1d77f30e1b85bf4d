//! `picket manifest`: looks at a manifest without starting anything.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand};

use super::{exit, words};
use crate::manifest;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says in sentences what a manifest allows, groups written out.
    Explain {
        /// The manifest.
        manifest: PathBuf,
    },
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let Command::Explain { manifest } = &arguments.command;
    let manifest = match manifest::load(manifest) {
        Ok(manifest) => manifest,
        Err(error) => {
            words::error(&error.to_string());
            return exit::CONFIGURATION;
        }
    };
    let mut text = String::new();
    let explained = manifest.explain(&mut text).is_ok();
    // A manifest may hold characters that its own text does not show.
    let lines: Vec<String> = text.lines().map(|line| words::text(line.as_bytes())).collect();
    let printed = writeln!(std::io::stdout(), "{}", lines.join("\n"));
    if !explained || printed.is_err() {
        return exit::FAILURE;
    }
    exit::SUCCESS
}
