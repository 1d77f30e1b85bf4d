//! `cargo xtask eval`: how well Picket detects, measured by what runs in production.
//!
//! The work is done by `picket-eval`, which has dependencies; this crate has none.

use std::process::ExitCode;

use crate::places;
use crate::shell::{About, Outcome};

/// Hands everything on. The program runs where the developer stands, so that relative paths mean what they say.
pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    let here = std::env::current_dir().about("the current directory")?;
    let manifest = places::repository().join("Cargo.toml");
    let mut command = places::cargo();
    command.current_dir(here).args(["run", "--quiet", "--release", "--package", "picket-eval"]);
    command.arg("--manifest-path").arg(manifest).arg("--").args(arguments);
    let status = command.status().about("cargo run")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
