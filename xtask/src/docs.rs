//! `cargo xtask docs`: every file that is made of another one.
//!
//! The work is done by `picket-generate`, which reads YAML and so has dependencies; this crate has none.

use std::process::ExitCode;

use crate::places;
use crate::shell::{About, Failure, Outcome};

pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    if let Some(unknown) = arguments.iter().find(|argument| *argument != "--check") {
        return Err(Failure::new(format!("docs takes --check and no argument `{unknown}`")));
    }
    let mut command = places::cargo();
    command.args(["run", "--quiet", "--package", "picket-generate", "--"]).args(arguments);
    let status = command.status().about("cargo run")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
