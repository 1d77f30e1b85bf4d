//! `cargo xtask demo`: from a fresh checkout to a rogue plugin frozen, in one command.

use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::artifacts;
use crate::shell::{self, About, Outcome};

/// Builds picket and shows it at work; the demo's own exit code says whether all of it happened.
pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    let start = Instant::now();
    let picket = shell::step("building picket", artifacts::picket)?;
    let status =
        Command::new(&picket).arg("demo").args(arguments).status().about(picket.display())?;
    println!("\ncargo xtask demo: {} in all, build included", shell::seconds(start.elapsed()));
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
