//! `picket manifest explain`.

use std::{io::Write, path::PathBuf};

use super::{exit, words};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The manifest.
    manifest: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let manifest = match super::load(&arguments.manifest) {
        Ok(manifest) => manifest,
        Err(exit) => return exit,
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
