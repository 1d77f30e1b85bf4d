//! System packages: checked first, installed through apt when root, asked for by name otherwise.

use std::process::Command;
use std::sync::OnceLock;

use crate::shell::{self, Failure, Outcome};

/// Makes sure that `packages` are installed.
pub(crate) fn ensure(packages: &[&str]) -> Outcome {
    let missing: Vec<&str> =
        packages.iter().copied().filter(|package| version(package).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !is_root()? {
        return Err(Failure::new(format!(
            "missing system packages; run this line, then try again:\n  \
             sudo apt-get update && sudo apt-get install -y --no-install-recommends {names}"
        )));
    }
    update_once()?;
    shell::step(&format!("installing {names}"), || {
        shell::capture(apt_get().args(["install", "-y", "--no-install-recommends"]).args(&missing))
            .map(drop)
    })
}

/// The installed version of a package.
pub(crate) fn version(package: &str) -> Option<String> {
    let fields = shell::capture(Command::new("dpkg-query").args([
        "--show",
        "--showformat=${db:Status-Status} ${Version}",
        package,
    ]))
    .ok()?;
    fields.strip_prefix("installed ").map(str::to_owned)
}

/// Refreshes the package lists, at most once per run: a fresh machine has none, an old one stale ones.
pub(crate) fn update_once() -> Outcome {
    static UPDATED: OnceLock<()> = OnceLock::new();
    if UPDATED.get().is_none() {
        shell::step("refreshing the package lists", || {
            shell::capture(apt_get().arg("update")).map(drop)
        })?;
        UPDATED.get_or_init(|| ());
    }
    Ok(())
}

/// Whether we may change the system.
pub(crate) fn is_root() -> Outcome<bool> {
    Ok(shell::capture(Command::new("id").arg("-u"))?.trim() == "0")
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    // Never a question: nobody is there to answer.
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
    command
}
