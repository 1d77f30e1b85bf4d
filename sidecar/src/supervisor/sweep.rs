//! Removes what a Picket that crashed has left behind.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::cgroup::CgroupRoot;
use super::controls::Controls;
use super::sandbox::{is_sandbox_name, lock};

/// How long the processes of one abandoned sandbox may take to die.
const EMPTY_WITHIN: Duration = Duration::from_secs(5);

/// What a sweep found.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Names of the abandoned sandboxes that are gone now.
    pub removed: Vec<String>,
    /// How many sandboxes belong to a Picket or launcher that lives.
    pub owned: usize,
    /// Abandoned sandboxes that could not be removed, and why.
    pub failed: Vec<(String, io::Error)>,
}

/// Kills and removes every sandbox that nobody answers for any more.
///
/// Which is: its directory can be locked. Another Picket that is just making one loses it that
/// way and makes another.
pub fn sweep_stale(root: &CgroupRoot) -> io::Result<Sweep> {
    let mut sweep = Sweep::default();
    let entries = match fs::read_dir(root.home()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(sweep),
        outcome => outcome?,
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !is_sandbox_name(&name) || !entry.file_type()?.is_dir() {
            continue;
        }
        match remove_abandoned(&entry.path()) {
            Ok(true) => sweep.removed.push(name),
            Ok(false) => sweep.owned += 1,
            Err(error) => sweep.failed.push((name, error)),
        }
    }
    sweep.removed.sort();
    Ok(sweep)
}

/// `false` when the sandbox has an owner.
fn remove_abandoned(path: &Path) -> io::Result<bool> {
    // Held until the directory is gone, so that two sweepers do not get in each other's way.
    let Some(_lock) = lock(path)? else {
        return Ok(false);
    };
    let controls = Controls::open(path)?;
    if empty_and_remove(path, &controls, Instant::now() + EMPTY_WITHIN)? {
        Ok(true)
    } else {
        Err(io::Error::new(io::ErrorKind::TimedOut, "its processes do not die"))
    }
}

/// Kills everything in a cgroup and removes it with all below it; `false` when processes were
/// still there at the deadline.
pub(super) fn empty_and_remove(
    path: &Path,
    controls: &Controls,
    deadline: Instant,
) -> io::Result<bool> {
    loop {
        let empty = controls.kill().and_then(|()| controls.wait(deadline, |now| !now.populated));
        match empty {
            // Its launcher was quicker: a removed cgroup's files answer with ENODEV.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(true),
            Err(error) => return Err(error),
            Ok(None) => return Ok(false),
            Ok(Some(_)) => {}
        }
        match remove_tree(path) {
            // Somebody outside put a process in, or made a cgroup, after the kill: once more.
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {}
            Err(error) => return Err(error),
            Ok(()) => {
                // The home goes with its last sandbox. It is busy while there is another.
                drop(path.parent().map(fs::remove_dir));
                return Ok(true);
            }
        }
    }
}

fn remove_tree(path: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        outcome => outcome?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
