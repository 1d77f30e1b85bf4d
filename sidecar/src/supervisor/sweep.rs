//! Removes what a Picket that crashed has left behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::cgroup::CgroupRoot;
use super::controls::Controls;
use super::legacy;
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
    for (name, path) in sandboxes(root)? {
        match remove_abandoned(&path) {
            Ok(true) => sweep.removed.push(name),
            Ok(false) => sweep.owned += 1,
            Err(error) => sweep.failed.push((name, error)),
        }
    }
    sweep.removed.sort();
    legacy::sweep(|name| root.home().join(name).exists());
    Ok(sweep)
}

/// What a sweep would find, with nothing removed: names of abandoned sandboxes, and how many have
/// an owner.
///
/// To look, it holds each lock for a moment. A Picket that is just making a sandbox takes that for
/// a sweeper and makes another.
pub fn survey_stale(root: &CgroupRoot) -> io::Result<(Vec<String>, usize)> {
    let (mut abandoned, mut owned) = (Vec::new(), 0);
    for (name, path) in sandboxes(root)? {
        match lock(&path)? {
            Some(_lock) => abandoned.push(name),
            None => owned += 1,
        }
    }
    abandoned.sort();
    Ok((abandoned, owned))
}

/// Every sandbox on the host, whoever's it is.
fn sandboxes(root: &CgroupRoot) -> io::Result<Vec<(String, PathBuf)>> {
    let entries = match fs::read_dir(root.home()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        outcome => outcome?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if is_sandbox_name(&name) && entry.file_type()?.is_dir() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survey_tells_abandoned_sandboxes_from_owned_ones_and_removes_nothing() {
        let mount = tempfile::tempdir().unwrap();
        let line = format!("30 1 0:26 / {} rw - cgroup2 cgroup2 rw", mount.path().display());
        let root = CgroupRoot::in_mountinfo(line.as_bytes()).unwrap();
        assert_eq!(survey_stale(&root).unwrap(), (Vec::new(), 0));

        let names = ["left.0123456789abcdef", "kept.0123456789abcdef", "not-a-sandbox"];
        for name in names {
            fs::create_dir_all(root.home().join(name)).unwrap();
        }
        let owner = lock(&root.home().join("kept.0123456789abcdef")).unwrap();
        assert_eq!(survey_stale(&root).unwrap(), (vec!["left.0123456789abcdef".to_owned()], 1));
        assert!(names.iter().all(|name| root.home().join(name).is_dir()));
        drop(owner);
    }
}
