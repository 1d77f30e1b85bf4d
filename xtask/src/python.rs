//! Packages of Python's, for tests that need another implementation than ours: in the cache, never in the system.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{self, About, Outcome};
use crate::{apt, places};

/// What the receiver in `tests/cli/otlp` is made of: OTLP's messages, of another language than the exporter's.
pub(crate) const OTLP: [&str; 3] =
    ["opentelemetry-proto==1.45.2", "grpcio==1.85.1", "protobuf==7.36.2"];

/// What checks the signatures and bodies of webhooks in `tests/cli/alerts`.
pub(crate) const WEBHOOKS: [&str; 2] = ["standardwebhooks==1.1.0", "jsonschema==4.26.0"];

/// The Python of an environment of this name that has these packages; it is made on first use.
pub(crate) fn venv(name: &str, packages: &[&str]) -> Outcome<PathBuf> {
    apt::ensure(&["python3-venv"])?;
    let place = places::cache("python")?.join(name);
    let python = place.join("bin/python");
    // Written last, so that an environment that was interrupted is made again; so is one whose Python has gone.
    let record = place.join("packages");
    let wanted = packages.join("\n");
    let works = || shell::capture(Command::new(&python).args(["-c", "import pip"])).is_ok();
    if std::fs::read_to_string(&record).is_ok_and(|found| found == wanted) && works() {
        return Ok(python);
    }
    shell::step(&format!("installing {} for Python", packages.join(" ")), || {
        shell::capture(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        shell::capture(pip.arg("--only-binary=:all:").args(packages))?;
        std::fs::write(&record, &wanted).about(record.display())
    })?;
    Ok(python)
}
