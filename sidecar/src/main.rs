//! The `picket` binary: hidden roles first, before anything is set up; then the command line.

use std::{env, process::ExitCode};

use picket::{cli, probe::canary, supervisor};

fn main() -> ExitCode {
    // The launcher must be one thread with nothing opened; the canary must do nothing but its acts.
    match env::args_os().nth(1).as_deref().and_then(|word| word.to_str()) {
        Some(supervisor::LAUNCHER_ARGUMENT) => return supervisor::launcher::main(),
        Some(canary::WORD) => {
            return if canary::act().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Some(canary::CHILD_WORD) => return ExitCode::from(canary::child()),
        _ => {}
    }
    cli::main()
}
