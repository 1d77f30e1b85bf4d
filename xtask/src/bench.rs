//! `cargo xtask bench`: one benchmark program, in release mode, against the release picket.

use std::process::{Command, ExitCode};

use crate::shell::{self, Failure, Outcome};
use crate::{apt, artifacts, places};

/// A part of the kernel's benchmark with a name of its own, because it wants other programs beside ours.
const PEERS: &str = "peers";

/// Runs `bench-NAME` of the tests crate; it prints its own figures.
pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    let (name, rest) = match arguments {
        [] => ("containment", [].as_slice()),
        [name, rest @ ..] => (name.as_str(), rest),
    };
    if name.starts_with('-') {
        return Err(Failure::new("bench wants a name first: cargo xtask bench [NAME [ARGS...]]"));
    }
    let mut rest = rest.to_vec();
    let name = if name == PEERS {
        apt::ensure(&["bpftrace", "strace"])?;
        rest.insert(0, PEERS.to_owned());
        "kernel"
    } else {
        name
    };
    let bench = format!("bench-{name}");
    let release = |package: &str, program: &str| {
        let mut command = places::cargo();
        command.args(["build", "--release", "--package", package, "--bin", program]);
        artifacts::program(&mut command, program)
    };
    let (picket, program) = shell::step("building in release mode", || {
        Ok((release("picket", "picket")?, release("picket-tests", &bench)?))
    })?;
    shell::run(Command::new(program).args(&rest).env("PICKET_BIN", picket))?;
    Ok(ExitCode::SUCCESS)
}
