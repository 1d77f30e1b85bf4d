//! `cargo xtask eval`: what the engine's detector is worth, measured in release mode.
//!
//! The work is done by `picket-eval`, which knows the engine; this crate has no dependencies.

use std::process::{Command, ExitCode};

use crate::shell::{self, About, Outcome};
use crate::{artifacts, places};

/// Passes everything on. Unless told otherwise, all figures also go into a file below the target directory.
pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    let program = shell::step("building in release mode", || {
        let mut command = places::cargo();
        command.args(["build", "--release", "--package", "picket-eval"]);
        artifacts::program(&mut command, "picket-eval")
    })?;
    let mut command = Command::new(program);
    command.args(arguments);
    if !arguments.iter().any(|argument| argument == "--json") {
        command.arg("--json").arg(places::scratch("eval")?.join("simulation.json"));
    }
    let status = command.status().about("picket-eval")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
