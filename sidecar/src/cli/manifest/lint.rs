//! `picket manifest lint`.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    super::{Output, problems},
    exit,
};
use crate::manifest;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The manifests.
    #[arg(required = true, value_name = "FILE")]
    manifests: Vec<PathBuf>,
    /// Also looks at this machine: files that are not there, names without an address.
    #[arg(long)]
    host: bool,
    /// How problems are written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

/// What a manifest is, the worst last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Good,
    Doubtful,
    Refused,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let mut worst = Verdict::Good;
    for path in &arguments.manifests {
        match lint(path, arguments) {
            Ok(verdict) => worst = worst.max(verdict),
            Err(_) => return exit::FAILURE,
        }
    }
    match worst {
        Verdict::Good => exit::SUCCESS,
        Verdict::Doubtful => exit::FINDINGS,
        Verdict::Refused => exit::CONFIGURATION,
    }
}

fn lint(path: &Path, arguments: &Arguments) -> io::Result<Verdict> {
    let manifest = match manifest::load(path) {
        Ok(manifest) => manifest,
        Err(error) => {
            problems::refused(&error, arguments.output)?;
            return Ok(Verdict::Refused);
        }
    };
    let now = SystemTime::now();
    let report = if arguments.host { manifest.lint_here(now) } else { manifest.lint(now) };
    if let Some(report) = report {
        problems::report(&report, arguments.output)?;
        return Ok(Verdict::Doubtful);
    }
    if arguments.output == Output::Human {
        writeln!(io::stdout(), "{}: good", path.display())?;
    }
    Ok(Verdict::Good)
}
