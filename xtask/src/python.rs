//! A Python of our own for programs that tests talk to: packages of the index, at versions that are written here.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{self, Outcome};
use crate::{apt, places};

/// What the receiver in `tests/cli/otlp` is made of. OTLP's messages, of another language than the exporter's.
const OTLP: [&str; 3] = ["opentelemetry-proto==1.45.2", "grpcio==1.85.1", "protobuf==7.36.2"];

/// The interpreter that finds OTLP's messages, made if absent.
pub(crate) fn with_otlp() -> Outcome<PathBuf> {
    apt::ensure(&["python3-venv"])?;
    // Other versions, another place: what is there is then what is asked for.
    let name = OTLP.map(|package| package.rsplit('=').next().unwrap_or_default()).join("-");
    let place = places::cache("python")?.join(format!("otlp-{name}"));
    let python = place.join("bin/python");
    let works = || {
        let imports = "import grpc, opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc";
        shell::capture(Command::new(&python).args(["-c", imports]))
    };
    // Also where the system's Python has become another one since.
    if works().is_err() {
        shell::step("making a Python with OTLP's messages", || {
            shell::capture(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
            let pip = ["-m", "pip", "install", "--quiet", "--only-binary=:all:"];
            shell::capture(Command::new(&python).args(pip).args(OTLP))?;
            works()
        })?;
    }
    Ok(python)
}
