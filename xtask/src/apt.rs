//! System packages: checked first, installed through apt when root, asked for by name otherwise.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::shell::{self, About, Failure, Outcome};

/// Debian's packages ask this program before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

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

/// Makes sure that a package is installed whose programs are wanted and whose service is not: it is neither started now
/// nor at boot. Where the package is there already, its service is somebody's, and stays as it is.
pub(crate) fn ensure_without_service(package: &str) -> Outcome {
    if version(package).is_some() || !is_root()? {
        return ensure(&[package]);
    }
    let policy = Policy::refuse(Path::new(POLICY))?;
    let installed = ensure(&[package]);
    if policy.is_none() {
        // The machine has a policy of its own, which may have let the service start.
        shell::capture(Command::new("invoke-rc.d").args(["--quiet", package, "stop"]))?;
    }
    installed?;
    shell::capture(Command::new("update-rc.d").args([package, "disable"])).map(drop)
}

/// Refuses every service start while it lives.
struct Policy<'a>(&'a Path);

impl<'a> Policy<'a> {
    /// `None` where there is a policy already: it is the administrator's.
    fn refuse(path: &'a Path) -> Outcome<Option<Self>> {
        let mut options = fs::OpenOptions::new();
        match options.write(true).create_new(true).mode(0o755).open(path) {
            Ok(mut file) => {
                let policy = Self(path);
                // 101: the action is forbidden.
                file.write_all(b"#!/bin/sh\nexit 101\n").about(path.display())?;
                Ok(Some(policy))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error).about(path.display()),
        }
    }
}

impl Drop for Policy<'_> {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(self.0) {
            eprintln!(
                "remove {} by hand, it keeps services from starting: {error}",
                self.0.display()
            );
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_ours_goes_and_one_of_the_administrators_stays() {
        let path = std::env::temp_dir().join(format!("picket-policy-{}", std::process::id()));
        let ours = Policy::refuse(&path).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("exit 101"));
        assert!(Policy::refuse(&path).unwrap().is_none(), "there is one by now");
        drop(ours);
        assert!(!path.exists());
        fs::write(&path, "theirs").unwrap();
        drop(Policy::refuse(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        fs::remove_file(&path).unwrap();
    }
}
