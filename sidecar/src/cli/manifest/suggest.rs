//! `picket manifest suggest`.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use picket_engine::{Deed, Finding, Input};

use super::{exit, traces, words};
use crate::manifest::{self, Identity, Proof, ProofError};

/// How the text of a suggestion begins.
const BEGINNING: &str = "# Suggested by Picket";
/// How many departures are told one by one.
const TOLD: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A trace of the plugin (`picket exec --record`). Given more than once, the manifest covers all of them.
    #[arg(long, value_name = "TRACE", required = true)]
    from: Vec<PathBuf>,
    /// The plugin's name; without it, that of its entry point.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The plugin's version.
    #[arg(long, value_name = "VERSION", default_value = "0.0.0")]
    version: String,
    /// Writes the manifest here instead of standard output. A file that is no earlier suggestion is not overwritten.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let runs = match traces::read(&arguments.from) {
        Ok(runs) => runs,
        Err(exit) => return exit,
    };
    let runs: Vec<&[Input]> = runs.iter().map(Vec::as_slice).collect();
    let identity = Identity { name: arguments.name.as_deref(), version: &arguments.version };
    let suggestion = manifest::suggest(&runs, identity);
    let proof = match suggestion.prove(&runs) {
        Ok(proof) => proof,
        Err(error) => {
            words::error(&error.to_string());
            return match error {
                ProofError::Document(_) => exit::CONFIGURATION,
                ProofError::Resolve(_) => exit::FAILURE,
            };
        }
    };
    let written = match &arguments.output {
        Some(path) => write(path, suggestion.text()),
        None => io::stdout().write_all(suggestion.text().as_bytes()),
    };
    if let Err(error) = written {
        let place = arguments.output.as_deref().unwrap_or(Path::new("standard output"));
        words::error(&format!("{}: {error}", place.display()));
        return exit::FAILURE;
    }
    if 0 < suggestion.lost() {
        words::error(&format!("{} facts were lost: record it again", suggestion.lost()));
    }
    report(&proof);
    if proof.uncovered.is_empty() { exit::SUCCESS } else { exit::FAILURE }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    match fs::read(path) {
        Ok(there) if !there.starts_with(BEGINNING.as_bytes()) => Err(io::Error::other(
            "is there already and no suggestion, so it is not overwritten: name another file",
        )),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::write(path, text),
    }
}

fn report(proof: &Proof) {
    let out = proof.left.len().saturating_add(proof.uncovered.len());
    let covered = proof.facts.saturating_sub(u64::try_from(out).unwrap_or(u64::MAX));
    words::error(&format!("covers {covered} of {} facts", proof.facts));
    tell(&proof.left, "left to a person");
    tell(&proof.uncovered, "NOT COVERED");
    if !proof.uncovered.is_empty() {
        words::error("what is not covered was seen on a machine that differs from this one");
    }
}

fn tell(findings: &[Finding], what: &str) {
    for finding in findings.iter().take(TOLD) {
        let revealed = finding.evidence.clone();
        let Deed::Fact(fact) = &revealed.reveal().done else {
            continue;
        };
        let reason = finding.reason.as_str().replace('_', " ");
        words::error(&format!("{what}: {} ({reason})", words::fact(fact)));
    }
    if TOLD < findings.len() {
        words::error(&format!("{what}: {} more", findings.len().saturating_sub(TOLD)));
    }
}
